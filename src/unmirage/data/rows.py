"""One record of a data file in, its typed fields out; what is wrong becomes an error that says where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unmirage.data.images import check_path
from unmirage.errors import UserError


@dataclass(frozen=True, slots=True)
class Row:
    """One record as it stands in the file.

    Attributes:
        where: the file and the place in it, for error messages: "train.json: record 3 of 2000".
        number: 1-based place in the file, the id of records that have none.
        fields: the record's fields.
    """

    where: str
    number: int
    fields: Mapping[str, object]

    def error(self, problem: str) -> UserError:
        """Return the error that says what is wrong with this record."""
        return UserError(f"{self.where}: {problem}")

    def text(self, field: str) -> str:
        """Return a field that has to be text."""
        if self.fields.get(field) is None:
            raise self.error(f"field '{field}' is missing; the record has {_listed(self.fields)}")
        return self._as_text(field)

    def optional_text(self, *names: str) -> str | None:
        """Return the first of these fields that is there and not empty, as text; None if none is."""
        for field in names:
            if self.fields.get(field) not in (None, ""):
                return self._as_text(field)
        return None

    def optional_name(self, field: str) -> str | None:
        """Return a field that may be text or a whole number, as text; None if it is missing or empty."""
        value = self.fields.get(field)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.optional_text(field)

    def identity(self, field: str = "id") -> str:
        """Return the record's id; its number in the file where it has none."""
        return self.optional_name(field) or str(self.number)

    def image(self, field: str = "image") -> str | None:
        """Return the picture's path, relative to the image root; None for a text-only record."""
        path = self.optional_text(field)
        if path is not None:
            try:
                check_path(path)
            except UserError as error:
                raise self.error(f"field '{field}': {error}") from None
        return path

    def _as_text(self, field: str) -> str:
        value = self.fields[field]
        if not isinstance(value, str):
            raise self.error(f"field '{field}' must be text, not {shown(value)}")
        return value


def shown(value: object, longest: int = 60) -> str:
    """Return `value` as an error message may print it: on one line, without control characters, cut short."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(shown(name) for name in names) or "no fields"
