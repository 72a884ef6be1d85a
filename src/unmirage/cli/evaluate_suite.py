"""`unmirage evaluate MODEL --suite NAME`: a model is asked a published benchmark, and its answers are kept in a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from unmirage.cli.console import err
from unmirage.cli.model_target import load_vlm
from unmirage.cli.progress import StageProgress
from unmirage.data.hub import HUB
from unmirage.errors import UserError
from unmirage.evaluate.suites import SUITES, LoadedSuite, Suite, find_suite, load_suite
from unmirage.run.fingerprint import sha256_of

if TYPE_CHECKING:
    from unmirage.run import RunDirectory


def ask_suite(
    *,
    model: str,
    suite: str,
    data: str | None,
    out: Path | None,
    images: Path | None,
    name: str | None,
    limit: int | None,
    seed: int,
    batch_size: int | None,
    max_new_tokens: int | None,
    endpoint: Mapping[str, Any],
    revision: str | None,
    trust_remote_code: bool,
) -> RunDirectory:
    """Ask a model all of a suite that it has not answered yet, say what it could not answer, and return the run.

    Args:
        model: directory, hub id or server.
        suite: name of the benchmark.
        data: its files; None for the hub, where it can be loaded from there.
        out: the run directory; several models can share one.
        images: folder of the pictures; None for where the benchmark has them.
        name: of the model in tables.
        limit, seed: of the draw of questions, by category and label.
        batch_size: queries at once.
        max_new_tokens: that an answer may have; None for the suite's own.
        endpoint: settings of servers; None values were not given.
        revision, trust_remote_code: of a hub model.

    Raises:
        UserError: no such suite, or its data cannot be read.
    """
    from unmirage.models import GenerationConfig, ask
    from unmirage.run import open_run

    if out is None:
        raise UserError("--out: missing; name the run directory that keeps the answers to --suite")
    chosen = find_suite(suite)
    loaded = load_suite(suite, data, images=images, limit=limit, seed=seed)
    tokens = chosen.max_new_tokens if max_new_tokens is None else max_new_tokens
    vlm, made_of = load_vlm(model, name, endpoint, revision=revision, trust_remote_code=trust_remote_code)
    with (
        open_run(out, _config(chosen, loaded, images, limit, seed, tokens)) as run,
        run.store() as store,
        StageProgress() as progress,
    ):
        store.add_model(vlm.name, made_of)
        store.add_samples(loaded.samples)
        store.add_queries(loaded.queries)
        store.add_gold(loaded.gold)
        generation = GenerationConfig(max_new_tokens=tokens, batch_size=batch_size)
        ask(vlm, store, loaded.pictures, generation, lambda n, total: progress(f"ask {vlm.name}", n, total))
        failures = store.failures(vlm.name)
    accounting = getattr(vlm, "accounting", None)
    if accounting is not None:
        err.print(accounting.summary(), markup=False, soft_wrap=True)
    if failures:
        err.print(
            f"{len(failures)} of {len(loaded.queries)} queries got no answer from {vlm.name}, the first "
            f"({failures[0].query_id[:80]}): {failures[0].reason}; run the same command again to ask them again",
            markup=False,
            soft_wrap=True,
        )
    return run


def _config(
    suite: Suite, loaded: LoadedSuite, images: Path | None, limit: int | None, seed: int, max_new_tokens: int
) -> dict[str, Any]:
    """Return what a run of these answers is made with; `data` and `images` are where reports find the pictures."""
    inside = images is None and loaded.source.startswith(HUB)
    return {
        "data": loaded.source,
        "data_sha256": sha256_of(Path(loaded.source)) or _digest(loaded),
        "images": None if inside else str(loaded.image_root.resolve()),
        "limit": limit,
        "seed": seed,
        "attack": {},
        "suite": {"name": suite.name, "purpose": suite.purpose},
        "until_success": None,
        "max_new_tokens": max_new_tokens,
    }


def _digest(loaded: LoadedSuite) -> str:
    """Return the SHA-256 of all that is asked and scored against, of data that is not one file."""
    asked = [*map(astuple, loaded.queries), *map(astuple, loaded.gold)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def suites_table() -> Table:
    """Return the table of all suites, one a row."""
    table = Table(
        box=box.SIMPLE_HEAD,
        caption="hf:... is loaded where --data names nothing; fetch the others by hand, and name their file or folder",
        caption_justify="left",
        caption_style="dim",
    )
    table.add_column("suite", no_wrap=True)
    table.add_column("purpose", no_wrap=True)
    table.add_column("what it is, and where", overflow="fold")
    for suite in SUITES.values():
        table.add_row(suite.name, suite.purpose, f"{suite.about}\n{suite.default or suite.hub}")
    return table
