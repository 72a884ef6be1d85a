"""Load a suite by name: its samples, queries, images and reference answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unmirage.attack.plan import as_query
from unmirage.data.images import Pictures
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_by_category
from unmirage.errors import UserError
from unmirage.evaluate.suites import beavertails_v, mm_safetybench, mssbench, safety, scienceqa, sizes, table, vqa
from unmirage.evaluate.suites.base import Found, Item, LoadedSuite, Suite
from unmirage.records import Gold, Kind, Query, Sample
from unmirage.registry import Registry, has

SUITES: Registry[Suite] = Registry(
    "suite",
    "unmirage.suites",
    {
        **safety.VLGUARD,
        **safety.SPA_VL,
        **mm_safetybench.SUITES,
        **safety.SINGLE,
        **mssbench.SUITES,
        **beavertails_v.SUITES,
        **table.SUITES,
        **vqa.SUITES,
        **scienceqa.SUITES,
    },
    has(
        "a unmirage.evaluate.suites.base.Suite",
        Suite,
        name=str,
        purpose=str,
        about=str,
        hub=str,
        default=str,
        max_new_tokens=int,
        find=Callable,
    ),
)
_FOUND = has("a Found", Found, read=Callable, pictures=object, image_root=Path)
_ITEM = has("a list of Item", Item, sample=Sample)


def find_suite(name: str) -> Suite:
    """Return the suite of this name; raise `UserError`, listing all suites, if it is unknown."""
    return SUITES.find(name)


def load_suite(
    name: str,
    data: str | Path | None = None,
    *,
    images: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> LoadedSuite:
    """Load a suite.

    Args:
        name: a key of `SUITES`.
        data: file, folder or "hf:NAME[:CONFIG][@SPLIT]"; None loads from the hub if the suite supports it.
        images: folder that image paths are relative to; None uses the benchmark's default.
        limit: maximum number of questions, stratified by category and label; None for all.
        seed: random seed of the draw.

    Raises:
        UserError: the suite or data does not exist, or the data has the wrong format; the message then names the file,
            record and field.
    """
    suite, source, found = _found(name, data, images)
    with SUITES.running(name, "failed in read()"):
        items = list(found.read())
        for item in items:
            _ITEM(item)
    notes = tuple(sizes.notes(suite, source, items))
    items = [item for item in items if not item.left_out]
    samples = with_unique_ids(item.sample for item in items)
    places = draw_by_category(samples, limit, seed)
    kind = Kind.UTILITY if suite.purpose == "utility" else Kind.PLAIN
    asked = [(samples[place], items[place]) for place in places]
    queries = [_query(sample, item, kind) for sample, item in asked]
    return LoadedSuite(
        samples=[sample for sample, _ in asked],
        queries=queries,
        gold=[
            Gold(query_id=query.id, answers=item.answers, choices=item.choices)
            for query, (_, item) in zip(queries, asked, strict=True)
            if item.answers
        ],
        pictures=found.pictures,
        source=source,
        image_root=found.image_root,
        notes=notes,
    )


def suite_pictures(config: Mapping[str, Any]) -> Pictures:
    """Return the images of a run of a suite.

    Args:
        config: configuration of the run, with `suite`, `data` and `images`.
    """
    return _found(config["suite"]["name"], config["data"], config["images"])[2].pictures


def _found(name: str, data: str | Path | None, images: str | Path | None) -> tuple[Suite, str, Found]:
    suite = find_suite(name)
    source = str(data or suite.default)
    if not source:
        raise UserError(f"--data: missing; download suite '{suite.name}' from {suite.hub} and pass its folder")
    with SUITES.running(name, "failed in find()"):
        found = suite.find(source, None if images is None else Path(images))
        _FOUND(found)
    return suite, source, found


def _query(sample: Sample, item: Item, kind: Kind) -> Query:
    return as_query(sample, kind, 0, sample.query if item.prompt is None else item.prompt, None)
