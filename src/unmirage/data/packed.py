"""Read the text in gzip and Zstandard files, within limits, and name files of other kinds."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from unmirage.data.json_text import LONGEST
from unmirage.data.parquet import needs_extra
from unmirage.errors import UserError

# JSON and CSV of real texts shrink to a third to a thirtieth. Small files may shrink more: they may repeat one text.
MAX_RATIO = 100
FREE_BYTES = 2**26
_START = 4096


class PackedError(UserError):
    """Compressed data that cannot be read any further."""


class Packing(NamedTuple):
    """A compression format.

    Attributes:
        name: for messages.
        magic: first bytes of such a file.
        suffixes: of file names, lower-case.
        unpack: command that unpacks a file.
        open: returns the file with the unpacked bytes; raises `ImportError` if the library is missing.
        errors: raised for damaged data.
    """

    name: str
    magic: bytes
    suffixes: tuple[str, ...]
    unpack: str
    open: Callable[[BinaryIO], Any]
    errors: Callable[[], tuple[type[Exception], ...]]


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


_PACKINGS = (
    Packing(
        "gzip",
        b"\x1f\x8b",
        (".gz", ".gzip"),
        "gunzip",
        lambda file: gzip.GzipFile(fileobj=file),
        lambda: (gzip.BadGzipFile, zlib.error),
    ),
    Packing(
        "Zstandard",
        b"\x28\xb5\x2f\xfd",
        (".zst", ".zstd"),
        "zstd -d",
        lambda file: _zstd().ZstdFile(file),
        lambda: (_zstd().ZstdError,),
    ),
)
_OTHERS = {
    b"PK\x03\x04": "a ZIP archive; unpack it and name the data file in it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it and name the data file in it",
    b"BZh": "compressed with bzip2; unpack it: bunzip2",
    b"\xfd7zXZ\0": "compressed with xz; unpack it: xz -d",
    b"PAR1": "a Parquet file; end its name in .parquet",
}


def without_packing(path: Path) -> Path:
    """Return the path without a suffix such as .gz: the name of the unpacked file."""
    return path.with_suffix("") if _by_suffix(path) else path


def unpacked(file: io.BufferedReader[Any], path: Path, consumed: Callable[[], int]) -> io.BufferedReader[Any]:
    """Return a file with the text of `file`, which is `file` itself if it is not compressed.

    The content decides, not the name: some servers and browsers unpack a file and keep its name.

    Args:
        file: the bytes on disk, at the beginning.
        path: for error messages.
        consumed: returns how many bytes of the file on disk were read.

    Raises:
        UserError: the file is of another kind, or cannot be unpacked.
    """
    start = file.peek(_START)[:_START]
    packing = next((one for one in _PACKINGS if start.startswith(one.magic)), None)
    if packing is None:
        named = _by_suffix(path)
        if named and not _is_text(start):
            raise PackedError(f"{path}: is not {named.name} data; download it again, or correct its name")
        _refuse_others(start, f"{path}: is")
        return file
    try:
        inside = _UnpackedFile(_Unpacked(packing, file, path, consumed), 2**20)
    except ImportError as error:
        raise needs_extra(path, error) from None
    start = inside.peek(_START)[:_START]
    what = f"{path}: is compressed and inside is"
    again = next((one for one in _PACKINGS if start.startswith(one.magic)), None)
    if again:
        raise PackedError(f"{what} {again.name} data; unpack it: {packing.unpack} {path.name}")
    if start.startswith(b"PAR1"):
        raise PackedError(f"{what} a Parquet file; unpack it: {packing.unpack} {path.name}")
    if start[257:262] == b"ustar":
        raise PackedError(f"{what} a tar archive; unpack it and name the data file in it")
    _refuse_others(start, what)
    return inside


def _by_suffix(path: Path) -> Packing | None:
    return next((one for one in _PACKINGS if path.suffix.lower() in one.suffixes), None)


def _is_text(start: bytes) -> bool:
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False


def _refuse_others(start: bytes, what: str) -> None:
    """Raise an error for other kinds of files that practitioners have; all that is left is read as text."""
    for magic, said in _OTHERS.items():
        if start.startswith(magic) and not _is_text(start):
            raise PackedError(f"{what} {said}")


class _UnpackedFile(io.BufferedReader):
    """The unpacked bytes of a file, with lines that memory can hold."""

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline(LONGEST):
            if len(line) == LONGEST and not line.endswith(b"\n"):
                raise PackedError(f"{self.name}: unpacks to a line of more than {LONGEST:,} bytes; split it")
            yield line


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a file; stops at damaged data and at a size that only an attack has."""

    def __init__(self, packing: Packing, file: BinaryIO, path: Path, consumed: Callable[[], int]) -> None:
        self._packing = packing
        self._errors: tuple[type[Exception], ...] = (*packing.errors(), EOFError)
        self._file = packing.open(file)
        self.name = path
        self._consumed = consumed
        self._done = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, possibly not to its end."""
        try:
            count: int = self._file.readinto1(buffer)
        except self._errors as error:
            problem = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
            raise PackedError(
                f"{self.name}: the {self._packing.name} data {problem} after {self._done:,} unpacked bytes; "
                "what follows is missing; download the file again"
            ) from None
        self._done += count
        if self._done > max(FREE_BYTES, MAX_RATIO * self._consumed()):
            raise PackedError(
                f"{self.name}: unpacks to more than {MAX_RATIO} times its size and {FREE_BYTES:,} bytes, as a "
                f"decompression bomb does; if you trust it, unpack it: {self._packing.unpack} {self.name.name}"
            )
        return count
