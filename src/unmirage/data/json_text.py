"""Parse large JSON files incrementally, and report the line and column of an error.

Python's own decoder reads the values. ijson 3.6 with its C backend cannot replace it: errors have no line or column,
reading stops at a NaN, an escaped lone surrogate is replaced by "?", an integer of 5,000 digits crashes the process,
and memory grows with the square of the nesting depth (1 GiB for 20,000 open brackets).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from unmirage.errors import UserError

BOM = b"\xef\xbb\xbf"
# Characters of a record or a cell. Records with several embedded pictures are smaller.
LONGEST = 2**26


def not_utf8(position: int) -> str:
    """Return the error text for an invalid byte at `position`, counted from 0."""
    return f"byte {position} is not UTF-8; save the file as UTF-8 text"


class Lines:
    """The lines of a file, each with its line break.

    Attributes:
        problem: the error of the last line, if it was not UTF-8.
    """

    def __init__(self, file: BinaryIO, source: str) -> None:
        self.problem: UserError | None = None
        self._file = file
        self._source = source

    def __iter__(self) -> Iterator[str]:
        # Only "\n" ends a line: JSON and CSV may contain the other separators that Python knows.
        start = 0
        for line in self._file:
            if not start and line.startswith(BOM):
                start, line = len(BOM), line[len(BOM) :]
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                self.problem = UserError(f"{self._source}: {not_utf8(start + error.start)}")
                yield line.decode(errors="replace")
            start += len(line)

    def take_problem(self) -> UserError:
        """Return and reset `problem`."""
        problem, self.problem = self.problem, None
        assert problem is not None
        return problem


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value; write null")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
# Finds the end of a value that is well-formed but that `DECODER` rejects, such as NaN.
_LENIENT = json.JSONDecoder(parse_int=str, parse_constant=str)
_SPACE = re.compile(r"[ \t\n\r]*")
_CHUNK = 2**20
# An error this close to the end of the buffer may be a truncated token ("-Infinit", "\ud83d\ude0").
_NEAR = 16


class NotJsonError(Exception):
    """The rest of the text is not JSON. The message has the line and column."""


class BadValueError(Exception):
    """A well-formed value that JSON does not allow, such as NaN. Reading can continue after it."""


class JsonText:
    """A JSON document of which only the part being read is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._bytes_read = 0
        self._torn: NotJsonError | None = None
        self._text = ""
        self._at = 0
        # Of the first buffered character, counted from 1.
        self._line = 1
        self._column = 1

    def mark(self) -> str:
        """Return the next non-space character without consuming it; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, marks: str) -> str:
        """Consume and return the next character, which must be one of `marks`."""
        mark = self.mark()
        if not mark or mark not in marks:
            raise self._error(f"Expecting {' or '.join(map(repr, marks))}", self._at)
        self._at += 1
        return mark

    def value(self) -> Any:
        """Consume and return the next value."""
        self.mark()
        try:
            value, end = self._decoded(DECODER)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos) from None
        except ValueError as error:
            self._skip_value()
            raise BadValueError(f"not JSON ({error})") from None
        self._at = end
        return value

    def name(self) -> str:
        """Consume a key and its colon, and return the key."""
        if self.mark() != '"':
            raise self._error("Expecting a name in double quotes", self._at)
        name = str(self.value())
        self.take(":")
        return name

    def end(self) -> None:
        """Raise an error if anything but white space follows."""
        if self.mark():
            raise self._error("Extra data", self._at)

    def _skip_value(self) -> None:
        try:
            _, self._at = self._decoded(_LENIENT)
        except json.JSONDecodeError as error:
            raise self._error(error.msg, error.pos) from None

    def _decoded(self, decoder: json.JSONDecoder) -> tuple[Any, int]:
        """Return the next value and its end; extend the buffer while the value may be truncated."""
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _NEAR
                if not (unfinished and self._more()):
                    raise
            except RecursionError as error:
                raise self._error(str(error), self._at) from None
            else:
                # A number may have more digits.
                if end < len(self._text) or not self._more():
                    return value, end

    def _error(self, problem: str, at: int) -> NotJsonError:
        line, column = self._place(at)
        return NotJsonError(f"not JSON (line {line}, column {column}: {problem})")

    def _more(self) -> bool:
        """Extend the buffer and drop consumed text; return False at the end of the file."""
        if self._torn:
            raise self._torn
        # A compressed file may unpack to a value that no memory holds.
        if len(self._text) - self._at > LONGEST:
            raise self._error(f"a value of more than {LONGEST:,} characters", self._at)
        # Doubling the buffer: a value of n characters is parsed log(n) times, not n times.
        data = self._file.read(max(_CHUNK, len(self._text) - self._at))
        text = self._decode(data)
        if not text and not data:
            return False
        self._line, self._column = self._place(self._at)
        self._text = self._text[self._at :] + text
        self._at = 0
        return True

    def _decode(self, data: bytes) -> str:
        try:
            text = self._utf8.decode(data, final=not data)
        except UnicodeDecodeError as error:
            start = self._bytes_read + len(data) - len(error.object) + error.start
            self._torn = NotJsonError(not_utf8(start))
            text = error.object[: error.start].decode()
            if not text:
                raise self._torn from None
        self._bytes_read += len(data)
        return text

    def _place(self, at: int) -> tuple[int, int]:
        """Return line and column of a buffered character."""
        breaks = self._text.count("\n", 0, at)
        if not breaks:
            return self._line, self._column + at
        return self._line + breaks, at - self._text.rindex("\n", 0, at)
