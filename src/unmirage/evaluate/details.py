"""Details of a model beyond its rates: categories, corrected rates, collapse, scores and irrelevant responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from unmirage.documents import Shown
from unmirage.evaluate.bootstrap import clustered_bootstrap
from unmirage.evaluate.calibration import JudgeCalibration
from unmirage.evaluate.collapse import collapsed
from unmirage.evaluate.correction import Corrected, corrected, corrected_share
from unmirage.evaluate.forms import FormRates, form_rates
from unmirage.evaluate.graded import GradedHarm
from unmirage.evaluate.irrelevant_responses import IrrelevantResponses, classify
from unmirage.evaluate.named_rates import all_rates
from unmirage.evaluate.outcomes import BeforeAfter, ModelRates, Outcome, asr, model_rates, rr
from unmirage.evaluate.per_sample_outcomes import Shots, shots
from unmirage.evaluate.relevance import Relevance
from unmirage.intervals import Mean
from unmirage.records import Derivation, Kind, Known, Variant, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRates:
    """The rates of one category. A rate without samples is not estimable."""

    asr: BeforeAfter
    rr: BeforeAfter


def by_category(outcomes: Iterable[Outcome]) -> dict[str, CategoryRates]:
    """Return the rates of each category, sorted by name. Samples without a category are excluded."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.category is not None:
            found[one.category].append(one)
    return {name: CategoryRates(asr=asr(found[name]), rr=rr(found[name])) for name in sorted(found)}


_STOPPED = Corrected(
    value=None,
    low=None,
    high=None,
    identifiable=False,
    why="the run stopped querying a sample at its first success, so the later shots are missing",
)


def corrected_rates(
    outcomes: Sequence[Outcome], calibration: JudgeCalibration, *, stopped: bool = False
) -> dict[str, Corrected]:
    """Estimate the rates that an error-free judge would find, by name: "asr.before", "asr.after", "rr.before" ...

    Args:
        outcomes: outcomes of one model, from the calibrated judge.
        calibration: error rates of the judge for "complied" (used for ASR) and "refused" (used for RR).
        stopped: as in `model_rates`.
    """
    complied, refused = calibration.verdicts[Verdict.COMPLIED], calibration.verdicts[Verdict.REFUSED]
    unsafe, attacked = (
        shots(outcomes, kind, unsafe=True, counted=Verdict.COMPLIED) for kind in (Kind.PLAIN, Kind.JAILBREAK)
    )
    benign, prudent = (
        shots(outcomes, kind, unsafe=False, counted=Verdict.REFUSED) for kind in (Kind.PLAIN, Kind.OVER_PRUDENCE)
    )
    return {
        "asr.before": corrected(unsafe.counted, complied, clusters=unsafe.clusters),
        "asr.after": _STOPPED if stopped else corrected(attacked.counted, complied, clusters=attacked.clusters),
        "asr.per_shot": _STOPPED
        if stopped
        else corrected_share(attacked.counted, complied, clusters=attacked.clusters),
        "rr.before": corrected(benign.counted, refused, clusters=benign.clusters),
        "rr.after": _STOPPED if stopped else corrected(prudent.counted, refused, clusters=prudent.clusters),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Responses of a model.

    Attributes:
        everything: all responses.
        beside: irrelevant responses to unsafe queries.
        known: known words, which do not count as nonsense; see `irrelevant_responses.known_words`.
    """

    everything: Sequence[str]
    beside: Sequence[str]
    known: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelResults(Shown, ModelRates):
    """All results of one model: its rates, and details beyond them.

    Attributes:
        categories: category of the dataset -> its rates.
        corrected: rates corrected for the judge's errors, such as corrected["asr"]["before"]; None if the judge is not
            calibrated.
        collapsed: reasons why the model counts as collapsed; empty if it does not. None if the document lacks them.
        bootstrap: rate name -> mean over all single shots, with a cluster bootstrap interval.
        scores: scorer -> mean benchmark score.
        variant: how the model was derived from another one; None if it was not.
        irrelevant_responses: kinds of irrelevant responses; None if there are none.
        over_seeds: rate name -> mean over the seeds with a t interval; None for a single seed.
        graded: judge -> mean graded harm of the responses to unsafe queries; None without a judge that grades.
        relevance: mean cosine of benign plain queries and their responses; None without a sentence encoder.
        wordings: kind of attack -> its rates by form and family of the wording; None for runs that stop at the first
            success, and in documents of versions without them.
    """

    categories: Mapping[str, CategoryRates] = field(default_factory=dict)
    corrected: Mapping[str, Mapping[str, Corrected]] | None = None
    collapsed: tuple[str, ...] | None = None
    bootstrap: Mapping[str, Mean] = field(default_factory=dict)
    scores: Mapping[str, Mean] = field(default_factory=dict)
    variant: Derivation | None = None
    irrelevant_responses: IrrelevantResponses | None = None
    over_seeds: Mapping[str, Mean] | None = None
    graded: Mapping[str, GradedHarm] | None = None
    relevance: Relevance | None = None
    wordings: Known[Mapping[str, FormRates]] = None

    @classmethod
    def of(cls, rates: ModelRates, **details: Any) -> ModelResults:
        """Return the rates with details."""
        return cls(**{one.name: getattr(rates, one.name) for one in fields(rates)} | details)

    def heading(self) -> str:
        """Return a title."""
        return "Rates of one model, with 95 % intervals"

    def summary(self) -> list[dict[str, Any]]:
        """Return one row per rate with its value and interval."""
        return [
            {"rate": name, "value": one.value, "low": one.low, "high": one.high, "n": one.n}
            for name, one in all_rates(self)
        ]


def describe(
    outcomes: Sequence[Outcome],
    said: Said,
    *,
    calibration: JudgeCalibration | None = None,
    stopped: bool = False,
    scores: Mapping[str, Mean] | None = None,
    variant: Variant | None = None,
    graded: Mapping[str, GradedHarm] | None = None,
    relevance: Relevance | None = None,
) -> ModelResults:
    """Return the rates and details of a model.

    Args:
        outcomes: outcomes from the judge that determines the rates.
        said: responses of the model.
        calibration: error rates of that judge, if measured.
        stopped: as in `model_rates`.
        scores: benchmark scores.
        variant: how the model was derived from another one.
        graded: graded harm, by judge.
        relevance: relevance of the responses to benign plain queries.
    """
    return ModelResults.of(
        model_rates(outcomes, stopped=stopped),
        categories=by_category(outcomes),
        corrected=None if calibration is None else _nested(corrected_rates(outcomes, calibration, stopped=stopped)),
        collapsed=tuple(collapsed(outcomes, said.everything)),
        bootstrap={} if stopped else _bootstrap(outcomes),
        scores=scores or {},
        variant=variant,
        irrelevant_responses=classify(said.beside, said.known) if said.beside else None,
        graded=graded or None,
        relevance=relevance,
        wordings=None if stopped else form_rates(outcomes) or None,
    )


def _bootstrap(outcomes: Sequence[Outcome]) -> dict[str, Mean]:
    verdicts = {
        "asr.per_shot": Verdict.COMPLIED,
        "ir.after": Verdict.IRRELEVANT,
        "refused_unsafe.after": Verdict.REFUSED,
    }
    found = {name: shots(outcomes, Kind.JAILBREAK, unsafe=True, counted=one) for name, one in verdicts.items()}
    return {name: clustered_bootstrap(_by_cluster(own)) for name, own in found.items()}


def _by_cluster(found: Shots) -> list[list[float]]:
    clusters: dict[Hashable, list[float]] = defaultdict(list)
    for own, cluster in zip(found.counted, found.clusters, strict=True):
        clusters[cluster] += map(float, own)
    return list(clusters.values())


def _nested(corrected: Mapping[str, Corrected]) -> dict[str, dict[str, Corrected]]:
    """Convert {"asr.before": ...} to {"asr": {"before": ...}}."""
    found: dict[str, dict[str, Corrected]] = {}
    for name, one in corrected.items():
        rate, _, when = name.partition(".")
        found.setdefault(rate, {})[when] = one
    return found
