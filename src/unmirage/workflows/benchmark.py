"""Run a published benchmark on a model, and store the responses in a run."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from unmirage.data.hub import HUB
from unmirage.evaluate.suites import LoadedSuite, Suite, find_suite, load_suite
from unmirage.models import VLM, GenerationConfig, ask
from unmirage.run import Run, open_run
from unmirage.run.fingerprint import sha256_of
from unmirage.run.progress import Progress
from unmirage.workflows.models import identity_of

log = logging.getLogger(__name__)


def ask_suite(
    load: Callable[[], VLM],
    suite: str,
    data: str | None,
    out: Path,
    *,
    images: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Collect a model's missing responses to a suite, log failures, and return the run.

    Args:
        load: returns the model; called after the suite is read.
        suite: name of the benchmark.
        data: its files; None loads it from the hub, if possible.
        out: the run directory; several models can share one.
        images: folder of the pictures; None for the benchmark's own folder.
        limit, seed: maximum number of questions, and seed of the draw, which is stratified by category and label.
        batch_size: queries per batch.
        max_new_tokens: maximum new tokens per response; None for the suite's default.
        progress: called after each response.

    Raises:
        UserError: the suite is unknown, or its data cannot be read.
    """
    chosen = find_suite(suite)
    loaded = load_suite(suite, data, images=images, limit=limit, seed=seed)
    tokens = chosen.max_new_tokens if max_new_tokens is None else max_new_tokens
    vlm = load()
    with open_run(out, _config(chosen, loaded, images, limit, seed, tokens)) as run, run.store() as store:
        store.add_model(vlm.name, identity_of(vlm))
        store.add_samples(loaded.samples)
        store.add_queries(loaded.queries)
        store.add_gold(loaded.gold)
        generation = GenerationConfig(max_new_tokens=tokens, batch_size=batch_size)

        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(f"ask {vlm.name}", done, total)

        ask(vlm, store, loaded.pictures, generation, told)
        failures = store.failures(vlm.name)
    accounting = getattr(vlm, "accounting", None)
    if accounting is not None:
        log.info(accounting.summary())
    if failures:
        log.warning(
            "%d of %d queries have no response from %s; the first (%s): %s; run the same command again to retry",
            len(failures),
            len(loaded.queries),
            vlm.name,
            failures[0].query_id[:80],
            failures[0].reason,
        )
    return run


def _config(
    suite: Suite, loaded: LoadedSuite, images: Path | None, limit: int | None, seed: int, max_new_tokens: int
) -> dict[str, Any]:
    """Return the configuration of such a run; reports find the pictures by `data` and `images`."""
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
    """Return the SHA-256 of all queries and reference answers, for data that is not one file."""
    asked = [*map(astuple, loaded.queries), *map(astuple, loaded.gold)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
