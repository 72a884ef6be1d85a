"""One base model, one data set, other orders of training: how far do the demo's rates lie apart?

    unmirage demo --out unmirage-demo
    python benchmarks/training_noise.py unmirage-demo --json [--keep benchmarks/results/training_noise.json]

Each aligned model of the demo's first world is trained again from the same base, with the demo's settings, and nothing
changed but the seed, which orders the samples (and draws RMU's direction). Every one is asked the plain queries and
those of the attacks, and judged exactly. `over_orders` holds the least, the mean and the greatest rate, and the
standard deviation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from provenance import hand_on, made_by

from unmirage.align import align
from unmirage.evaluate import ExactJudge, judge_run, judged_outcomes, model_rates
from unmirage.models import HuggingFaceVLM, ask
from unmirage.records import Kind, Query, Sample
from unmirage.run import Store
from unmirage.testbed.settings import BASE, StudySettings
from unmirage.testbed.study import Study, open_study

WORLD = 0
KINDS = (Kind.PLAIN, Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.UTILITY, Kind.NEAR)


def questions(study: Study) -> tuple[list[Sample], list[Query]]:
    """Return what every model is asked, and the samples that it is about."""
    with study.run.store() as store:
        return list(store.samples()), [query for query in store.queries() if query.kind in KINDS]


def one_training(
    study: Study, name: str, order: int, samples: Sequence[Sample], asked: Sequence[Query]
) -> dict[str, Any]:
    """Train a model of the demo in another order; return its rates."""
    started = time.perf_counter()
    vlm = HuggingFaceVLM.load(study.run.model(BASE), name)
    align(vlm, study.learned_by(name), study.settings.models[name].model_copy(update={"seed": order}))
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        store.add_samples(samples)
        store.add_queries(asked)
        ask(vlm, store, study.images, study.settings.generation)
        judge = ExactJudge.from_file(study.run.data / "truth.json")
        judge_run(store, judge, name)
        rates = model_rates(judged_outcomes(store, judge.name, name))
    print(f"{name}, order {order}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return {
        "order": order,
        "asr.before": rates.asr.before.value,
        "asr.after": rates.asr.after.value,
        "rr.before": rates.rr.before.value,
        "rr.after": rates.rr.after.value,
        "utility": rates.utility.value,
        "near": rates.near.value,
    }


def spread(trainings: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return the least, the mean, the greatest and the standard deviation of each rate."""
    found = {}
    for column in trainings[0].keys() - {"order"}:
        values = [one[column] for one in trainings]
        found[column] = {"min": min(values), "mean": fmean(values), "max": max(values), "sd": stdev(values)}
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="run directory of `unmirage demo`")
    parser.add_argument("--models", nargs="+", default=list(StudySettings().models), help="which of the demo's")
    parser.add_argument("--orders", type=int, default=5, help="trainings of each, 2 at least")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    if options.orders < 2:
        parser.error("--orders: 2 at least")
    made, models = made_by(), {}
    with open_study(options.demo / f"seed-{WORLD}", StudySettings(), WORLD, lambda *_: None) as study:
        samples, asked = questions(study)
        for name in options.models:
            trainings = [one_training(study, name, order, samples, asked) for order in range(options.orders)]
            models[name] = {"over_orders": spread(trainings), "trainings": trainings}
    hand_on({"models": models, "world": WORLD, "queries": len(asked), **made}, options.keep)


if __name__ == "__main__":
    main()
