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
from unmirage.errors import UserError
from unmirage.evaluate.lmms_eval import LmmsResults, run_lmms_eval
from unmirage.evaluate.suites import LoadedSuite, Suite, find_suite, load_suite
from unmirage.models import VLM, GenerationConfig, ask
from unmirage.run import Run, open_run
from unmirage.run.fingerprint import hashed_fields, sha256_of
from unmirage.run.progress import Progress, in_stage
from unmirage.workflows.arguments import PathLike, check_pictures
from unmirage.workflows.models import log_account, log_inside_thoughts, no_response, note_asked, thinking_setting

log = logging.getLogger(__name__)


def ask_suite(
    load: Callable[[], VLM],
    suite: str,
    data: PathLike | None,
    out: Path,
    *,
    images: PathLike | None = None,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Collect a model's missing responses to a suite, and return the run; see `unmirage.benchmark` for the arguments.

    Args:
        load: returns the model; called after the suite is read.

    Raises:
        UserError: the suite is unknown, or its data cannot be read.
    """
    folder = None if images is None else Path(images)
    chosen = find_suite(suite)
    loaded = load_suite(suite, None if data is None else str(data), images=folder, limit=limit, seed=seed)
    check_pictures(loaded.queries, loaded.pictures, loaded.image_root, f"Download them from {chosen.hub}, or pass")
    tokens = chosen.max_new_tokens if max_new_tokens is None else max_new_tokens
    vlm = load()
    config = _config(chosen, loaded, folder, limit, seed, tokens) | thinking_setting(vlm)
    with open_run(out, config) as run, run.store() as store:
        for note in loaded.notes:
            log.warning("%s", note)
        note_asked(vlm, store)
        store.add_samples(loaded.samples)
        store.add_queries(loaded.queries)
        store.add_gold(loaded.gold)
        generation = GenerationConfig(max_new_tokens=tokens, batch_size=batch_size)
        ask(vlm, store, loaded.pictures, generation, in_stage(progress, f"ask {vlm.name}"))
        failures = store.failures(vlm.name)
        log_inside_thoughts(store.responses(vlm.name))
    log_account(vlm)
    if missing := no_response(failures, len(loaded.queries)):
        log.warning("%s; run the same command again to retry", missing)
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
        "notes": list(loaded.notes) or None,
        "until_success": None,
        "max_new_tokens": max_new_tokens,
    }


def _digest(loaded: LoadedSuite) -> str:
    """Return the SHA-256 of all queries and reference answers, for data that is not one file."""
    asked = [*(tuple(hashed_fields(query).values()) for query in loaded.queries), *map(astuple, loaded.gold)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def run_lmms_tasks(
    model: str,
    tasks: str,
    out: Path,
    *,
    python: str = "python",
    batch_size: int | None = None,
    limit: int | None = None,
) -> LmmsResults:
    """Evaluate a model with lmms-eval, and write its metrics to lmms_eval.json; return that document.

    Args:
        model: directory or hub id.
        tasks: lmms-eval task names, separated by commas.
        out: output folder.
        python: Python of the environment that has lmms-eval.
        batch_size: questions per batch; None for 1.
        limit: maximum number of questions per task.
    """
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names:
        raise UserError("--lmms-eval: empty; name tasks of lmms-eval, separated by commas, such as mme,pope")
    found = run_lmms_eval(model, names, out, batch_size=batch_size or 1, limit=limit, python=python)
    results = LmmsResults(model=model, tasks=found)
    results.save(out / LmmsResults.FILE)
    return results
