"""Asking through the store: nothing twice, nothing lost, progress to the end, failures kept and asked again."""

from collections.abc import Iterator, Sequence

import pytest

from unmirage.attack import plain
from unmirage.data import ImageFolder
from unmirage.models import GenerationConfig, ask
from unmirage.records import Failure, Query, Response
from unmirage.run import Store


class _Echo:
    """Answers with the query, and fails after `lasts` answers."""

    name = "echo"

    def __init__(self, lasts: int = 10**6) -> None:
        self.asked: list[str] = []
        self._lasts = lasts

    def answer(self, queries: Sequence[Query], images: ImageFolder, config: GenerationConfig) -> Iterator[Response]:
        for query in queries:
            if len(self.asked) == self._lasts:
                raise RuntimeError("power cut")
            self.asked.append(query.id)
            yield Response(query_id=query.id, model=self.name, text=query.text, tokens=1)


def test_a_broken_run_continues_where_it_was(tiny, tmp_path) -> None:
    queries = plain(tiny.samples("test"))
    config = GenerationConfig(batch_size=4)
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(queries)
        with pytest.raises(RuntimeError, match="power cut"):
            ask(_Echo(lasts=10), store, tiny.images, config)
        assert len(store.responses("echo")) == 10  # whatever stops the work, what is there is kept
        second, seen = _Echo(), []
        ask(second, store, tiny.images, config, lambda done, total: seen.append((done, total)))
        assert len(second.asked) == len(queries) - 10
        assert seen[-1] == (len(second.asked), len(second.asked))
        answers = {one.query_id: one.text for one in store.responses("echo")}
    assert answers == {query.id: query.text for query in queries}


class _Fussy(_Echo):
    """Fails on some queries."""

    refused: frozenset[str] = frozenset()

    def answer(
        self, queries: Sequence[Query], images: ImageFolder, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        for query in queries:
            if query.id in self.refused:
                yield Failure(query_id=query.id, model=self.name, reason="broken picture")
            else:
                yield from super().answer([query], images, config)


def test_a_failure_is_kept_counted_and_asked_again(tiny, tmp_path) -> None:
    queries = plain(tiny.samples("test"))
    vlm = _Fussy()
    vlm.refused = frozenset({queries[2].id, queries[5].id})
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(queries)
        assert ask(vlm, store, tiny.images, GenerationConfig()) == 2
        assert ask(vlm, store, tiny.images, GenerationConfig()) == 2
        assert [one.query_id for one in store.failures("echo")] == [queries[2].id, queries[5].id]
        assert {query.id for query in store.unanswered("echo")} == vlm.refused
        vlm.refused = frozenset()
        assert ask(vlm, store, tiny.images, GenerationConfig()) == 0
        assert store.failures("echo") == store.unanswered("echo") == []


def test_only_the_chosen_queries_are_asked(tiny, tmp_path) -> None:
    queries = plain(tiny.samples("test"))
    vlm = _Echo()
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(queries)
        ask(vlm, store, tiny.images, GenerationConfig(), queries=queries[3:5])
    assert vlm.asked == [query.id for query in queries[3:5]]
