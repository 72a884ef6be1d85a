"""Read files of labeled responses, with one annotator or several."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmirage.data.labels import is_empty, truth
from unmirage.data.load import find_source
from unmirage.data.rows import Row, UniqueIds, shown
from unmirage.data.source import strict
from unmirage.errors import UserError
from unmirage.evaluate.labels.columns import Columns
from unmirage.evaluate.labels.mapping import LabelMap, Truth, majority
from unmirage.evaluate.labels.records import Labeled, Labels
from unmirage.records import Kind, Query, Response

log = logging.getLogger(__name__)
TIED = "annotators disagree"
UNLABELED = "no label"
_GROUPS = ("model", "language")


def read_labels(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    label_map: Mapping[str, Truth] | None = None,
) -> Labels:
    """Read labeled responses from a JSON, JSONL, CSV or Parquet file.

    Each record has a query, a response and a verdict, in the columns of `columns.COLUMNS`. Columns such as
    `annotation_1` and `annotation_2`, a list of labels, or one record per annotator (column `annotator`) have the
    labels of several annotators. The verdict is the final label where the record has one, else the majority of the
    annotators. Ties are left out and counted.

    Args:
        path: the file.
        columns: the file's column for each of ours, such as {"query": "prompt"}; others are guessed.
        label_map: verdict for each label that is not a verdict.

    Raises:
        UserError: a column is missing, or a record is wrong. The message names the file, the record and the field.
    """
    rows = list(find_source(Path(path)).rows(strict))
    if not rows:
        raise UserError(f"{path}: no labeled responses found; valid: records with query, response and verdict")
    return labels_of(rows, str(path), columns, label_map)


def labels_of(
    rows: Sequence[Row],
    source: str,
    columns: Mapping[str, str] | None = None,
    label_map: Mapping[str, Truth] | None = None,
) -> Labels:
    """Return the labeled responses of at least one record; arguments as in `read_labels`."""
    reader = _Reader(Columns.of(rows, columns or {}), LabelMap(label_map))
    found: list[Labeled] = []
    excluded: Counter[str] = Counter()
    pictures = 0
    ids = UniqueIds()
    truths: dict[tuple[str, str], set[Truth]] = {}
    for own in reader.by_response(rows):
        votes = [vote for row in own for vote in reader.votes(row)]
        final = None if reader.long else reader.final(own[0])
        vote = final or majority_of(votes)
        if vote is None:
            excluded[TIED if votes else UNLABELED] += 1
            continue
        query, response, described = reader.texts(own[0], ids)
        agreed = len({one.truth for one in votes}) == 1 if len(votes) > 1 else None
        found.append(
            Labeled(
                query=query,
                response=response,
                label=vote.label,
                truth=vote.truth,
                groups=reader.groups(own[0]),
                agreed=agreed,
            )
        )
        pictures += described
        truths.setdefault((query.text, response.text), set()).add(vote.truth)
    reader.labels.check_used(source)
    if not found:
        raise UserError(f"{source}: none of {excluded.total():,} responses has a label that most annotators give")
    if twice := sum(len(one) > 1 for one in truths.values()):
        log.warning("%s: %d responses occur more than once with different labels", source, twice)
    return Labels(source=source, rows=found, excluded=excluded, described=pictures)


@dataclass(frozen=True, slots=True)
class _Vote:
    label: str
    truth: Truth


def majority_of(votes: Sequence[_Vote]) -> _Vote | None:
    """Return the first vote for the verdict of most annotators; None for a tie, or without votes."""
    truth = majority([vote.truth for vote in votes]) if votes else None
    return next((vote for vote in votes if vote.truth is truth), None)


class _Reader:
    """Reads the records of one file."""

    def __init__(self, columns: Columns, labels: LabelMap) -> None:
        self.labels = labels
        self._columns = columns
        self.long = "annotator" in columns.names

    def by_response(self, rows: Iterable[Row]) -> Iterable[Sequence[Row]]:
        """Return the records of each response: one, or one for each annotator."""
        if not self.long:
            return ([row] for row in rows)
        found: dict[tuple[str | None, ...], list[Row]] = {}
        for row in rows:
            texts = (self._columns.required(row, "query"), self._columns.required(row, "response"))
            key = (self._columns.optional(row, "id"), self._columns.optional(row, "model"), *texts)
            found.setdefault(key, []).append(row)
        return found.values()

    def final(self, row: Row) -> _Vote | None:
        """Return the record's final label; None if several annotators labeled it and there is none."""
        if "verdict" not in self._columns.names:
            return None
        column = self._columns.place(row, "verdict")
        value = row.fields.get(column)
        if isinstance(value, list) or (self._columns.annotators and value in (None, "")):
            return None
        if value is None or value == "":
            raise row.error(f"field '{column}' is {'missing' if value is None else 'empty'}; add the label")
        return self._vote(value, row, column)

    def votes(self, row: Row) -> list[_Vote]:
        """Return the labels of the annotators; empty cells are none."""
        columns = list(self._columns.annotators)
        verdict = self._columns.place(row, "verdict")
        if self.long or isinstance(row.fields.get(verdict), list):
            columns.append(verdict)
        return [
            self._vote(value, row, column)
            for column in columns
            for value in _values(row, column)
            if value is not None and value != ""
        ]

    def groups(self, row: Row) -> dict[str, str]:
        """Return the model and the language of a response, where the record has them."""
        return {name: value for name in _GROUPS if (value := self._columns.optional(row, name))}

    def texts(self, row: Row, ids: UniqueIds) -> tuple[Query, Response, bool]:
        """Return the query, the response, and whether a description replaces the picture."""
        text, response = self._columns.required(row, "query"), self._columns.required(row, "response")
        image = row.image(self._columns.place(row, "image"))
        described = self._columns.optional(row, "picture") if image is None else None
        identity = ids.of(row.identity(self._columns.place(row, "id")))
        query = Query(
            id=identity,
            sample_id=identity,
            kind=Kind.PLAIN,
            shot=0,
            text=f"{text}\n(Picture: {described})" if described else text,
            image=image,
            unsafe=_unsafe(row, self._columns.place(row, "unsafe")),
        )
        said = Response(query_id=identity, model="labeled", text=response, tokens=0)
        return query, said, bool(described)

    def _vote(self, value: object, row: Row, column: str) -> _Vote:
        if not isinstance(value, str | int | float):
            raise row.error(f"field '{column}' must be a label, not {shown(value)}")
        label = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        return _Vote(label.strip(), self.labels.truth(label, row, column))


def _values(row: Row, column: str) -> list[object]:
    """Return the labels in a column: one, or those of a list, which may be JSON text."""
    value = row.fields.get(column)
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise row.error(f"field '{column}' is not a list in JSON: {shown(value)}") from None
    return value if isinstance(value, list) else [value]


def _unsafe(row: Row, column: str) -> bool:
    value = row.fields.get(column)
    if is_empty(value):
        return True
    found = truth(value)
    if found is None:
        raise row.error(f"field '{column}' is {shown(value)}; valid: true or false")
    return found
