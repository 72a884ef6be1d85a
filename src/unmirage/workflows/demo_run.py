"""Find the responses and the attack of a run that `unmirage demo` made, so that other commands take it like any run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmirage.attack import AttackConfig
from unmirage.errors import UserError
from unmirage.evaluate.compare_runs import stores_of
from unmirage.run import Run
from unmirage.run.files import read_object
from unmirage.run.paths import quoted

_AUDIT = "audit.json"


def answered(run: Run) -> Run:
    """Return the run whose store has the responses: that of the world in a demo's run, any other run itself.

    Raises:
        UserError: a demo's run has several worlds, whose responses are in a folder each.
    """
    worlds = stores_of(run)
    if len(worlds) > 1:
        each = ", ".join(quoted(one.path) for one in worlds.values())
        raise UserError(f"{run.path}: has {len(worlds)} worlds, each with responses of its own; name one: {each}")
    return next(iter(worlds.values()), run)


def settings_of(run: Run) -> dict[str, Any]:
    """Return the configuration of a run, with the fields of `unmirage attack` also for the world of a demo."""
    config = run.config()
    audit = run.path / _AUDIT
    if "attack" in config or not {"seeds", "corpus", "shots"} <= set(config) or not audit.is_file():
        return config
    suggested = read_object(audit)["suggested"]
    attack = AttackConfig(
        shots=config["shots"],
        jailbreak_word=suggested["jailbreak"][0],
        over_prudence_word=suggested["over_prudence"][0],
    )
    generation: Mapping[str, Any] = config["generation"]
    return config | {
        "data": str(Path(config["images"]) / "test.json"),
        "seed": config["seeds"]["world"],
        "attack": attack.model_dump(mode="json"),
        "max_new_tokens": generation["max_new_tokens"],
    }
