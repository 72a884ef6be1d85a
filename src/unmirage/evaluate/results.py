"""Results of an evaluation, the document `unmirage.results/2`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MinLen
from pydantic import Field

from unmirage.documents import Result, without_none
from unmirage.errors import UserError, unknown
from unmirage.evaluate.agreement import JudgeQuality
from unmirage.evaluate.bootstrap import few_clusters, mean_over_seeds
from unmirage.evaluate.compare import Comparison
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.named_rates import RATES, all_rates
from unmirage.evaluate.outcomes import ModelRates
from unmirage.evaluate.relevance import MeanComparison
from unmirage.intervals import Mean
from unmirage.records import Amount
from unmirage.text.formatting import percent
from unmirage.text.printable import clean

_MEASURED = without_none("precision", "recall", "complied_precision", "canaries", "calibration")
_WORST_CASE = without_none("least", "most", "p_least", "p_most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Name and purpose of a benchmark."""

    name: str
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRates:
    """The rates of one seed."""

    seed: int
    models: Mapping[str, ModelRates]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Results(Result):
    """Results of one evaluation, the document `unmirage.results/2`; see `Results.of`.

    Attributes:
        seeds: pooled seeds; a single seed if the run was not repeated.
        judge: name of the judge that determines the rates.
        attack: words and shots of the attack.
        clustered_by: kinds of clusters that the intervals assume to be independent, such as "group".
        warnings: one-line warnings about the data and the rates.
        models: model name -> rates, pooled over the seeds, and details.
        comparisons: differences between rates on the same samples.
        relevance_comparisons: differences between the relevance of two models on the same queries.
        suite: the benchmark, or None.
        by_seed: rates of each seed.
        judges: judge name -> its quality, for other judges and for the calibrated one.
        settings, machine, timings: configuration of the run, machine description, and seconds per stage.
    """

    FILE: ClassVar[str] = "results.json"
    WRITER: ClassVar[str] = "unmirage evaluate RUN"

    schema: Literal["unmirage.results/2"] = "unmirage.results/2"
    seeds: Annotated[tuple[int, ...], MinLen(1)]
    judge: str
    attack: Mapping[str, Any] = field(default_factory=dict)
    clustered_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    models: Annotated[
        Mapping[str, Annotated[ModelResults, without_none("over_seeds", "graded", "relevance")]], MinLen(1)
    ]
    comparisons: tuple[Annotated[Comparison, _WORST_CASE], ...] = ()
    relevance_comparisons: Annotated[tuple[MeanComparison, ...], Field(exclude_if=lambda compared: not compared)] = ()
    suite: Suite | None = None
    by_seed: tuple[SeedRates, ...] = ()
    judges: Mapping[str, Annotated[JudgeQuality, _MEASURED]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, Amount] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        seeds: Sequence[int],
        models: Mapping[str, ModelRates],
        by_seed: Sequence[Mapping[str, ModelRates]],
        timings: Mapping[str, float] | None = None,
        notes: Sequence[str] = (),
        **others: Any,
    ) -> Results:
        """Return the results, with all that follows from the rates.

        Args:
            seeds: pooled seeds.
            models: model name -> rates, with or without details.
            by_seed: for each seed, model name -> rates of that seed.
            timings: seconds per stage.
            notes: warnings of the run about its data, which come first.
            others: further fields of the results.
        """
        few = few_clusters(models.values())
        found = {name: one if isinstance(one, ModelResults) else ModelResults.of(one) for name, one in models.items()}
        if len(seeds) > 1:
            found = {
                name: replace(one, over_seeds=_over_seeds(one, [seed[name] for seed in by_seed if name in seed]))
                for name, one in found.items()
            }
        return cls(
            seeds=tuple(seeds),
            clustered_by=tuple(sorted({by for one in models.values() for by in one.clustered_by})),
            warnings=(
                *notes,
                *([few] if few else []),
                *_missing(models.values()),
                *cut_off(found, others.get("settings") or {}),
            ),
            models=found,
            by_seed=tuple(SeedRates(seed=seed, models=own) for seed, own in zip(seeds, by_seed, strict=True)),
            timings={stage: round(seconds, 1) for stage, seconds in (timings or {}).items()},
            **others,
        )

    def __getitem__(self, model: str) -> ModelResults:
        """Return the rates of a model, such as `results["npo"].asr.after`."""
        if model not in self.models:
            raise unknown("model", model, self.models)
        return self.models[model]

    def compare(self, model: str, reference: str) -> list[Comparison | MeanComparison]:
        """Return the differences between the rates of two models, `model` minus `reference`, in table order.

        The last one is the difference of their relevance, if it was measured.

        Raises:
            UserError: a model is unknown, or the results do not compare the two. `evaluate` compares all models with
                its `reference`.
        """
        for name in (model, reference):
            self[name]  # raises for an unknown model
        if model == reference:
            raise UserError(f"compare: '{model}' is named twice. Name two models.")
        compared: tuple[Comparison | MeanComparison, ...] = (*self.comparisons, *self.relevance_comparisons)
        found = [one for one in compared if {one.a.model, one.b.model} == {model, reference}]
        if not found:
            raise UserError(
                f"compare: no comparison of '{model}' with '{reference}'. Evaluate with reference '{reference}'."
            )
        return [one if one.b.model == model else one.reversed() for one in found]

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __contains__(self, model: object) -> bool:
        return model in self.models

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


def _missing(models: Iterable[ModelRates]) -> Iterator[str]:
    """Yield what the numbers assume about missing verdicts, if there are any."""
    if missing := sum(one.invalid for one in models):
        yield (
            f"verdicts are missing on {missing} queries: intervals, paired tests and corrected rates assume that they "
            "are missing at random; the bounds (least, most) hold for any verdicts"
        )


_LEAST_CUT = 0.01  # smaller shares are shown beside the rates only


def cut_off(models: Mapping[str, ModelRates], settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each model whose responses the token limit cut off; blocked ones do not count."""
    limit = settings.get("max_new_tokens")
    advice = "collect them with a higher one" if "responses" in settings else "raise --max-new-tokens"
    for name, model in models.items():
        if model.truncated >= _LEAST_CUT:
            yield (
                f"{clean(name)}: the token limit{f' of {limit}' if limit else ''} cut off up to "
                f"{percent(model.truncated)} of the responses behind a rate; {advice}"
            )


def _over_seeds(model: ModelRates, seeds: Sequence[ModelRates]) -> dict[str, Mean] | None:
    """Return the mean of each rate over the seeds with a t interval; None for a single seed."""
    found: dict[str, list[float]] = {rate: [] for rate, _ in all_rates(model)}
    for own in seeds:
        for rate, one in all_rates(own):
            if one.value is not None:
                found[rate].append(one.value)
    return {rate: mean_over_seeds(values) for rate, values in found.items()}
