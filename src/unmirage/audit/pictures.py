"""Measure each picture of a dataset: size, format, brightness, color, sharpness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.data.images import PictureFile, Pictures
from unmirage.errors import UserError
from unmirage.records import Count
from unmirage.run.progress import Progress

MAX_PICTURES = 20_000
_EXAMPLES = 20
_AHEAD = 64  # maximum pictures in memory at a time

# Columns of `Measured.values`.
COLUMNS = (
    "width", "height", "brightness", "contrast", "saturation", "sharpness",
    "mean red", "mean green", "mean blue", "border red", "border green", "border blue",
)  # fmt: skip

# Computes embeddings: pictures and their paths -> (paths, size).
Encoder = Callable[[Pictures, list[str]], Floats]


class Status(IntEnum):
    """Whether a picture could be read."""

    NOT_LOOKED_AT = 0
    READ = 1
    MISSING = 2
    UNREADABLE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Measurements of pictures.

    Attributes:
        status: (pictures,) a `Status` each.
        values: (pictures, columns) see `COLUMNS`; 0 if unreadable.
        formats: format by content, "" if unreadable.
        exif: (pictures,) True if the picture has EXIF data.
        same: (pictures,) a number that pictures with the same content share.
        problems: the first reasons why pictures were unreadable.
        vectors: (pictures, size) embedding of each readable picture, if an encoder was given.
    """

    status: Ints
    values: Floats
    formats: Sequence[str]
    exif: Bools
    same: Ints
    problems: tuple[str, ...] = ()
    vectors: Floats | None = None

    @property
    def read(self) -> Bools:
        """Return which pictures could be read (pictures,)."""
        return np.asarray(self.status == Status.READ)

    def joined(self, other: Measured) -> Measured:
        """Return these pictures followed by others."""
        return Measured(
            status=np.concatenate([self.status, other.status]),
            values=np.concatenate([self.values, other.values]),
            formats=[*self.formats, *other.formats],
            exif=np.concatenate([self.exif, other.exif]),
            same=np.concatenate([self.same, len(self.same) + other.same]),
            problems=self.problems + other.problems,
            vectors=None
            if self.vectors is None or other.vectors is None
            else np.concatenate([self.vectors, other.vectors]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCount:
    """Counts of the pictures in the data, and of the readable ones.

    Attributes:
        named: distinct paths in the data.
        looked_at: analyzed pictures; fewer than `named` if there are more than `MAX_PICTURES`. None for all.
        missing: analyzed pictures whose file does not exist.
        unreadable: files that exist, but are rejected or corrupt.
        repeated: read pictures whose content also has another path.
        both_labels: distinct pictures, by content, with both refused and answered queries.
        examples: the first reasons why pictures were unreadable.
    """

    named: Count = 0
    looked_at: Count | None = None
    read: Count = 0
    missing: Count = 0
    unreadable: Count = 0
    repeated: Count = 0
    both_labels: Count = 0
    examples: tuple[str, ...] = ()

    @property
    def sampled(self) -> bool:
        """Return whether only a sample of the pictures was analyzed."""
        return self.looked_at is not None and self.looked_at < self.named


def count_pictures(corpus: Corpus, measured: Measured) -> PictureCount:
    """Return the counts for a corpus; pictures are identified by content if they were read, else by path."""
    numbers = {status: int((measured.status == status).sum()) for status in Status}
    has = corpus.picture >= 0
    shown = measured.same[corpus.picture[has]]
    refused = np.zeros(len(measured.same), dtype=np.bool_)
    answered = refused.copy()
    refused[shown[corpus.refused[has]]] = True
    answered[shown[~corpus.refused[has]]] = True
    return PictureCount(
        named=len(measured.status),
        looked_at=len(measured.status) - numbers[Status.NOT_LOOKED_AT],
        read=numbers[Status.READ],
        missing=numbers[Status.MISSING],
        unreadable=numbers[Status.UNREADABLE],
        repeated=int((measured.same != np.arange(len(measured.same))).sum()),
        both_labels=int((refused & answered).sum()),
        examples=measured.problems,
    )


@dataclass(frozen=True, slots=True)
class _Looked:
    """Result for one picture: its file and measurements, or the reason of the failure."""

    status: Status
    file: PictureFile | None = None
    values: Floats | None = None
    problem: str = ""


def measure(paths: Sequence[str], pictures: Pictures | None, seed: int, progress: Progress | None = None) -> Measured:
    """Measure the pictures, or a random sample of them if there are more than `MAX_PICTURES`.

    Args:
        pictures: reads the pictures; None reads nothing.
        seed: seed of the sample.
    """
    chosen = np.arange(len(paths) if pictures is not None else 0)
    if len(chosen) > MAX_PICTURES:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MAX_PICTURES, replace=False))
    status = np.full(len(paths), Status.NOT_LOOKED_AT, dtype=np.int64)
    values = np.zeros((len(paths), len(COLUMNS)))
    formats, exif = [""] * len(paths), np.zeros(len(paths), dtype=np.bool_)
    same = np.arange(len(paths))
    first: dict[str, int] = {}
    problems: list[str] = []
    for place, looked in _look([paths[index] for index in chosen.tolist()], pictures, progress):
        index = int(chosen[place])
        status[index] = looked.status
        if looked.problem and len(problems) < _EXAMPLES:
            problems.append(looked.problem)
        if looked.file is not None:
            values[index], formats[index], exif[index] = looked.values, looked.file.format, looked.file.has_exif
            same[index] = first.setdefault(looked.file.digest, index)
    return Measured(status, values, formats, exif, same, tuple(problems))


def encode(measured: Measured, paths: Sequence[str], pictures: Pictures, encoder: Encoder) -> Measured:
    """Return the same measurements with the encoder's embeddings of the readable pictures."""
    read = np.flatnonzero(measured.read)
    found = np.asarray(encoder(pictures, [paths[index] for index in read.tolist()]), dtype=np.float64)
    vectors = np.zeros((len(paths), found.shape[1]))
    vectors[read] = found
    return replace(measured, vectors=vectors)


def _look(paths: list[str], pictures: Pictures | None, progress: Progress | None) -> Iterator[tuple[int, _Looked]]:
    """Yield (place, result) in order; decoding uses one thread per core."""
    if pictures is None or not paths:
        return
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), _AHEAD):
            batch = paths[start : start + _AHEAD]
            yield from enumerate(pool.map(lambda path: _look_at(path, pictures), batch), start)
            if progress:
                progress("pictures", min(start + _AHEAD, len(paths)), len(paths))


def _look_at(path: str, pictures: Pictures) -> _Looked:
    if not pictures.exists(path):
        return _Looked(Status.MISSING)
    try:
        file, image = pictures.inspect(path)
    except UserError as error:
        return _Looked(Status.UNREADABLE, problem=str(error))
    return _Looked(Status.READ, file, _figures(file, np.asarray(image, dtype=np.float64)))


def _figures(file: PictureFile, pixels: npt.NDArray[np.float64]) -> Floats:
    """Return one row of `COLUMNS`; `pixels` is (height, width, 3) of 0 to 255."""
    grey = pixels @ (0.299, 0.587, 0.114)
    highest = pixels.max(axis=2)
    saturation = np.divide(highest - pixels.min(axis=2), highest, out=np.zeros_like(highest), where=highest > 0)
    # The outermost pixels usually show the background.
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    return np.array(
        [
            file.width,
            file.height,
            grey.mean(),
            grey.std(),
            saturation.mean(),
            _sharpness(grey),
            *pixels.mean(axis=(0, 1)),
            *np.median(border, axis=0),
        ]
    )


def _sharpness(grey: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation of the Laplacian, a common measure of focus (Pech-Pacheco et al. 2000)."""
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(laplacian.std())
