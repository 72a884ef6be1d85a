"""The losses of the first 20 steps of each method are those that were written down.

A change that means to leave the losses alone is held to it here. One that means to change them writes them down anew
(`python -m tests.invariant.pin`), and the difference shows in its review. They are compared to a thousandth: another
processor or version of torch adds the same numbers up in another order, and 20 steps multiply what that leaves.
"""

from __future__ import annotations

import json
import os

import pytest
import torch
from tests.align.runs import LORA, method_config, run
from tests.invariant.pin import PINNED, WRITE

from unmirage.align import METHODS, AlignConfig

STEPS = 20
SETTINGS = {"learning_rate": 5e-4, "batch_size": 4, "steps": STEPS, "seed": 3}
RUNS = {name: AlignConfig(method=method_config(name), **SETTINGS) for name in METHODS} | {
    "npo, official": AlignConfig(
        method=method_config("npo", compat="official", retain_term="npo", beta=0.7), **SETTINGS
    ),
    "rmu, official": AlignConfig(method=method_config("rmu", compat="official"), **SETTINGS),
    "npo, lora": AlignConfig(method=method_config("npo"), lora=LORA, **SETTINGS | {"learning_rate": 5e-3}),
    "sft, by length": AlignConfig(method=method_config("sft"), order="by-length", **SETTINGS),
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _columns(parts: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [float(f"{step[name]:.6g}") for step in parts] for name in parts[0]}


def _write(name: str, found: dict[str, list[float]]) -> None:
    pinned = json.loads(PINNED.read_text("utf-8")) if PINNED.exists() else {}
    kept = {one: found if one == name else pinned[one] for one in RUNS if one == name or one in pinned}
    lines = [
        f"{json.dumps(run)}: {{\n"
        + ",\n".join(f"  {json.dumps(part)}: {json.dumps(losses)}" for part, losses in parts.items())
        + "\n}"
        for run, parts in kept.items()
    ]
    PINNED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_losses_are_those_that_were_written_down(tiny, name: str) -> None:
    found = _columns(run(tiny, RUNS[name]).parts)
    if os.environ.get(WRITE):
        _write(name, found)
    pinned = json.loads(PINNED.read_text("utf-8"))[name]
    assert found.keys() == pinned.keys()
    for part, losses in pinned.items():
        assert found[part] == pytest.approx(losses, rel=1e-3, abs=1e-5), part


def test_what_is_written_down_is_of_runs_that_move() -> None:
    """A pinned number is worth something where it changes from step to step, and is not lost in the tolerance."""
    pinned = json.loads(PINNED.read_text("utf-8"))
    assert pinned.keys() == RUNS.keys()
    for name, parts in pinned.items():
        for part, losses in parts.items():
            assert len(losses) == STEPS
            spread = max(losses) - min(losses)
            assert spread > 20 * (1e-3 * max(map(abs, losses)) + 1e-5), (name, part)
