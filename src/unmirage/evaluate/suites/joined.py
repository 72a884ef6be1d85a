"""Join the parts of a benchmark, such as its scenarios, each of which is a file or a dataset of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.source import Source
from unmirage.evaluate.suites.base import Found, Item
from unmirage.evaluate.suites.reading import ItemsOf, items_in


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a benchmark.

    Attributes:
        category: category of its questions.
        name: unique name, which begins the names of its questions and images.
        source: its records.
    """

    category: str
    name: str
    source: Source


def joined(
    parts: Sequence[Part], items_of: ItemsOf, root: Path, keep: Callable[[str, str], bool] = lambda _, __: True
) -> Found:
    """Return the files of a benchmark of several parts.

    Args:
        parts: the parts in order.
        items_of: returns the questions of a record.
        root: image folder, with a folder for each part.
        keep: whether a question is one of the benchmark, given its category and its id within the part.
    """
    pictures = {part.name: part.source.pictures(root / part.name) for part in parts}

    def read() -> Iterator[Item]:
        for part in parts:
            for item in items_in(part.source, items_of):
                if keep(part.category, item.sample.id):
                    yield _named(item, part)

    return Found(read=lambda: list(read()), pictures=JoinedPictures(pictures, ImageFolder(root)), image_root=root)


def _named(item: Item, part: Part) -> Item:
    """Return the item with names that are unique across all parts."""
    old = item.sample
    image = None if old.image is None else f"{part.name}/{old.image}"
    record = f"{part.category}/{old.record}"  # shared by the variants of a question with each kind of image
    sample = replace(old, id=f"{part.name}/{old.id}", record=record, image=image, category=part.category, group=record)
    return replace(item, sample=sample)


class JoinedPictures(Pictures):
    """Images of several parts.

    Args:
        parts: name prefix (without the slash) -> images of that part.
        rest: images that handle all other names.
    """

    def __init__(self, parts: Mapping[str, Pictures], rest: Pictures) -> None:
        super().__init__()
        self._parts = parts
        self._rest = rest

    def exists(self, relative: str) -> bool:
        """Return whether one of the parts has an image of this name. Never raises."""
        pictures, name = self._part(relative)
        return pictures.exists(name)

    def _file(self, relative: str) -> BinaryIO:
        pictures, name = self._part(relative)
        return pictures._file(name)

    def _part(self, relative: str) -> tuple[Pictures, str]:
        for start, pictures in self._parts.items():
            if relative.startswith(f"{start}/"):
                return pictures, relative.removeprefix(f"{start}/")
        return self._rest, relative
