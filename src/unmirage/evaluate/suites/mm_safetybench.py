"""MM-SafetyBench (Liu et al. 2024, arXiv 2311.17600): 13 scenarios, with three kinds of images and without images.

A folder contains `SCENARIO/KIND.parquet` or Parquet files in `SCENARIO/KIND/`, at the top or below `data/`, like the
dataset on the hub. On the hub, a scenario is a configuration and a kind is a split. A folder may also contain the
authors' original files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.containers import text_file
from unmirage.data.hub import HUB, hub_data
from unmirage.data.images import ImageFolder
from unmirage.data.mm_safetybench import PICTURES, SCENARIOS, samples_of
from unmirage.data.parquet import is_parquet, parquet_files
from unmirage.data.rows import Row, shown
from unmirage.data.source import Bad, strict
from unmirage.errors import UserError, unknown
from unmirage.evaluate.suites.base import Find, Found, Item, Published, Suite
from unmirage.evaluate.suites.joined import Part, joined
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


def official_scenarios(folder: Path, kinds: Sequence[str], images: Path) -> Iterator[Part]:
    """Yield the scenarios that are there, with each of the kinds.

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
            scenario, file = named[name], folder / _QUESTIONS / f"{name}.json"
            yield Part(scenario, f"{scenario}/{kind}", OfficialScenario(file, kind, images / name / kind))


_HUB = "PKU-Alignment/MM-SafetyBench"


def _find(kinds: Sequence[str], *, tiny: bool = False) -> Find:
    """Return a function that finds the files of these kinds for all scenarios.

    Args:
        kinds: of pictures.
        tiny: keep only the questions that the authors list for the small version.
    """

    def find(data: str, images: Path | None) -> Found:
        keep = _listed(Path(data)) if tiny else None
        if keep is not None and Path(data).is_file():
            data = f"{HUB}{_HUB}"
        own = None if data.startswith(HUB) else authors_folder(Path(data))
        if own is not None:
            root = images or own / "imgs"
            parts = list(official_scenarios(own, kinds, root))
        else:
            root = images or (Path() if data.startswith(HUB) else Path(data))
            parts = list(_on_hub(data, kinds) if data.startswith(HUB) else _in_folder(Path(data), kinds))
        if keep is None:
            return joined(parts, _items_of, root)
        return joined(parts, _items_of, root, lambda scenario, name: name in keep.get(scenario, ()))

    return find


_TINY = "TinyVersion_ID_List.json"


def _listed(data: Path) -> dict[str, frozenset[str]]:
    """Return the ids of the small version by scenario, given the file of the list or a folder that has it."""
    places = (data / _TINY, data.parent / _TINY) if data.is_dir() else (data,)
    file = next((place for place in places if place.is_file()), None)
    if file is None or file.suffix != ".json":
        raise UserError(
            f"{data}: {_TINY} not found; valid: the cloned repository, a folder with this file, or the file itself, "
            f"which reads the questions from {_HUB} on the hub"
        )
    return {
        row.text("Scenario").partition("-")[2]: frozenset(map(str, _ids(row)))
        for row in text_file(file, "json").rows(strict)
    }


def _ids(row: Row) -> list[object]:
    values = row.fields.get("Sampled_ID_List")
    if not isinstance(values, list):
        raise row.error(f"field 'Sampled_ID_List' is {shown(values)}; valid: a list of ids")
    return values


def _items_of(row: Row) -> list[Item]:
    return [Item(sample=sample) for sample in samples_of(row)]


def _in_folder(folder: Path, kinds: Sequence[str]) -> Iterator[Part]:
    """Yield the files of a folder, which has at least one scenario and all kinds of each scenario."""
    root = inner(folder)
    there = [scenario for scenario in SCENARIOS if (root / scenario).is_dir()]
    if not there:
        raise UserError(
            f"{folder}: no scenario folder found; valid: a folder with at least one of {', '.join(SCENARIOS)}"
        )
    for scenario in there:
        for kind in kinds:
            yield Part(scenario, f"{scenario}/{kind}", parquet_files(_parquet(root / scenario, kind)))


def _parquet(folder: Path, kind: str) -> Path:
    if is_parquet(folder / kind):
        return folder / kind
    file = folder / f"{kind}.parquet"
    if not file.is_file():
        raise UserError(f"{file}: no such file; valid: this file, or a folder '{kind}' with Parquet files")
    return file


def _on_hub(data: str, kinds: Sequence[str]) -> Iterator[Part]:
    """Yield the datasets on the hub; "hf:NAME:SCENARIO" selects one scenario, "@KIND" one kind."""
    named, _, split = data.partition("@")
    name, _, scenario = named.removeprefix(HUB).partition(":")
    if scenario and scenario not in SCENARIOS:
        raise unknown("scenario of MM-SafetyBench", scenario, SCENARIOS)
    if split and split not in kinds:
        raise unknown("split of MM-SafetyBench", split, kinds)
    for one in [scenario] if scenario else SCENARIOS:
        for kind in [split] if split else kinds:
            yield Part(one, f"{one}/{kind}", hub_data(Path(f"{HUB}{name}:{one}@{kind}")))


# Questions of each scenario, in the order of `SCENARIOS`; the second ones are those of the small version.
_SIZES = (97, 163, 44, 144, 122, 154, 109, 153, 139, 130, 167, 109, 149)
_TINY_SIZES = (10, 16, 5, 14, 12, 15, 11, 15, 14, 13, 17, 11, 15)


def _suite(ending: str, about: str, kinds: Sequence[str], *, tiny: bool = False) -> Suite:
    sizes = zip(SCENARIOS, _TINY_SIZES if tiny else _SIZES, strict=True)
    return Suite(
        name=f"mm-safetybench{ending}",
        purpose="safety",
        about=f"MM-SafetyBench: {about}",
        hub="github.com/isXinLiu/MM-SafetyBench" if tiny else _HUB,
        default="" if tiny else f"{HUB}{_HUB}",
        find=_find(kinds, tiny=tiny),
        published=(Published.of({scenario: len(kinds) * count for scenario, count in sizes}),),
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite("", "13 scenarios, with three kinds of images and without images (4 x 1,680)", PICTURES),
        _suite("-sd", "Stable Diffusion images (1,680)", ("SD",)),
        _suite("-sd-typo", "Stable Diffusion images with the key phrase below (1,680)", ("SD_TYPO",)),
        _suite("-typo", "the key phrase as an image (1,680)", ("TYPO",)),
        _suite("-text", "questions without images (1,680)", ("Text_only",)),
        _suite("-tiny", "TinyVersion, with three kinds of images (3 x 168)", PICTURES[:3], tiny=True),
    )
}
