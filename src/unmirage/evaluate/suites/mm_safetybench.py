"""MM-SafetyBench (Liu et al. 2024, arXiv 2311.17600): 13 scenarios, with three kinds of images and without images.

A folder contains `SCENARIO/KIND.parquet` or Parquet files in `SCENARIO/KIND/`, at the top or below `data/`, like the
dataset on the hub. On the hub, a scenario is a configuration and a kind is a split. A folder may also contain the
authors' original files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from unmirage.data.hub import HUB, hub_data
from unmirage.data.images import ImageFolder
from unmirage.data.mm_safetybench import PICTURES, SCENARIOS, samples_of
from unmirage.data.mm_safetybench_files import authors_folder, inner, official_scenarios
from unmirage.data.parquet import is_parquet, parquet_files
from unmirage.data.rows import Row
from unmirage.data.source import Source
from unmirage.errors import UserError, unknown
from unmirage.evaluate.suites.base import Find, Found, Item, Suite
from unmirage.evaluate.suites.joined import JoinedPictures
from unmirage.evaluate.suites.reading import items_in

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
