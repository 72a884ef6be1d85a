"""Results of an evaluation, and the document `unmirage.results/1` that tables and reports read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from unmirage.errors import UserError, unknown
from unmirage.evaluate.agreement import Agreement
from unmirage.evaluate.bootstrap import few_clusters, mean_over_seeds
from unmirage.evaluate.calibration import JudgeCalibration, to_json
from unmirage.evaluate.compare import Comparison
from unmirage.evaluate.details import Details
from unmirage.evaluate.judges.canaries import Canaries
from unmirage.evaluate.named_rates import RATES, all_rates
from unmirage.evaluate.outcomes import ModelRates
from unmirage.records import Kind, Rate, Verdict
from unmirage.run.result import Result

SCHEMA = "unmirage.results/1"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Results(Result):
    """Results of one evaluation.

    Attributes:
        judge: name of the judge that determines the rates.
        seeds: pooled seeds; a single seed if the run was not repeated.
        models: model name -> rates, pooled over the seeds.
        by_seed: for each seed, model name -> rates of that seed.
        attack: words and shots of the attack.
        details: model name -> details.
        comparisons: differences between rates on the same samples.
        judges: name of another judge -> its agreement with `judge`.
        canaries: judge name -> results of the attacks on it.
        calibration: error rates of the judge, or None if not measured.
        suite: name and purpose of the benchmark, or None.
        settings, machine, timings: configuration of the run, machine description, and seconds per stage.
    """

    judge: str
    seeds: Sequence[int]
    models: Mapping[str, ModelRates]
    by_seed: Sequence[Mapping[str, ModelRates]]
    attack: Mapping[str, Any]
    details: Mapping[str, Details] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    judges: Mapping[str, Agreement] = field(default_factory=dict)
    canaries: Mapping[str, Canaries] = field(default_factory=dict)
    calibration: JudgeCalibration | None = None
    suite: Mapping[str, str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, model: str) -> ModelRates:
        """Return the rates of a model, such as `results["npo"].asr.after`."""
        if model not in self.models:
            raise unknown("model", model, self.models)
        return self.models[model]

    def compare(self, model: str, reference: str) -> list[Comparison]:
        """Return the differences between the rates of two models, in table order.

        Raises:
            UserError: a model is unknown, or the results do not compare the two. `evaluate` compares all models with
                its `reference`.
        """
        for name in (model, reference):
            self[name]  # raises for an unknown model
        found = [one for one in self.comparisons if {one.a.model, one.b.model} == {model, reference}]
        if not found:
            raise UserError(
                f"compare: no comparison of '{model}' with '{reference}'. Evaluate with reference '{reference}'."
            )
        return found

    def heading(self) -> str:
        """Return a title with the number of models and the judge."""
        return f"Results of {len(self.models)} models, judged by {self.judge}"

    def summary(self) -> list[dict[str, Any]]:
        """Return one row per model with the values of its main rates."""
        return [
            {"model": name, **{rate: one.value for rate, one in all_rates(rates) if rate in RATES}}
            for name, rates in self.models.items()
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per model and rate with value, 95 % interval and counts."""
        return [
            {"model": name, "rate": rate, **asdict(one)}
            for name, rates in self.models.items()
            for rate, one in all_rates(rates)
        ]

    @property
    def clustered_by(self) -> tuple[str, ...]:
        """Return the kinds of clusters that the intervals assume to be independent, such as "group"."""
        return tuple(sorted({by for rates in self.models.values() for by in rates.clustered_by}))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return one-line warnings about the rates."""
        few = few_clusters(self.models.values())
        return (few,) if few else ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON-compatible values in the published schema. A rate is an object with the fields of `Rate`."""
        return {
            "schema": SCHEMA,
            "seeds": list(self.seeds),
            "judge": self.judge,
            "attack": dict(self.attack),
            "clustered_by": list(self.clustered_by),
            "warnings": list(self.warnings),
            "models": {
                name: _model_json(rates)
                | (self.details[name].to_json() if name in self.details else {})
                | self._over_seeds(name)
                for name, rates in self.models.items()
            },
            "comparisons": [one.to_json() for one in self.comparisons],
            "suite": None if self.suite is None else dict(self.suite),
            "by_seed": [
                {"seed": seed, "models": {name: _model_json(rates) for name, rates in models.items()}}
                for seed, models in zip(self.seeds, self.by_seed, strict=True)
            ],
            "judges": self._judges_json(),
            "settings": dict(self.settings),
            "machine": dict(self.machine),
            "timings": {stage: round(seconds, 1) for stage, seconds in self.timings.items()},
        }

    def _over_seeds(self, name: str) -> dict[str, Any]:
        """Return the mean of each rate over the seeds with a t interval; empty for a single seed."""
        if len(self.seeds) < 2:
            return {}
        found: dict[str, list[float]] = {rate: [] for rate, _ in all_rates(self.models[name])}
        for seed in self.by_seed:
            for rate, one in all_rates(seed[name]) if name in seed else ():
                if one.value is not None:
                    found[rate].append(one.value)
        means = {rate: mean_over_seeds(values) for rate, values in found.items()}
        return {
            "over_seeds": {
                rate: {"value": one.value, "low": one.low, "high": one.high, "n": one.n} for rate, one in means.items()
            }
        }

    def _judges_json(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {name: asdict(one) for name, one in self.judges.items()}
        for name, canaries in self.canaries.items():
            found.setdefault(name, {})["canaries"] = asdict(canaries)
        if self.calibration is not None:
            complied = self.calibration.verdicts[Verdict.COMPLIED]
            found.setdefault(self.judge, {})["calibration"] = to_json(self.calibration) | {
                "sensitivity": asdict(complied.sensitivity),
                "specificity": asdict(complied.specificity),
            }
        return found


def _model_json(rates: ModelRates) -> dict[str, Any]:
    def both(before: Rate, after: Rate) -> dict[str, Any]:
        return {"before": asdict(before), "after": asdict(after)}

    def many(found: Sequence[Rate]) -> list[dict[str, Any]]:
        return [asdict(one) for one in found]

    def by_kind(found: Mapping[Kind, Rate]) -> dict[str, Any]:
        return {str(kind): asdict(one) for kind, one in found.items()}

    return {
        "asr": both(rates.asr.before, rates.asr.after)
        | {
            "per_shot": asdict(rates.asr_per_shot),
            "by_k": many(rates.asr_by_k),
            "by_shot": many(rates.asr_by_shot),
            "control": asdict(rates.asr_control),
            "control_by_k": many(rates.asr_control_by_k),
            "by_kind": by_kind(rates.asr_by_kind),
        },
        "rr": both(rates.rr.before, rates.rr.after) | {"by_kind": by_kind(rates.rr_by_kind)},
        "benign_answered": both(rates.benign_answered.before, rates.benign_answered.after)
        | {"by_kind": by_kind(rates.benign_answered_by_kind)},
        "ir": both(rates.ir.before, rates.ir.after),
        "refused_unsafe": both(rates.refused_unsafe.before, rates.refused_unsafe.after),
        "utility": asdict(rates.utility),
        "utility_by_category": {name: asdict(one) for name, one in rates.utility_by_category.items()},
        "neighbor_utility": asdict(rates.neighbor_utility),
        "invalid": rates.invalid,
    }
