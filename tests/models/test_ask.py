"""Asking through the store: nothing twice, nothing lost, progress to the end."""

from collections.abc import Iterator, Sequence

import pytest

from unmirage.attack import plain
from unmirage.data import ImageFolder
from unmirage.models import GenerationConfig, ask
from unmirage.records import Query, Response
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
            yield Response(query_id=query.id, model=self.name, text=query.text, tokens=1, finished=True)


def test_a_broken_run_continues_where_it_was(tiny, tmp_path) -> None:
    queries = plain(tiny.samples("test"))
    config = GenerationConfig(batch_size=4)
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(queries)
        with pytest.raises(RuntimeError, match="power cut"):
            ask(_Echo(lasts=10), store, tiny.images, config)
        assert len(store.responses("echo")) == 8  # two whole batches of four were committed
        second, seen = _Echo(), []
        ask(second, store, tiny.images, config, lambda done, total: seen.append((done, total)))
        assert len(second.asked) == len(queries) - 8
        assert seen[-1] == (len(second.asked), len(second.asked))
        answers = {one.query_id: one.text for one in store.responses("echo")}
    assert answers == {query.id: query.text for query in queries}
