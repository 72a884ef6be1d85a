"""MM-SafetyBench (Liu et al. 2024, arXiv 2311.17600): 13 scenarios, with three kinds of images and without images.

A folder contains `SCENARIO/KIND.parquet` or Parquet files in `SCENARIO/KIND/`, at the top or below `data/`, like the
dataset on the hub. On the hub, a scenario is a configuration and a kind is a split. A folder may also contain the
authors' original files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, ClassVar

from unmirage.data.containers import text_file
from unmirage.data.hub import HUB, hub_data
from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.mm_safetybench import PICTURES, SCENARIOS, samples_of
from unmirage.data.parquet import is_parquet, parquet_files
from unmirage.data.rows import Row
from unmirage.data.source import Bad, Source
from unmirage.errors import UserError, unknown
from unmirage.evaluate.suites.base import Find, Found, Item, Suite
from unmirage.evaluate.suites.reading import items_in
from unmirage.run.progress import StepProgress

_QUESTIONS = "processed_questions"
# Which question goes with which pictures: the made ones alone are asked about as what they show.
_FIELDS = {"SD": "Rephrased Question(SD)", "SD_TYPO": "Rephrased Question", "TYPO": "Rephrased Question"}


@dataclass(frozen=True)
class OfficialScenario:
    """One scenario with one kind of picture, read as rows of the form that the hub has: `{id, question, image}`.

    Attributes:
        path: the file of questions.
        kind: of the pictures.
        root: the folder of the pictures.
    """

    path: Path
    kind: str
    root: Path

    container: ClassVar[str] = "json"

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:
        """Yield the questions."""
        field = _FIELDS[self.kind]
        with closing(text_file(self.path, "json").rows(bad, progress)) as rows:
            for row in rows:
                name = row.identity()
                yield row._replace(fields={"id": name, "question": row.text(field), "image": f"{name}.jpg"})

    def pictures(self, root: Path) -> ImageFolder:  # noqa: ARG002
        """Return the pictures of the scenario and kind; these lie in no other place."""
        return ImageFolder(self.root)


def inner(folder: Path) -> Path:
    """Return the folder `data` in this one, where both forms may lie, or this one."""
    return folder / "data" if (folder / "data").is_dir() else folder


def authors_folder(folder: Path) -> Path | None:
    """Return the folder that holds the authors' questions: this one or the one in it; None where there is none."""
    return inner(folder) if (inner(folder) / _QUESTIONS).is_dir() else None


def official_scenarios(folder: Path, kinds: Sequence[str], images: Path) -> Iterator[tuple[str, str, OfficialScenario]]:
    """Yield the scenarios that are there with each of the kinds.

    Args:
        folder: as `authors_folder` found it.
        kinds: of pictures.
        images: the folder that the authors call `imgs`.

    Raises:
        UserError: no scenario is there, or questions without pictures are wanted: the files hold several wordings and
            do not say which of them is to stand alone.
    """
    if not _FIELDS.keys() >= set(kinds):
        raise UserError(
            f"{folder / _QUESTIONS}: does not say what to ask without pictures; "
            f"valid: the kinds {', '.join(_FIELDS)} alone, or the data as the hub has it"
        )
    named = {f"{number:02d}-{scenario}": scenario for number, scenario in enumerate(SCENARIOS, 1)}
    there = [name for name in named if (folder / _QUESTIONS / f"{name}.json").is_file()]
    if not there:
        raise UserError(f"{folder / _QUESTIONS}: has no file of a scenario; valid: {', '.join(named)}, each .json")
    for name in there:
        for kind in kinds:
            yield named[name], kind, OfficialScenario(folder / _QUESTIONS / f"{name}.json", kind, images / name / kind)


class JoinedPictures(Pictures):
    """Images of several files.

    Args:
        parts: name prefix (without the slash) -> images of that file.
        rest: images that handle all other names.
    """

    def __init__(self, parts: Mapping[str, Pictures], rest: Pictures) -> None:
        super().__init__()
        self._parts = parts
        self._rest = rest

    def exists(self, relative: str) -> bool:
        """Return whether one of the files has an image of this name. Never raises."""
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


_HUB = "PKU-Alignment/MM-SafetyBench"


def _find(kinds: Sequence[str]) -> Find:
    """Return a function that finds the files of these kinds for all scenarios."""

    def find(data: str, images: Path | None) -> Found:
        own = None if data.startswith(HUB) else authors_folder(Path(data))
        if own is not None:
            root = images or own / "imgs"
            parts: list[tuple[str, str, Source]] = list(official_scenarios(own, kinds, root))
        else:
            root = images or (Path() if data.startswith(HUB) else Path(data))
            parts = list(_on_hub(data, kinds) if data.startswith(HUB) else _in_folder(Path(data), kinds))
        pictures = {f"{scenario}/{kind}": source.pictures(root / scenario / kind) for scenario, kind, source in parts}
        joined = JoinedPictures(pictures, ImageFolder(root))
        return Found(read=lambda: _items_in(parts), pictures=joined, image_root=root)

    return find


def _items_in(parts: Sequence[tuple[str, str, Source]]) -> list[Item]:
    return [
        _named(item, scenario, f"{scenario}/{kind}")
        for scenario, kind, source in parts
        for item in items_in(source, _items_of)
    ]


def _items_of(row: Row) -> list[Item]:
    return [Item(sample=sample) for sample in samples_of(row)]


def _named(item: Item, scenario: str, name: str) -> Item:
    """Return the item with names that are unique across all files."""
    old = item.sample
    image = None if old.image is None else f"{name}/{old.image}"
    record = f"{scenario}/{old.record}"  # shared by the variants of a question with each kind of image
    sample = replace(old, id=f"{name}/{old.id}", record=record, image=image, category=scenario, group=record)
    return replace(item, sample=sample)


def _in_folder(folder: Path, kinds: Sequence[str]) -> Iterator[tuple[str, str, Source]]:
    """Yield the files of a folder, which has at least one scenario and all kinds of each scenario."""
    root = inner(folder)
    there = [scenario for scenario in SCENARIOS if (root / scenario).is_dir()]
    if not there:
        raise UserError(
            f"{folder}: no scenario folder found; valid: a folder with at least one of {', '.join(SCENARIOS)}"
        )
    for scenario in there:
        for kind in kinds:
            yield scenario, kind, parquet_files(_parquet(root / scenario, kind))


def _parquet(folder: Path, kind: str) -> Path:
    if is_parquet(folder / kind):
        return folder / kind
    file = folder / f"{kind}.parquet"
    if not file.is_file():
        raise UserError(f"{file}: no such file; valid: this file, or a folder '{kind}' with Parquet files")
    return file


def _on_hub(data: str, kinds: Sequence[str]) -> Iterator[tuple[str, str, Source]]:
    """Yield the datasets on the hub; "hf:NAME:SCENARIO" selects one scenario, "@KIND" one kind."""
    named, _, split = data.partition("@")
    name, _, scenario = named.removeprefix(HUB).partition(":")
    if scenario and scenario not in SCENARIOS:
        raise unknown("scenario of MM-SafetyBench", scenario, SCENARIOS)
    if split and split not in kinds:
        raise unknown("split of MM-SafetyBench", split, kinds)
    for one in [scenario] if scenario else SCENARIOS:
        for kind in [split] if split else kinds:
            yield one, kind, hub_data(Path(f"{HUB}{name}:{one}@{kind}"))


def _suite(ending: str, about: str, kinds: Sequence[str]) -> Suite:
    return Suite(
        name=f"mm-safetybench{ending}",
        purpose="safety",
        about=f"MM-SafetyBench: {about}",
        hub=_HUB,
        default=f"{HUB}{_HUB}",
        find=_find(kinds),
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite("", "13 scenarios, with three kinds of images and without images (4 x 1,680)", PICTURES),
        _suite("-sd", "Stable Diffusion images (1,680)", ("SD",)),
        _suite("-sd-typo", "Stable Diffusion images with the key phrase below (1,680)", ("SD_TYPO",)),
        _suite("-typo", "the key phrase as an image (1,680)", ("TYPO",)),
        _suite("-text", "questions without images (1,680)", ("Text_only",)),
    )
}
