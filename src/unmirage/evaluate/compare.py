"""Compare rates on the same samples: each model before and after the attack, and each model with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmirage.evaluate.decided import RATES, Decided
from unmirage.evaluate.paired import Paired, holm, paired

ByRate = Mapping[str, Decided]
ATTACKED = ("asr", "rr", "benign_answered")


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a rate of a model."""

    model: str
    rate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two rates on the same samples. `p_holm` is corrected for all comparisons in the table (Holm 1979)."""

    a: Side
    b: Side
    paired: Paired
    p_holm: float | None

    def to_json(self) -> dict[str, Any]:
        """Return JSON-compatible values, as under `comparisons` in results.json."""
        found = self.paired
        return {
            "a": {"model": self.a.model, "rate": self.a.rate},
            "b": {"model": self.b.model, "rate": self.b.rate},
            "n": found.n,
            "only_a": found.only_a,
            "only_b": found.only_b,
            "difference": found.difference,
            "low": found.low,
            "high": found.high,
            "p_value": found.p_value,
            "p_holm": self.p_holm,
            "clusters": found.clusters,
            "design_effect": found.design_effect,
        }


def compare(models: Mapping[str, ByRate], reference: str | None = None) -> list[Comparison]:
    """Compare each model before and after the attack, and each other model with the reference.

    Args:
        models: model name -> rate -> decision for each sample.
        reference: model that all others are compared with; None selects the first model.
    """
    both = sides(list(models), reference or next(iter(models), ""))
    tested = [(a, b, pair(models[a.model][a.rate], models[b.model][b.rate])) for a, b in both]
    tested = [one for one in tested if one[2].n]
    adjusted = holm([found.p_value for _, _, found in tested])
    return [Comparison(a=a, b=b, paired=found, p_holm=p) for (a, b, found), p in zip(tested, adjusted, strict=True)]


def pair(a: Decided, b: Decided) -> Paired:
    """Compare the decisions on the samples that both sides have.

    If the two sides have different clusters, as with a run made before groups were recorded, the coarser ones apply.
    """
    known = [{key: one.cluster for key, one in own.items() if key in a and key in b} for own in (a, b)]
    clusters = min(known, key=lambda own: len(set(own.values())))
    first, second = ({key: one.yes for key, one in own.items()} for own in (a, b))
    return paired(first, second, clusters)


def sides(models: Sequence[str], reference: str) -> list[tuple[Side, Side]]:
    """Return the pairs to compare: each model before and after the attack, then the reference with each other model."""
    attacked = [(Side(model, f"{rate}.before"), Side(model, f"{rate}.after")) for model in models for rate in ATTACKED]
    others = [(Side(reference, rate), Side(model, rate)) for model in models if model != reference for rate in RATES]
    return attacked + others
