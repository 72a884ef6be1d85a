"""One record of a data file in, its typed fields out; what is wrong becomes an error that says where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from sys import intern
from typing import NamedTuple

from unmirage.data.images import check_path
from unmirage.errors import UserError
from unmirage.records import Sample

# Paths that `check_path` accepts, told by one look: most are of this kind, and a file may hold millions.
_PLAIN_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.-][A-Za-z0-9_./-]*", re.ASCII)


class Row(NamedTuple):
    """One record as it stands in the file.

    Attributes:
        fields: the record's fields.
        number: 1-based place among the records of the file, the id of records that have none.
        source: the file.
        unit: what `position` counts in the file: "line", "record" or "row".
        position: 1-based place in the file.
        part: where in the record, for a part of one: ", instr-resp[0]".
    """

    fields: Mapping[str, object]
    number: int
    source: str
    unit: str
    position: int
    part: str = ""

    @property
    def where(self) -> str:
        """The file and the place in it, for error messages: "train.json: record 3"."""
        return f"{self.source}: {self.unit} {self.position}{self.part}"

    def error(self, problem: str) -> UserError:
        """Return the error that says what is wrong with this record."""
        return UserError(f"{self.where}: {problem}")

    def parts(self, field: str, kind: str) -> Iterator[Row]:
        """Yield the objects of a field that has to be a list of them, at least one, as rows.

        Args:
            field: the list.
            kind: what it holds, for the error message: "turns".
        """
        values = self.fields.get(field)
        if not isinstance(values, list) or not values:
            raise self.error(f"field '{field}' must be a list of {kind}, not {shown(values)}")
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(f"field '{field}[{index}]' must be an object, not {shown(value)}")
            yield self._replace(fields=value, part=f"{self.part}, {field}[{index}]")

    def text(self, field: str) -> str:
        """Return a field that has to be text."""
        value = self.fields.get(field)
        if value is None:
            raise self.error(f"field '{field}' is missing; the record has {listed(self.fields)}")
        return value if isinstance(value, str) else self._no_text(field, value)

    def optional_text(self, *names: str) -> str | None:
        """Return the first of these fields that is there and not empty, as text; None if none is."""
        for field in names:
            value = self.fields.get(field)
            if value is not None and value != "":
                return value if isinstance(value, str) else self._no_text(field, value)
        return None

    def optional_name(self, field: str) -> str | None:
        """Return a field that may be text or a whole number, as text; None if it is missing or empty."""
        value = self.fields.get(field)
        if value is None:
            return None
        if isinstance(value, str):
            return value or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.optional_text(field)

    def category(self, *names: str) -> str | None:
        """Return the first of these fields that is filled; rows of one category share one string."""
        for field in names:
            name = self.optional_name(field)
            if name is not None:
                return intern(name)
        return None

    def group(self, field: str = "group") -> str | None:
        """Return what the record's samples are grouped by; rows of one group share one string."""
        return self.category(field)

    def identity(self, field: str = "id") -> str:
        """Return the record's id; its number in the file where it has none."""
        return self.optional_name(field) or str(self.number)

    def image(self, field: str = "image") -> str | None:
        """Return the picture's path, relative to the image root; None for a text-only record."""
        path = self.optional_text(field)
        if path is not None and not _PLAIN_PATH.fullmatch(path):
            try:
                check_path(path)
            except UserError as error:
                raise self.error(f"field '{field}': {error}") from None
        return path

    def _no_text(self, field: str, value: object) -> str:
        raise self.error(f"field '{field}' must be text, not {shown(value)}")


def rows_in(document: Mapping[str, object], field: str, source: str) -> Iterator[Row]:
    """Yield the records that a document, such as the whole of a file, has as a list in one of its fields.

    Args:
        document: what the file holds.
        field: the list.
        source: the file.

    Raises:
        UserError: the field is no list of objects.
    """
    values = document.get(field)
    if not isinstance(values, list):
        raise UserError(f"{source}: field '{field}' is {shown(values)}; valid: a list of objects")
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise UserError(f"{source}: {field}[{number - 1}] is {shown(value)}; valid: an object")
        yield Row(value, number, source, "record", number)


def shown(value: object, longest: int = 60) -> str:
    """Return `value` as an error message may print it: on one line, without control characters, cut short."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def listed(names: Mapping[str, object]) -> str:
    """Return the names as an error message lists them."""
    return ", ".join(shown(name) for name in names) or "no fields"


def with_unique_ids(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples in order; the second of an id becomes "id#2", and so on. `record` stays as it is."""
    taken: set[str] = set()
    times: dict[str, int] = {}
    unique = []
    for sample in samples:
        name = sample.id
        while name in taken:
            times[sample.id] = times.get(sample.id, 1) + 1
            name = f"{sample.id}#{times[sample.id]}"
        taken.add(name)
        unique.append(sample if name == sample.id else replace(sample, id=name))
    return unique
