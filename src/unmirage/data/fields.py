"""Find the fields of records that no reader asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmirage.data.rows import Row


class Fields(dict[str, object]):
    """The fields of a record, which know which of them have been read.

    Attributes:
        read: names of the fields that have been asked for.
        parts: objects in lists of the record, with the name of the list.
    """

    __slots__ = ("parts", "read")

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__(fields)
        self.read: set[str] = set()
        self.parts: list[tuple[str, Fields]] = []

    def get(self, name: str, default: object = None) -> object:
        """Return a field or the default."""
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> object:
        self.read.add(name)
        return super().__getitem__(name)

    @property
    def unread(self) -> dict[str, object]:
        """Return the fields that nothing has asked for."""
        return {name: value for name, value in self.items() if name not in self.read}

    def part(self, name: str, fields: Mapping[str, object]) -> Fields:
        """Return an object in a list of this record as fields, so that `all_unread` includes its own."""
        found = Fields(fields)
        self.parts.append((name, found))
        return found

    def all_unread(self) -> Iterator[tuple[str, object]]:
        """Yield the unread fields of the record and of its parts: "messages[].images" is a field of the messages."""
        yield from self.unread.items()
        for name, part in self.parts:
            yield from ((f"{name}[].{one}", value) for one, value in part.all_unread())


# Names of fields that an audit or a training should not miss, and endings that make them something else.
_MATTERS = {
    "picture": re.compile(r"image|img|picture|photo|pixel|video|audio"),
    "answer": re.compile(r"answer|response|output|completion|reply|chosen|rejected"),
    "label": re.compile(
        r"(?:^|_)(?:label|safe|unsafe|safety|refus\w*|harmful|harmfulness|toxic|toxicity|jailbreak\w*)$"
    ),
    "context": re.compile(r"^(?:context\w*|passage|history)$"),
}
_DESCRIBES = re.compile(
    r"(?:^|_)(?:ids?|size|width|height|count|num|n|source|dataset|caption|description|desc|format|type|hash|sha\d*|md5"
    r"|severity|level|ratings?|rate|rank|from|model|name|length|len|tokens|time|date|score|category|reason\w*|comment|language|lang|style|index|ocr)$"
    r"|^(?:num|n|has|is)_(?:image|img|picture)|^scores?_"
)


def matters(unread: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield the names of filled fields that look like a picture, an answer, a label or a context, with what it is."""
    for name, value in unread:
        if value is None or value == "" or value == [] or value == {}:
            continue
        last = name.rpartition(".")[2].casefold()
        kind = next((kind for kind, pattern in _MATTERS.items() if pattern.search(last)), None)
        if kind is not None and not _DESCRIBES.search(last):
            yield f"'{name}' (looks like {'an' if kind == 'answer' else 'a'} {kind})"


_WATCHED = 1_000


class UnreadFields:
    """Counts the fields of a file's records that look as if they matter, but are not read.

    Which fields are read is observed for the first 1,000 records, and for the first record with each set of fields;
    records with the same set are assumed to be read alike.

    Args:
        counts: number of records by name and kind of an unread field; filled by `of`.
    """

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._unread: dict[tuple[str, ...], frozenset[str]] = {}
        self._seen = 0
        self._in_parts = False

    def watched(self, row: Row) -> Row:
        """Return the record with fields that observe how they are read, if that is not known yet."""
        self._seen += 1
        if self._seen > _WATCHED and not self._in_parts and tuple(row.fields) in self._unread:
            return row
        return row._replace(fields=Fields(row.fields))

    def of(self, row: Row) -> Collection[str]:
        """Return the names of a record's unread fields, after its samples were read from the result of `watched`."""
        names = tuple(row.fields)
        if isinstance(row.fields, Fields):
            unread = frozenset(row.fields.unread)
            self._unread[names] = self._unread.get(names, unread) & unread
            nested = [one for one in row.fields.all_unread() if one[0] not in row.fields]
            found = [*matters(nested)]
            self._in_parts = self._in_parts or bool(found)
            self._counts.update(found)
        unread = self._unread[names]
        if unread:
            self._counts.update(matters((name, row.fields[name]) for name in unread))
        return unread
