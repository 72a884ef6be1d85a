"""Read the fields of one record with type checks; errors name the file and the record."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from sys import intern
from typing import NamedTuple

from unmirage.data.fields import Fields
from unmirage.data.images import check_path
from unmirage.errors import UserError, unknown
from unmirage.records import Sample
from unmirage.text.markup import joined, pieces

# A fast test for most of the paths that `check_path` accepts; a file may have millions.
_PLAIN_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.-][A-Za-z0-9_./-]*", re.ASCII)
# Fields of pictures, and the fields of a picture that is an object.
PICTURES = ("image", "images", "img", "image_path", "image_paths", "image_file", "img_path", "picture", "pictures")
_PICTURES = frozenset(PICTURES)
_FIRST_OF_SEVERAL = ("image_0", "image_1")  # MMMU and others have a column for each picture
_FILE_NAME = "file_name"  # in the metadata of an image folder of `datasets`
_PICTURE_FILE = re.compile(r".+\.(?:png|jpe?g|webp)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(r"<image_?(\d+)>")  # names of the pictures of a record (MiniCPM-V)
_IN_PICTURE = ("path", "image", "url", "image_url")


class Row(NamedTuple):
    """One record of a file.

    Attributes:
        fields: the record's fields.
        number: 1-based index among the records of the file; the id of a record without one.
        source: the file.
        unit: what `position` counts: "line", "record" or "row".
        position: 1-based position in the file.
        part: for a part of a record, its location: ", instr-resp[0]".
    """

    fields: Mapping[str, object]
    number: int
    source: str
    unit: str
    position: int
    part: str = ""

    @property
    def where(self) -> str:
        """The location for error messages: "train.json: record 3"."""
        return f"{self.source}: {self.unit} {self.position}{self.part}"

    def error(self, problem: str) -> UserError:
        """Return an error with the location of this record."""
        return UserError(f"{self.where}: {problem}")

    def parts(self, field: str, kind: str) -> Iterator[Row]:
        """Yield the objects of a field that must be a non-empty list of objects, as rows.

        Args:
            field: name of the list.
            kind: name of its items in the error message: "turns".
        """
        values = self.decoded(field)
        if not isinstance(values, list) or not values:
            raise self.error(f"field '{field}' must be a list of {kind}, not {shown(values)}")
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(f"field '{field}[{index}]' must be an object, not {shown(value)}")
            yield self.part_of(field, value, f"[{index}]")

    def part_of(self, field: str, value: Mapping[str, object], index: str = "") -> Row:
        """Return an object in a field of this record as a row."""
        fields = self.fields.part(field, value) if isinstance(self.fields, Fields) else value
        return self._replace(fields=fields, part=f"{self.part}, {field}{index}")

    def peek(self, field: str) -> object:
        """Return a field without counting it as read."""
        return dict.get(self.fields, field) if isinstance(self.fields, Fields) else self.fields.get(field)

    def decoded(self, field: str) -> object:
        """Return a field; a list of objects may be JSON text, as CSV files have it."""
        value = self.fields.get(field)
        if isinstance(value, str) and value.startswith(("[{", "[ {", "[\n")):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def text(self, field: str) -> str:
        """Return a required text field."""
        value = self.fields.get(field)
        if value is None:
            lack = "null" if field in self.fields else "missing"
            raise self.error(f"field '{field}' is {lack}; the record has {listed(self.fields)}")
        return value if isinstance(value, str) else self._no_text(field, value)

    def optional_text(self, *names: str) -> str | None:
        """Return the first of these text fields that is not empty; None if all are."""
        for field in names:
            value = self.fields.get(field)
            if value is not None and value != "":
                return value if isinstance(value, str) else self._no_text(field, value)
        return None

    def optional_name(self, field: str) -> str | None:
        """Return a text or whole number as text, also 7.0 (pandas) as "7"; None if it is missing or empty."""
        value = self.fields.get(field)
        if value is None:
            return None
        if isinstance(value, str):
            return value or None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return self.optional_text(field)

    def category(self, *names: str) -> str | None:
        """Return the first of these fields that is not empty, interned to save memory.

        Several names are joined by commas: those of a list, or those that are true in an object.
        """
        for field in names:
            found = self.fields.get(field)
            if isinstance(found, Mapping):
                found = [name for name, yes in found.items() if yes]
            if isinstance(found, list) and all(isinstance(one, str) for one in found):
                name: str | None = ", ".join(found)
            else:
                name = self.optional_name(field)
            if name:
                return intern(name)
        return None

    def group(self, field: str = "group") -> str | None:
        """Return the group of the record's samples."""
        name = self.optional_name(field)
        return name and intern(name)

    def identity(self, field: str = "id") -> str:
        """Return the record's id, by default its number in the file."""
        return self.optional_name(field) or str(self.number)

    def image(self, field: str = "image") -> str | None:
        """Return the only image path of a field, relative to the image folder; None for a text-only record."""
        paths = self.image_paths(field)
        if len(paths) > 1:
            raise self.error(f"field '{field}' has {len(paths)} pictures; this format has one for each record")
        return paths[0] if paths else None

    def image_paths(self, *names: str) -> list[str]:
        """Return the image paths of the first of these fields that is not empty; by default of `PICTURES`.

        Raises:
            UserError: a value is not a path that stays in the image folder.
        """
        if not names and _PICTURES.isdisjoint(self.fields):
            return self._others()
        for field in names or PICTURES:
            value = self.fields.get(field)
            if value is not None and value != "" and value != []:
                if isinstance(value, str) and value.startswith('["'):
                    value = self._listed(field, value)
                paths = [value] if isinstance(value, str) else self._paths(field, value)
                return [self.checked(path, field) for path in paths]
        return [] if names else self._others()

    def _others(self) -> list[str]:
        """Return the paths in the fields `image_1`, `image_2` and so on, or a picture in `file_name`."""
        first = next((name for name in _FIRST_OF_SEVERAL if name in self.fields), None)
        if first is None:
            named = self.fields.get(_FILE_NAME) if _FILE_NAME in self.fields else None
            is_picture = isinstance(named, str) and _PICTURE_FILE.fullmatch(named)
            return self.image_paths(_FILE_NAME) if is_picture else []
        found = (self.image(f"image_{number}") for number in range(int(first[-1]), len(self.fields) + 1))
        return [path for path in found if path is not None]

    def checked(self, path: str, field: str = "") -> str:
        """Return a picture's path, or raise an error if it could leave the image folder."""
        if not _PLAIN_PATH.fullmatch(path):
            try:
                check_path(path)
            except UserError as error:
                raise self.error(f"field '{field}': {error}" if field else str(error)) from None
        return path

    def _listed(self, field: str, value: str) -> object:
        """Return a list of paths that is JSON text."""
        try:
            return json.loads(value)
        except ValueError:
            raise self.error(f"field '{field}' is not a list in JSON: {shown(value)}") from None

    def _paths(self, field: str, value: object) -> Iterator[str]:
        if isinstance(value, dict) and value and all(_NUMBERED.fullmatch(str(name)) for name in value):
            value = [value[name] for name in sorted(value)]
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            path = one
            if isinstance(one, dict):
                path = next((one[name] for name in _IN_PICTURE if isinstance(one.get(name), str)), None)
            if not isinstance(path, str):
                raise self.error(f"field '{field}' must be the path of a picture or a list of paths, not {shown(one)}")
            yield path

    def _no_text(self, field: str, value: object) -> str:
        raise self.error(f"field '{field}' must be text, not {shown(value)}")


def rows_in(document: Mapping[str, object], field: str, source: str) -> Iterator[Row]:
    """Yield the records that a document has as a list in one of its fields.

    Args:
        document: content of the file.
        field: name of the list.
        source: the file, for error messages.

    Raises:
        UserError: the field is not a list of objects.
    """
    values = document.get(field)
    if not isinstance(values, list):
        raise UserError(f"{source}: field '{field}' is {shown(values)}; valid: a list of objects")
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise UserError(f"{source}: {field}[{number - 1}] is {shown(value)}; valid: an object")
        yield Row(value, number, source, "record", number)


def without_placeholder(query: str) -> str:
    """Return `query` without the placeholders of pictures."""
    return joined(pieces(query))[0]


def shown(value: object, longest: int = 60) -> str:
    """Return `value` for an error message: on one line, without control characters, truncated."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def check_columns(columns: Mapping[str, str], known: Collection[str], first: Sequence[Row], *left_out: str) -> None:
    """Check the columns that the user names.

    Args:
        columns: the file's column for each of ours.
        known: ours.
        first: the first records; they determine which columns there are.
        left_out: values that stand for no column.

    Raises:
        UserError: one of ours is unknown, or the file has no such column.
    """
    present = dict.fromkeys(name for row in first for name in row.fields)
    for ours, theirs in columns.items():
        if ours not in known:
            raise unknown("column", ours, known)
        if theirs not in present and theirs not in left_out:
            raise UserError(
                f"{first[0].source}: has no column {shown(theirs)} for '{ours}' in its first {len(first):,} records; "
                f"it has {listed(present)}"
            )


def listed(names: Mapping[str, object]) -> str:
    """Return the field names as a list for an error message."""
    return ", ".join(shown(name) for name in names) or "no fields"


class UniqueIds:
    """Makes ids unique: the second "id" becomes "id#2"."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._times: dict[str, int] = {}

    def of(self, identity: str) -> str:
        """Return the id, or the next free one with a number if it is taken."""
        name = identity
        while name in self._taken:
            self._times[identity] = self._times.get(identity, 1) + 1
            name = f"{identity}#{self._times[identity]}"
        self._taken.add(name)
        return name


def with_unique_ids(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples in order with unique ids: the second "id" is renamed "id#2"; `record` is unchanged."""
    ids = UniqueIds()
    return [sample if (name := ids.of(sample.id)) == sample.id else replace(sample, id=name) for sample in samples]
