"""Extract picture features of queries: size, brightness, color, file type, folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from unmirage.audit.corpus import Bools, Corpus, Floats, Index
from unmirage.audit.features import Family
from unmirage.audit.membership import from_masks
from unmirage.audit.pictures import COLUMNS, Measured

_BINNED = ("brightness", "contrast", "saturation", "sharpness")
_MOST_VALUES = 50  # maximum number of folders, file types and sizes, which may be as many as pictures
_GRAY = 0.15  # saturation below which a color counts as gray
_GRAYS = ((0.15, "black"), (0.4, "dark gray"), (0.65, "gray"), (0.9, "light gray"), (np.inf, "white"))
_HUES = (
    (15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "cyan"), (260, "blue"),
    (290, "purple"), (345, "pink"), (360, "red"),
)  # fmt: skip
_DARK = 0.45

# (name, completion of the sentence, mask of the pictures)
Trait = tuple[str, str, Bools]


def picture_features(corpus: Corpus, measured: Measured, at_least: int) -> Iterator[Family]:
    """Yield features of the paths of all pictures, and of the content of the readable ones."""
    has = corpus.picture >= 0
    if not has.any():
        return
    yield _family(corpus, list(_path_traits(corpus.pictures)), has, at_least)
    if measured.read.any():
        told = has & measured.read[corpus.picture]
        yield _family(corpus, list(_content_traits(measured)), told, at_least)


def _family(corpus: Corpus, traits: Sequence[Trait], told: Bools, at_least: int) -> Family:
    members = from_masks((told & mask[corpus.picture] for _, _, mask in traits), len(corpus), at_least)
    return Family(
        kind="image",
        position="image",
        names=[traits[place][0] for place in members.features],
        texts=[f"come with a picture {traits[place][1]}" for place in members.features],
        members=members,
        told=told,
    )


def trait_matrix(measured: Measured) -> Bools:
    """Return (pictures, traits): the traits of each picture, for a probe of pictures only."""
    return np.stack([mask for _, _, mask in _content_traits(measured)], axis=1)


def _path_traits(paths: Sequence[str]) -> Iterator[Trait]:
    split = [path.rpartition("/") for path in paths]
    for folder, mask in _most_frequent([folder or "." for folder, _, _ in split]):
        yield f"folder: {folder}", f"from the folder “{folder}”", mask
    for ending, mask in _most_frequent([PurePosixPath(name).suffix.lower() for _, _, name in split]):
        yield f"file name: {ending or 'no ending'}", f"whose file name ends in “{ending}”", mask


def _most_frequent(values: Sequence[str]) -> Iterator[tuple[str, Bools]]:
    """Yield the most frequent values, with the mask of their pictures."""
    index = Index()
    numbers = np.array([index[value] for value in values])
    names = list(index)
    for number in np.argsort(-np.bincount(numbers), kind="stable")[:_MOST_VALUES].tolist():
        yield names[number], numbers == number


def _content_traits(measured: Measured) -> Iterator[Trait]:
    column = dict(zip(COLUMNS, measured.values.T, strict=True))
    yield from _sizes(column["width"], column["height"], measured.read)
    for name in _BINNED:
        yield from _quarters(name, column[name], measured.read)
    for place in ("mean", "border"):
        rgb = np.stack([column[f"{place} {channel}"] for channel in ("red", "green", "blue")], axis=1)
        names = color_names(rgb)
        for name in np.unique(names[measured.read]):
            text = f"whose {'border' if place == 'border' else 'mean color'} is {name}"
            yield f"{place} color: {name}", text, measured.read & (names == name)
    formats = np.array(measured.formats)
    for name in np.unique(formats[measured.read]):
        yield f"format: {name}", f"that is a {name}", measured.read & (formats == name)
    yield "EXIF data", "that carries EXIF data", measured.read & measured.exif


def _sizes(width: Floats, height: Floats, read: Bools) -> Iterator[Trait]:
    yield "orientation: landscape", "wider than tall", read & (width > height)
    yield "orientation: portrait", "taller than wide", read & (width < height)
    yield "orientation: square", "as wide as tall", read & (width == height)
    sizes = [f"{w:.0f}×{h:.0f}" if ok else "" for w, h, ok in zip(width, height, read, strict=True)]
    for size, mask in _most_frequent(sizes):
        if size:
            yield f"size: {size}", f"of {size} pixels", mask
    yield from _quarters("size in pixels", width * height, read)


def _quarters(name: str, values: Floats, read: Bools) -> Iterator[Trait]:
    """Yield the quartiles of the pictures by a measurement; fewer if many pictures share a value."""
    edges = np.unique(np.quantile(values[read], (0.25, 0.5, 0.75)))
    level = np.searchsorted(edges, values, side="left")
    for place in range(len(edges) + 1):
        low, high = (f"{edges[at]:,.4g}" if 0 <= at < len(edges) else "" for at in (place - 1, place))
        label = f"{low} to {high}" if low and high else f"over {low}" if low else f"up to {high}"
        yield f"{name}: {label}", f"whose {name} is {label}", read & (level == place)


def color_names(rgb: Floats) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return a common name of each color (n, 3) of 0 to 255: a gray, or a hue, dark or not."""
    highest, lowest = rgb.max(axis=1), rgb.min(axis=1)
    spread = highest - lowest
    value = highest / 255
    safe = np.where(spread > 0, spread, 1.0)
    red, green, blue = rgb.T
    sector = np.select(
        [highest == red, highest == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    gray = np.array([name for _, name in _GRAYS])[np.digitize(value, [limit for limit, _ in _GRAYS[:-1]])]
    hue = np.array([name for _, name in _HUES])[np.digitize(60 * sector % 360, [limit for limit, _ in _HUES[:-1]])]
    named = np.where(value < _DARK, np.char.add("dark ", hue), hue)
    is_gray = (spread < _GRAY * np.maximum(highest, 1)) | (value < _GRAYS[0][0])
    return np.where(is_gray, gray, named)
