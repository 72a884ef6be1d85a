"""MSSBench (Zhou et al. 2024, arXiv 2410.06172): queries that are safe in one situation and unsafe in another.

`combined.json` is `{"chat": [...], "embodied": [...]}`. A chat record is `{queries, safe_image_path, unsafe_image_path,
Type}`: each query is asked about both images. An embodied record is `{safe_instructions, unsafe_instructions, safe,
unsafe, category}`: each instruction is asked about the image of its situation. The images of a task are in its folder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.images import ImageFolder
from unmirage.data.rows import Row, rows_in, shown
from unmirage.data.source import Bad
from unmirage.evaluate.suites.base import Item, Published, Suite
from unmirage.evaluate.suites.reading import from_one_file
from unmirage.records import Sample
from unmirage.run.files import read_object
from unmirage.run.progress import StepProgress

_NAMES = ("combined.json", "combine.json")
_SITUATIONS = ("safe", "unsafe")


@dataclass(frozen=True)
class OfficialMssBench:
    """The file of both tasks; its rows are the records of one task after the other.

    Attributes:
        path: the file.
    """

    path: Path

    container: ClassVar[str] = "json"

    @property
    def root(self) -> Path:
        """The folder of the file, which has a folder of images for each task."""
        return self.path.parent

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
        """Yield the records of the chat task, then those of the embodied task."""
        document = read_object(self.path)
        for task in ("chat", "embodied"):
            for row in rows_in(document, task, str(self.path)):
                yield row._replace(unit=f"{task} record")

    def pictures(self, root: Path) -> ImageFolder:
        """Return the images below `root`."""
        return ImageFolder(root)


def official_mssbench(path: Path) -> OfficialMssBench | None:
    """Return the file of both tasks, given it or its folder; None if there is none."""
    files = [path / name for name in _NAMES] if path.is_dir() else [path]
    return next((OfficialMssBench(file) for file in files if file.name in _NAMES and file.is_file()), None)


def items_of(row: Row) -> list[Item]:
    """Return the questions of a record, for each query first that of the safe situation."""
    task = "chat" if "queries" in row.fields else "embodied"
    category = row.category("Type", "category")
    record = f"{task}/{row.number}"
    return [
        Item(
            sample=Sample(
                id=f"{record}/{number}/{situation}",
                record=f"{record}/{number}",
                query=query,
                image=_image(row, task, situation),
                refused=situation == "unsafe",
                label_source="field",
                category=f"{task}: {category}" if category else task,
                group=record,
            )
        )
        for number, queries in enumerate(_queries(row, task), 1)
        for situation, query in zip(_SITUATIONS, queries, strict=True)
    ]


def _image(row: Row, task: str, situation: str) -> str:
    field = f"{situation}_image_path" if task == "chat" else situation
    image = row.image(field)
    if image is None:
        raise row.error(f"field '{field}' is missing or empty; valid: the name of an image")
    return f"{task}/{image}"


def _queries(row: Row, task: str) -> Iterator[tuple[str, str]]:
    """Yield each query for the safe and for the unsafe situation."""
    if task == "chat":
        yield from ((query, query) for query in _texts(row, "queries"))
        return
    safe, unsafe = (_texts(row, f"{situation}_instructions") for situation in _SITUATIONS)
    if len(safe) != len(unsafe):
        raise row.error(f"has {len(safe)} safe_instructions and {len(unsafe)} unsafe_instructions; valid: as many")
    yield from zip(safe, unsafe, strict=True)


def _texts(row: Row, field: str) -> list[str]:
    values = row.fields.get(field)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise row.error(f"field '{field}' is {shown(values)}; valid: a list of texts")
    return values


SUITES = {
    "mssbench": Suite(
        name="mssbench",
        purpose="safety",
        about="MSSBench: queries in safe and in unsafe situations, for a chat assistant and a robot (1,820)",
        hub="kzhou35/mssbench",
        find=from_one_file(items_of, names=_NAMES, several=official_mssbench),
        published=(Published(total=1820), Published(total=1960)),
    )
}
