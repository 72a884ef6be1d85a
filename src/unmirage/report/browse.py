"""Collect the responses of runs into one JSON block, which the page's script filters and shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from markupsafe import Markup

from unmirage.data.images import Pictures
from unmirage.evaluate.compare_runs import UNREADABLE, Source, stores_of
from unmirage.evaluate.pictures import pictures_at_hand
from unmirage.evaluate.results import Results
from unmirage.models.conversation import earlier_turns, marked_text
from unmirage.records import Judgement, Kind, Query, Response, Verdict
from unmirage.report.examples import ENDED, thumbnail
from unmirage.run import Run, Store
from unmirage.text.formatting import model_name
from unmirage.text.openers import opener
from unmirage.text.printable import clean, short
from unmirage.text.thoughts import settled

MOST_ROWS = 20_000
MOST_PICTURES = 1000
_PICTURE_BYTES = 1_500_000  # limit for all data URIs together
_LONGEST, _SHORTEST = 4000, 300  # maximum characters of a text, with few rows and with many
_ALL_TEXT = 12_000_000
_NOT_JUDGED = "not judged"
_VERDICTS = (*map(str, Verdict), _NOT_JUDGED)
_KINDS = tuple(map(str, Kind))
# Escapes keep data from ending the block, opening a comment or breaking a script line; "&" is for XML parsers.
_ESCAPES = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Browser:
    """The block, the numbers of included and of all responses, and notes on stores that could not be read."""

    block: Markup
    shown: int
    total: int
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Names:
    """Numbers texts so that each is stored once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def __iter__(self) -> Any:
        return iter(self.numbers)


class _Block:
    """The block under construction."""

    def __init__(self, longest: int, *, redact: bool) -> None:
        self.queries: list[list[Any]] = []
        self.rows: list[list[Any]] = []
        self._longest, self._redact = longest, redact
        self._texts, self._models, self._categories, self._places = _Names(), _Names(), _Names(), _Names()
        self._judges, self._samples = _Names(), _Names()
        self._pictures: list[list[Any]] = []
        self._bytes = 0

    def add(self, place: str, source: Source, results: Results, one: Run, share: int | None) -> None:
        """Add the responses of one store: all queries of as many samples as fit into each model's share, or of all."""
        with one.store() as store:
            categories = {sample.id: sample.category for sample in store.samples()}
            kept = _spread(store.queries(), share)
            folder = pictures_at_hand(one)
            judges = [name for name in results.judges if name != source.judge]
            numbers: dict[str, int] = {}
            pictures: dict[str, int] = {}
            for label, own in source.models.items():
                judged = {found.query_id: found for found in store.judgements(own, source.judge)}
                others = {name: {j.query_id: j for j in store.judgements(own, name)} for name in judges}
                for response in map(settled, store.responses(own)):
                    query = kept.get(response.query_id)
                    if query is None:
                        continue
                    if query.id not in numbers:
                        numbers[query.id] = len(self.queries)
                        shown = [self._picture(folder, path, pictures) for path in query.paths]
                        self.queries.append(self._query(query, categories.get(query.sample_id), place, shown))
                    other = {name: found[query.id] for name, found in others.items() if query.id in found}
                    self.rows.append(self._row(numbers[query.id], label, response, judged.get(query.id), other))

    def _query(self, query: Query, category: str | None, place: str, pictures: list[int]) -> list[Any]:
        turns = [[self._texts(role), self._text(text)] for role, text in earlier_turns(query)]
        return [
            self._text(marked_text(query)),
            _KINDS.index(str(query.kind)),
            self._texts(short(opener(query.text[:2000]), 40)),
            -1 if category is None else self._categories(short(category, 80)),
            int(query.unsafe),
            query.shot + 1,
            self._places(short(place, 60)),
            self._samples(f"{place}\0{query.sample_id}"),
            pictures if len(pictures) > 1 else next(iter(pictures), -1),
            *([turns] if turns else []),
        ]

    def _row(
        self, query: int, label: str, response: Response, judged: Judgement | None, others: Mapping[str, Judgement]
    ) -> list[Any]:
        verdict = _NOT_JUDGED if judged is None else str(judged.verdict)
        why = clean(judged.why, 300) if judged and judged.why and not self._redact else ""
        return [
            query,
            self._models(short(model_name(label), 80)),
            _VERDICTS.index(verdict),
            -1 if self._redact else self._text(response.text),
            self._texts(ENDED[response.ended]),
            self._texts(why) if why else -1,
            [[self._judges(short(n, 60)), _VERDICTS.index(str(one.verdict))] for n, one in others.items()],
            *([self._text(response.thoughts)] if response.thoughts.strip() and not self._redact else []),
        ]

    def _text(self, text: str) -> int:
        return self._texts(clean(text, self._longest))

    def _picture(self, folder: Pictures, image: str, known: dict[str, int]) -> int:
        """Return the number of an image; -1: redacted, -2: it cannot be shown, -3: the page has reached its limit."""
        if self._redact:
            return -1
        if image not in known:
            if len(self._pictures) >= MOST_PICTURES or self._bytes >= _PICTURE_BYTES:
                return -3
            found = thumbnail(folder, image)
            known[image] = -2 if found is None else len(self._pictures)
            if found is not None:
                self._pictures.append([found.uri, found.width, found.height, int(found.tiny)])
                self._bytes += len(found.uri)
        return known[image]

    def markup(self) -> Markup:
        """Return the block, escaped so that a browser reads it as text only."""
        document = {
            "texts": list(self._texts),
            "models": list(self._models),
            "judges": list(self._judges),
            "categories": list(self._categories),
            "places": list(self._places),
            "verdicts": _VERDICTS,
            "kinds": _KINDS,
            "pictures": self._pictures,
            "queries": self.queries,
            "rows": self.rows,
            "redacted": self._redact,
        }
        said = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return Markup(said.translate(_ESCAPES))  # noqa: S704 - escaped just above; only JSON.parse reads it


def browser(sources: Sequence[Source], results: Mapping[str, Results], *, redact: bool = False) -> Browser | None:
    """Return the responses of all runs; None if no store has any.

    Above `MOST_ROWS`, samples are left out: the same ones for all models of a store.
    """
    notes, places = [], []
    for source in sources:
        for group, one in stores_of(source.run).items():
            parts = [source.name if len(sources) > 1 or group < 0 else "", f"seed {group}" if group >= 0 else ""]
            place = ", ".join(filter(None, parts))
            try:
                with one.store() as store:
                    count = _count(store, source)
            except UNREADABLE as error:
                notes.append(f"{place}: store.sqlite could not be read ({' '.join(str(error).split())}).")
            else:
                places.append((place, source, one, count))
    total = sum(count for *_, count in places)
    if not total:
        return None if not notes else Browser(Markup(""), 0, 0, tuple(notes))
    pairs = sum(len(source.models) for _, source, _, _ in places)
    share = MOST_ROWS // pairs if total > MOST_ROWS else None
    block = _Block(max(_SHORTEST, min(_LONGEST, _ALL_TEXT // min(total, MOST_ROWS))), redact=redact)
    for place, source, one, _ in places:
        try:
            block.add(place, source, results[source.name], one, share)
        except UNREADABLE as error:
            notes.append(f"{place}: store.sqlite could not be read ({' '.join(str(error).split())}).")
    return Browser(block.markup(), len(block.rows), total, tuple(notes))


def _count(store: Store, source: Source) -> int:
    return sum(len(store.responses(own)) for own in source.models.values())


def _spread(queries: Sequence[Query], most: int | None) -> dict[str, Query]:
    """Return all queries of a pseudorandom subset of samples, with at most `most` queries in total; None for all."""
    if most is None or len(queries) <= most:
        return {query.id: query for query in queries}
    by_sample: dict[str, list[Query]] = {}
    for query in queries:
        by_sample.setdefault(query.sample_id, []).append(query)
    drawn = sorted(by_sample, key=lambda one: blake2b(one.encode("utf-8", "replace"), digest_size=8).digest())
    kept, room = set(), most
    for sample in drawn:
        room -= len(by_sample[sample])
        if room < 0:
            break
        kept.add(sample)
    return {query.id: query for query in queries if query.sample_id in kept}
