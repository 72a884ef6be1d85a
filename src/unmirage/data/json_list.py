"""A JSON document in, its records as rows out one by one: a list of objects, or an object that names them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import BinaryIO

from unmirage.data.json_text import BadValueError, JsonText, NotJsonError
from unmirage.data.rows import Row, shown
from unmirage.data.source import Bad
from unmirage.errors import UserError

_CLOSING = {"[": "]", "{": "}"}


def read_json(file: BinaryIO, source: str, bad: Bad) -> Generator[Row, None, None]:
    """Yield the records. Where the document is torn, `bad` is told once, and what stands before it is kept.

    An object of objects, `{"7": {...}, "9": {...}}`, holds records too: the name becomes the record's id where
    it has none.
    """
    text = JsonText(file)
    number = 0
    try:
        for number, (name, value) in enumerate(_items(text, source), 1):
            if isinstance(value, BadValueError):
                bad(UserError(f"{source}: record {number}: {value}"))
            elif isinstance(value, dict):
                yield Row(_with_id(value, name), number, source, "record", number)
            elif name is None:
                where = f"{source}: record {number}"
                bad(UserError(f"{where}: must be an object with named fields, not {shown(value)}"))
            else:
                raise _no_list(source, {name: value})
    except NotJsonError as error:
        bad(UserError(f"{source}: record {number + 1}: {error}"))


def _items(text: JsonText, source: str) -> Iterator[tuple[str | None, object]]:
    """Yield the name (None in a list) and the value of each record."""
    opening = text.mark()
    if not opening:
        return
    if opening not in _CLOSING:
        raise _no_list(source, _value(text))
    closing = _CLOSING[text.take(opening)]
    if text.mark() == closing:
        text.take(closing)
    else:
        mark = ","
        while mark == ",":
            name = text.name() if closing == "}" else None
            yield name, _value(text)
            mark = text.take("," + closing)
    text.end()


def _value(text: JsonText) -> object:
    try:
        return text.value()
    except BadValueError as error:
        return error


def _with_id(record: dict[str, object], name: str | None) -> dict[str, object]:
    return record if name is None or record.get("id") not in (None, "") else {**record, "id": name}


def _no_list(source: str, found: object) -> UserError:
    return UserError(f"{source}: must hold a JSON list of records, not {shown(found)}")
