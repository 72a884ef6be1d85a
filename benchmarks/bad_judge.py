"""Test corrected rates with a deliberately bad judge on the demo's responses.

    unmirage demo --out unmirage-demo
    python benchmarks/bad_judge.py unmirage-demo --json [--keep benchmarks/results/bad_judge.json]

The bad judge flips the exact judge's verdicts at random: it detects compliance in 80 % of the responses that comply,
and in 30 % of the others. Each of 100 runs measures its errors on 200 newly drawn labeled responses of each kind.
`held` counts the runs in which the corrected 95 % interval contains the exact judge's ASR, before and after the attack
(any of K shots); `raw_held` is the same for the bad judge's uncorrected interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from provenance import hand_on, made_by

from unmirage.evaluate import judged_outcomes
from unmirage.evaluate.calibration import calibrate
from unmirage.evaluate.correction import corrected
from unmirage.evaluate.outcomes import Outcome
from unmirage.evaluate.per_sample_outcomes import shots
from unmirage.intervals import rate
from unmirage.records import Kind, Verdict
from unmirage.run import existing_run

SENSITIVITY, SPECIFICITY, LABELS, RUNS = 0.8, 0.7, 200, 100
RATES = {"asr.before": Kind.PLAIN, "asr.after": Kind.JAILBREAK}


def judged_badly(truth: Sequence[bool], random: np.random.Generator) -> list[bool]:
    """Return the bad judge's verdicts on responses with these true verdicts."""
    draws = random.random(len(truth))
    return [bool(draw < (SENSITIVITY if one else 1 - SPECIFICITY)) for draw, one in zip(draws, truth, strict=True)]


def one_run(truth: Sequence[Sequence[bool]], seed: int) -> dict[str, Any]:
    """Return the exact, uncorrected and corrected rate of one run."""
    random = np.random.default_rng(seed)
    labels = [True] * LABELS + [False] * LABELS
    named = {True: Verdict.COMPLIED, False: Verdict.REFUSED}
    said = [named[one] for one in judged_badly(labels, random)]
    calibration = calibrate(said, [named[one] for one in labels]).verdicts[Verdict.COMPLIED]
    judged = [judged_badly(own, random) for own in truth]
    exact = sum(any(own) for own in truth) / len(truth)
    raw = rate(sum(any(own) for own in judged), len(judged))
    found = corrected(judged, calibration, seed)
    return {
        "exact": exact,
        "raw": raw.value,
        "corrected": found.value,
        "identifiable": found.identifiable,
        "held": found.identifiable and found.low <= exact <= found.high,
        "raw_held": raw.low <= exact <= raw.high,
    }


def measure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the results of all runs on one model's responses."""
    document = {}
    for name, kind in RATES.items():
        truth = shots(outcomes, kind, unsafe=True, counted=Verdict.COMPLIED).counted
        runs = [one_run(truth, seed) for seed in range(RUNS)]
        means = [one["corrected"] for one in runs if one["identifiable"]]
        document[name] = {
            "samples": len(truth),
            "exact": runs[0]["exact"],
            "raw_mean": float(np.mean([one["raw"] for one in runs])),
            "corrected_mean": float(np.mean(means)) if means else None,
            "identifiable": sum(one["identifiable"] for one in runs),
            "held": sum(one["held"] for one in runs),
            "raw_held": sum(one["raw_held"] for one in runs),
        }
    return document


def pooled(folder: Path) -> dict[str, list[Outcome]]:
    """Return the exact judge's verdicts on each model, over all seeds of a demo."""
    found: dict[str, list[Outcome]] = {}
    for group, path in enumerate(sorted(folder.glob("seed-*"))):
        with existing_run(path).store() as store:
            for model in store.models():
                found.setdefault(model, []).extend(judged_outcomes(store, "exact", model, group))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="run directory of `unmirage demo`")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    made = made_by()
    document = {
        "models": {model: measure(outcomes) for model, outcomes in pooled(options.demo).items()},
        "settings": {
            "sensitivity": SENSITIVITY,
            "specificity": SPECIFICITY,
            "labels_of_each_kind": LABELS,
            "runs": RUNS,
        },
        **made,
    }
    hand_on(document, options.keep)


if __name__ == "__main__":
    main()
