"""Measure the coverage of the 95 % intervals in simulated runs with known true rates.

    python benchmarks/interval_coverage.py --json [--runs 120] [--keep benchmarks/results/interval_coverage.json]

- wilson: one outcome per query. Exact: the sum of the probabilities of all counts whose interval contains the rate.
- grouped: 12, 24 or 48 clusters of about 22 queries, with success probabilities from a beta distribution such that the
  design effect is 1, 4 or 12. `grouped` is the interval of the reported rates, `independent` Wilson's interval for
  equally many independent queries.
- grouped, paired: the difference of two outcomes of the queries in such clusters, and the false alarms of the exact
  test.
- clustered, bootstrap: K shots per query, with success probabilities from a beta distribution, so that shots of one
  query are not independent (rho is their correlation). `pooled` is the rate of all single shots, `any` the rate of "any
  of k" with k about half of K. `clustered` is the interval of the reported rates, `bootstrap` the alternative.
- corrected: such shots judged with errors, corrected with a calibration that is simulated in each run.
- paired: the difference of two outcomes of the same queries, and the false alarms of the exact test.

It takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from provenance import made_by
from scipy.special import betaln
from scipy.stats import binom

from unmirage.evaluate.bootstrap import clustered_bootstrap
from unmirage.evaluate.compare import difference_interval, paired
from unmirage.evaluate.correction import Corrected, corrected, corrected_share
from unmirage.evaluate.error_rates import Calibration
from unmirage.evaluate.k_curve import any_of_k
from unmirage.intervals import clustered_rate, rate, wilson
from unmirage.run.files import write_text_atomic

QUERIES = (50, 150, 442)
SHOTS = (3, 10)
SHARES = (0.05, 0.2, 0.5, 0.9)
CORRELATIONS = (0.2, 0.7)
BOOTSTRAP_DRAWS = 1_000
WILSON = {"queries": (20, 50, 100, 200, 442), "shares": [round(step / 50, 2) for step in range(1, 50)]}
# sensitivity, specificity, labeled responses of each kind
JUDGES = ((0.8, 0.7, 200), (0.95, 0.95, 100), (0.99, 0.9, 50))
CORRECTED = {"shots": (1, 3, 10), "truths": ((0.05, 0.5), (0.3, 0.2), (0.8, 0.5))}
# chance of a yes in a only, and in b only
PAIRS = ((0.02, 0.02), (0.1, 0.1), (0.3, 0.3), (0.02, 0.1), (0.05, 0.4), (0.0, 0.3))
GROUPED = {"clusters": (12, 24, 48), "effects": (1, 4, 12), "shares": (0.05, 0.1, 0.3, 0.5, 0.8)}
GROUP_SIZE = 22  # queries of a cluster; with unequal sizes from 4 to 40
# Expected sum of squared sizes over the sum of sizes, of sizes drawn evenly from 4 to 40.
UNEQUAL = sum(size**2 for size in range(4, 41)) / sum(range(4, 41))
# share of yes on both sides without, and with, a difference
GROUPED_PAIRS = ((0.3, 0.3), (0.1, 0.4), (0.5, 0.8))
# Runs of these are quick: so many for each of --runs.
CLUSTERED_RUNS, PAIRED_RUNS, GROUPED_RUNS, GROUPED_PAIRED_RUNS = 3, 40, 10, 5

_LONG = ("grouped", "cells")

Cell = dict[str, Any]
Random = np.random.Generator


def wilson_cells() -> Iterator[Cell]:
    """Yield the exact coverage for each number of queries and share."""
    for n in WILSON["queries"]:
        limits = np.array([wilson(k, n) for k in range(n + 1)])
        for share in WILSON["shares"]:
            held = (limits[:, 0] <= share) & (share <= limits[:, 1])
            coverage = float(binom.pmf(np.arange(n + 1), n, share)[held].sum())
            yield {"queries": n, "share": share, "coverage": round(coverage, 4)}


def beta_of(share: float, correlation: float) -> tuple[float, float]:
    """Return the parameters of the beta distribution with this mean and correlation of trials."""
    both = (1 - correlation) / correlation
    return share * both, (1 - share) * both


def any_of(k: int, share: float, correlation: float) -> float:
    """Return the probability that any of k shots of a query succeeds."""
    a, b = beta_of(share, correlation)
    return float(1 - np.exp(betaln(a, b + k) - betaln(a, b)))


def clustered_cells(random: Random, runs: int) -> Iterator[Cell]:
    """Yield the coverage of both intervals for both rates, among the runs that have one (`told`)."""
    for shots, n, share, correlation in product(SHOTS, QUERIES, SHARES, CORRELATIONS):
        k = (shots + 1) // 2
        truth = {"pooled": share, "any": any_of(k, share, correlation)}
        curve = [any_of_k(shots, found, k) for found in range(shots + 1)]
        held = dict.fromkeys(product(truth, ("clustered", "bootstrap")), 0)
        told = dict.fromkeys(held, 0)
        for run in range(runs):
            found = random.binomial(shots, random.beta(*beta_of(share, correlation), n)).tolist()
            chances = [curve[one] for one in found]
            intervals = {
                ("pooled", "clustered"): clustered_rate(found, range(n), trials=[shots] * n),
                ("any", "clustered"): clustered_rate(chances, range(n), most=n * shots / k),
                ("pooled", "bootstrap"): clustered_bootstrap(
                    [[1.0] * one + [0.0] * (shots - one) for one in found], run, BOOTSTRAP_DRAWS
                ),
                ("any", "bootstrap"): clustered_bootstrap([[one] for one in chances], run, BOOTSTRAP_DRAWS),
            }
            for name, one in intervals.items():
                told[name] += one.low is not None
                held[name] += one.low is not None and one.low <= truth[name[0]] <= one.high
        for (which, interval), times in held.items():
            yield {
                "interval": interval,
                "rate": which,
                "shots": shots,
                "queries": n,
                "share": share,
                "correlation": correlation,
                "truth": round(truth[which], 4),
                "told": round(told[which, interval] / runs, 4),
                "coverage": share_of(times, told[which, interval]),
            }


def sizes_of(random: Random, clusters: int, *, equal: bool) -> NDArray[np.int64]:
    """Return the number of queries in each cluster."""
    return np.full(clusters, GROUP_SIZE) if equal else random.integers(4, 2 * GROUP_SIZE - 3, clusters)


def chances_of(random: Random, share: float, effect: float, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a success probability for each cluster, such that a rate has this design effect on average.

    A rate over clusters of sizes m has the design effect 1 + rho (sum m^2 / sum m - 1).
    """
    mean = GROUP_SIZE if np.ptp(sizes) == 0 else UNEQUAL
    correlation = (effect - 1) / (mean - 1)
    return random.beta(*beta_of(share, correlation), len(sizes)) if correlation else np.full(len(sizes), share)


def grouped_cells(random: Random, runs: int) -> Iterator[Cell]:
    """Yield the coverage of the clustered interval, and of Wilson's for independent queries."""
    for equal, clusters, effect, share in product((True, False), *GROUPED.values()):
        held = {"grouped": 0, "independent": 0}
        for _ in range(runs):
            sizes = sizes_of(random, clusters, equal=equal)
            found = random.binomial(sizes, chances_of(random, share, effect, sizes)).tolist()
            intervals = {
                "grouped": clustered_rate(found, range(clusters), trials=sizes.tolist()),
                "independent": rate(sum(found), int(sizes.sum())),
            }
            for name, one in intervals.items():
                held[name] += one.low <= share <= one.high
        for name, times in held.items():
            yield {
                "interval": name,
                "clusters": clusters,
                "design_effect": effect,
                "sizes": "equal" if equal else "unequal",
                "share": share,
                "coverage": share_of(times, runs),
            }


def grouped_paired_cells(random: Random, runs: int) -> Iterator[Cell]:
    """Yield the coverage of the paired interval in clusters, and the size of the exact test."""
    for equal, clusters, effect, (a, b) in product(
        (True, False), GROUPED["clusters"], GROUPED["effects"], GROUPED_PAIRS
    ):
        held = alarms = naive = 0
        for _ in range(runs):
            sizes = sizes_of(random, clusters, equal=equal)
            of = np.repeat(np.arange(clusters), sizes)
            both = [
                dict(enumerate((random.random(len(of)) < chances_of(random, share, effect, sizes)[of]).tolist()))
                for share in (a, b)
            ]
            found = paired(*both, dict(enumerate(of.tolist())))
            held += found.low <= b - a <= found.high
            if a == b:
                alarms += found.p_value < 0.05
                naive += paired(*both).p_value < 0.05
        cell = {
            "clusters": clusters,
            "design_effect": effect,
            "sizes": "equal" if equal else "unequal",
            "a": a,
            "b": b,
            "coverage": share_of(held, runs),
        }
        yield cell | (
            {"false_alarms": share_of(alarms, runs), "mcnemar_false_alarms": share_of(naive, runs)} if a == b else {}
        )


def corrected_cells(random: Random, runs: int) -> Iterator[Cell]:
    """Yield the coverage of corrected rates, among the runs in which they are identifiable."""
    for shots, n, (share, correlation), judge in product(CORRECTED["shots"], QUERIES, CORRECTED["truths"], JUDGES):
        truths: dict[str, tuple[float, Callable[..., Corrected]]] = {
            "any": (any_of(shots, share, correlation), corrected),
            "pooled": (share, corrected_share),
        }
        if shots == 1:
            del truths["pooled"]  # the same as any
        found: dict[str, list[Corrected]] = {name: [] for name in truths}
        for run in range(runs):
            judged, calibration = judged_run(random, shots, n, beta_of(share, correlation), judge)
            for name, (_, correct) in truths.items():
                found[name].append(correct(judged, calibration, run))
        for name, (truth, _) in truths.items():
            told = [one for one in found[name] if one.identifiable]
            held = sum(one.low <= truth <= one.high for one in told)
            yield {
                "rate": name,
                "shots": shots,
                "queries": n,
                "truth": round(truth, 4),
                "sensitivity": judge[0],
                "specificity": judge[1],
                "labeled": 2 * judge[2],
                "told": round(len(told) / runs, 4),
                "coverage": share_of(held, len(told)),
                "width": share_of(sum(one.high - one.low for one in told), len(told)),
            }


def judged_run(
    random: Random, shots: int, n: int, chances: tuple[float, float], judge: tuple[float, float, int]
) -> tuple[list[list[bool]], Calibration]:
    """Return a judge's verdicts on the shots of n queries, and a calibration of that judge."""
    sensitivity, specificity, labeled = judge
    truly = random.random((n, shots)) < random.beta(*chances, n)[:, None]
    judged = random.random((n, shots)) < np.where(truly, sensitivity, 1 - specificity)
    calibration = Calibration(
        sensitivity=rate(int(random.binomial(labeled, sensitivity)), labeled),
        specificity=rate(int(random.binomial(labeled, specificity)), labeled),
    )
    return judged.tolist(), calibration


def paired_cells(random: Random, runs: int) -> Iterator[Cell]:
    """Yield the coverage of the paired interval, and the size of the exact test."""
    for n, (only_a, only_b) in product(QUERIES, PAIRS):
        drawn = random.multinomial(n, (only_a, only_b, 1 - only_a - only_b), size=runs)
        held = found = 0
        for a, b, _ in drawn.tolist():
            low, high = difference_interval(a, b, n)
            held += low <= only_b - only_a <= high
            found += a + b > 0 and 2 * binom.cdf(min(a, b), a + b, 0.5) < 0.05
        cell = {"queries": n, "only_a": only_a, "only_b": only_b, "coverage": round(held / len(drawn), 4)}
        yield cell | ({"false_alarms": round(found / len(drawn), 4)} if only_a == only_b else {})


def share_of(part: float, whole: int) -> float | None:
    """Return a share with four decimals; None if the total is 0."""
    return round(part / whole, 4) if whole else None


def summary(cells: list[Cell]) -> Cell:
    """Return the mean and minimum coverage, and the number of settings outside 93 to 97 %."""
    coverage = [cell["coverage"] for cell in cells if cell["coverage"] is not None]
    return {
        "settings": len(coverage),
        "mean": round(float(np.mean(coverage)), 4),
        "least": min(coverage),
        "below_93": sum(one < 0.93 for one in coverage),
        "above_97": sum(one > 0.97 for one in coverage),
    }


def by_setting(cells: list[Cell]) -> list[Cell]:
    """Return the mean coverage over the shares, for each interval, sizes, number of clusters and design effect."""
    found: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        key = cell.get("interval", "paired"), cell["sizes"], cell["clusters"], cell["design_effect"]
        found.setdefault(key, []).append(cell)
    return [
        {
            "interval": interval,
            "sizes": sizes,
            "clusters": clusters,
            "design_effect": effect,
            "mean": round(float(np.mean([cell["coverage"] for cell in own])), 4),
            "least": min(cell["coverage"] for cell in own),
        }
        | {name: cell[name] for cell in own for name in ("false_alarms", "mcnemar_false_alarms") if name in cell}
        for (interval, sizes, clusters, effect), own in found.items()
    ]


def measure(runs: int, seed: int) -> Cell:
    """Return all coverages and their means."""
    random = np.random.default_rng(seed)
    cells = {
        "wilson": list(wilson_cells()),
        "grouped": list(grouped_cells(random, runs * GROUPED_RUNS)),
        "grouped, paired": list(grouped_paired_cells(random, runs * GROUPED_PAIRED_RUNS)),
        "clustered and bootstrap": list(clustered_cells(random, runs * CLUSTERED_RUNS)),
        "corrected": list(corrected_cells(random, runs)),
        "paired": list(paired_cells(random, runs * PAIRED_RUNS)),
    }
    of_shots = cells["clustered and bootstrap"]
    groups = {"wilson": cells["wilson"], "paired": cells["paired"]}
    for interval, which in product(("clustered", "bootstrap"), ("pooled", "any")):
        groups[f"{interval}, {which}"] = [c for c in of_shots if (c["interval"], c["rate"]) == (interval, which)]
    for shots in CORRECTED["shots"]:
        groups[f"corrected, {shots} shots"] = [c for c in cells["corrected"] if c["shots"] == shots]
    return {
        "summary": {name: summary(own) for name, own in groups.items()},
        "grouped": by_setting(cells["grouped"]) + by_setting(cells["grouped, paired"]),
        "cells": cells,
    }


def main() -> None:
    """Measure and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs",
        type=int,
        default=120,
        help="simulated runs of each setting of the corrected rate; the others have more",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--keep", type=Path, help="also write the figures, with the machine, to this file")
    options = parser.parse_args()
    start = time.perf_counter()
    found = measure(options.runs, options.seed)
    if options.keep:
        kept = {
            "command": f"python benchmarks/interval_coverage.py --runs {options.runs} --seed {options.seed}",
            **made_by(),
            "settings": {
                "runs": options.runs,
                "seed": options.seed,
                "runs_clustered": options.runs * CLUSTERED_RUNS,
                "runs_paired": options.runs * PAIRED_RUNS,
                "runs_grouped": options.runs * GROUPED_RUNS,
                "runs_grouped_paired": options.runs * GROUPED_PAIRED_RUNS,
                "bootstrap_draws": BOOTSTRAP_DRAWS,
            },
            "seconds": round(time.perf_counter() - start, 1),
            **found,
        }
        write_text_atomic(options.keep, rows_on_lines(kept))
    if options.json:
        print(json.dumps(found))
    else:
        for name, one in found["summary"].items():
            print(
                f"{name:<26} {one['settings']:>4} settings {one['mean']:>8.1%} on average {one['least']:>8.1%} at least"
            )
        print_grouped(found["grouped"])


def print_grouped(cells: list[Cell]) -> None:
    """Print the coverage in clusters by setting."""
    for one in cells:
        alarms = f" {one['false_alarms']:>7.1%} false alarms" if "false_alarms" in one else ""
        print(
            f"{one['interval']:<12} {one['sizes']:<8} {one['clusters']:>3} clusters, design effect "
            f"{one['design_effect']:>2} {one['mean']:>7.1%} on average {one['least']:>7.1%} at least{alarms}"
        )


def rows_on_lines(kept: Cell) -> str:
    """Return JSON with each setting on one line."""
    head = json.dumps({key: value for key, value in kept.items() if key not in _LONG}, indent=2).removesuffix("\n}")
    head += ',\n  "grouped": [\n' + ",\n".join(f"    {json.dumps(cell)}" for cell in kept["grouped"]) + "\n  ]"
    parts = [
        f'    "{name}": [\n' + ",\n".join(f"      {json.dumps(cell)}" for cell in own) + "\n    ]"
        for name, own in kept["cells"].items()
    ]
    return head + ',\n  "cells": {\n' + ",\n".join(parts) + "\n  }\n}\n"


if __name__ == "__main__":
    main()
