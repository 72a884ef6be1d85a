"""Ask a model all queries of a run, each different prompt once.

Equal prompts get equal responses from greedy decoding, so a response is copied to all queries with the same text about
the same picture, in this run and from other runs of the same model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import VLM, GenerationConfig
from unmirage.records import Failure, Query, Response
from unmirage.run.progress import StepProgress
from unmirage.run.store import Store, keep_as_they_come

_ALIKE = 32  # queries per picture from which prompts are batched by length instead of by picture


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts of a run's queries; those with the same text are in one part."""

    number: int
    count: int

    def has(self, query: Query) -> bool:
        """Return whether a query is in this part."""
        return crc32(query.text.encode(errors="surrogatepass")) % self.count == self.number


WHOLE = Part(0, 1)


def ask_once(
    vlm: VLM,
    store: Store,
    pictures: Pictures,
    config: GenerationConfig,
    progress: StepProgress | None = None,
    known: Sequence[tuple[Path, Pictures]] = (),
    part: Part = WHOLE,
) -> int:
    """Answer the queries of a store that `vlm` has not answered; return how many different prompts it was asked.

    Args:
        vlm: the model.
        store: holds the queries; receives the responses as they come.
        pictures: the pictures of the queries.
        config: settings of the generation; greedy.
        progress: called with (done, total), counting queries.
        known: stores of other runs with their pictures; responses of this model to equal prompts are copied.
        part: which queries to answer; several processes can share a store's queries.
    """
    assert config.temperature == 0
    prompts = _Prompts(pictures)
    missing = [query for query in store.unanswered(vlm.name) if part.has(query)]
    same: dict[Hashable, list[Query]] = defaultdict(list)
    for query in missing:
        same[prompts.key(query)].append(query)
    found = prompts.responses(store, vlm.name)
    for path, own in known:
        if path.is_file():
            with Store(path) as other:
                found = _Prompts(own).responses(other, vlm.name) | found
    copied = [replace(found[key], query_id=query.id) for key in same if key in found for query in same[key]]
    store.add_responses(copied)
    left = {own[0].id: own for key, own in same.items() if key not in found}
    first = [prompts.shown(own[0]) for own in left.values()]
    done = len(copied)

    def answers() -> Iterator[Response | Failure]:
        nonlocal done
        for one in _answered(vlm, first, pictures, config):
            for query in left[one.query_id]:
                yield replace(one, query_id=query.id)
            done += len(left[one.query_id])
            if progress is not None:
                progress(done, len(missing))

    def keep(batch: Sequence[Response | Failure]) -> None:
        store.add_responses(one for one in batch if isinstance(one, Response))
        store.add_failures(one for one in batch if isinstance(one, Failure))

    keep_as_they_come(answers(), keep)
    return len(first)


def _answered(
    vlm: VLM, queries: Sequence[Query], pictures: Pictures, config: GenerationConfig
) -> Iterator[Response | Failure]:
    """Yield the responses, batch by batch of similar lengths if many queries are about each picture.

    Otherwise, the model batches queries by picture, whose tokens it then processes once.
    """
    if len(queries) < _ALIKE * len({query.image for query in queries}):
        yield from vlm.answer(queries, pictures, config)
        return
    ordered = sorted(queries, key=lambda query: (len(query.text), query.text, query.id))
    size = config.batch_size or _ALIKE
    for start in range(0, len(ordered), size):
        yield from vlm.answer(ordered[start : start + size], pictures, config)


class _Prompts:
    """Finds queries with equal prompts; pictures are equal if their files are."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._digests: dict[str, str] = {}
        self._first: dict[str, str] = {}  # the first path of each content

    def key(self, query: Query) -> Hashable:
        """Return a key that is equal for queries with equal prompts."""
        turns = [(turn.role, turn.text, [(self._digest(one.image), one.at) for one in turn.images])
                 for turn in query.context]  # fmt: skip
        return query.text, tuple((self._digest(one.image), one.at) for one in query.placed), repr(turns)

    def shown(self, query: Query) -> Query:
        """Return the query with the first path of its picture's content, so that equal pictures are processed once."""
        if query.image is None or query.images or query.context:
            return query
        return replace(query, image=self._first[self._digest(query.image)])

    def responses(self, store: Store, model: str) -> dict[Hashable, Response]:
        """Return the model's responses in a store by the key of their query."""
        queries = {query.id: query for query in store.queries()}
        return {self.key(queries[one.query_id]): one for one in store.responses(model)}

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                digest = blake2b(self._pictures.content(path), digest_size=16).hexdigest()
            except UserError:
                digest = f"unreadable {path}"
            self._digests[path] = digest
            self._first.setdefault(digest, path)
        return self._digests[path]
