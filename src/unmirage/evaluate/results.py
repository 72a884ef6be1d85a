"""Rates in, the `unmirage.results/1` document out. Everything a table or a report shows is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from unmirage.evaluate.agreement import Agreement
from unmirage.evaluate.outcomes import ModelRates
from unmirage.records import Kind, Rate

SCHEMA = "unmirage.results/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that one evaluation found.

    Attributes:
        judge: the judge behind every rate.
        seeds: the seeds that are pooled; one, where nothing was repeated.
        models: name -> rates, pooled over the seeds.
        by_seed: for each seed, name -> rates of that seed alone.
        attack: words and shots.
        judges: name -> how far another judge agrees with `judge`.
        settings, machine, timings: what made these figures; seconds by stage.
    """

    judge: str
    seeds: Sequence[int]
    models: Mapping[str, ModelRates]
    by_seed: Sequence[Mapping[str, ModelRates]]
    attack: Mapping[str, Any]
    judges: Mapping[str, Agreement] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values in the published schema; rates are objects with value, low, high, k, n, invalid."""
        return {
            "schema": SCHEMA,
            "seeds": list(self.seeds),
            "judge": self.judge,
            "attack": dict(self.attack),
            "models": {name: _model_json(rates) for name, rates in self.models.items()},
            "by_seed": [
                {"seed": seed, "models": {name: _model_json(rates) for name, rates in models.items()}}
                for seed, models in zip(self.seeds, self.by_seed, strict=True)
            ],
            "judges": {name: asdict(found) for name, found in self.judges.items()},
            "settings": dict(self.settings),
            "machine": dict(self.machine),
            "timings": {stage: round(seconds, 1) for stage, seconds in self.timings.items()},
        }


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
        "ir": both(rates.ir.before, rates.ir.after),
        "refused_unsafe": both(rates.refused_unsafe.before, rates.refused_unsafe.after),
        "utility": asdict(rates.utility),
        "near": asdict(rates.near),
        "invalid": rates.invalid,
    }
