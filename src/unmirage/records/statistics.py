"""Numbers of documents, rates with intervals, and associations of features with refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Le
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.json_schema import SkipJsonSchema

# Numbers of documents.
Share = Annotated[float, Ge(0), Le(1)]
Difference = Annotated[float, Ge(-1), Le(1)]  # of two shares
Count = Annotated[int, Ge(0)]
Amount = Annotated[float, Ge(0)]
T = TypeVar("T")
# A field of an object that its document does not have.
Unwritten = Annotated[T, SkipJsonSchema(), Field(exclude=True)]


def _is_none(value: object) -> bool:
    return value is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCount:
    """Places of representations in a set, and how many of them are attention sinks."""

    places: Count
    sinks: Count


# A field that a document lacks where it is None.
Known = Annotated[T | None, Field(exclude_if=_is_none)]
Direction = Literal["refusal", "answer", "none"]
FeatureKind = Literal["word", "ngram", "shape", "template", "image"]
# "opener", "any", "shape", "template" or "image"; a number is an index into the words, negative from the end.
Position = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A proportion with its 95 % confidence interval.

    Attributes:
        value: k / n between 0 and 1; None where n is 0 (not estimable).
        low, high: 95 % confidence limits; None where n is 0.
        k: successes; fractional if it is an expectation, as for any k of more shots.
        n: valid trials.
        invalid: trials without a verdict; `n` does not include them.
        clusters: independent clusters of trials that the interval assumes; None if unknown.
        design_effect: variance of the value, divided by the variance for n independent trials; None if the clusters
            do not determine it.
        least, most: worst-case bounds, the minimum and maximum of the value over all verdicts that the missing ones
            could be; equal to the value if nothing is missing, in which case documents leave them out. None if there
            are no trials at all, and in documents of versions that had no bounds.
        cut: share of the responses behind the rate that the token limit or a content filter cut off; None if unknown.
    """

    value: Share | None
    low: Share | None
    high: Share | None
    k: Count | Amount
    n: Count
    invalid: Count = 0
    clusters: Count | None = None
    design_effect: Amount | None = None
    cut: Known[Share] = None
    least: Share | None = None
    most: Share | None = None

    def __post_init__(self) -> None:
        """Set the bounds to the value if no trial lacks a verdict."""
        for name in ("least", "most"):
            if getattr(self, name) is None and not self.invalid:
                object.__setattr__(self, name, self.value)

    @property
    def certain(self) -> bool:
        """Return whether no missing verdict could change the value."""
        return self.least == self.value == self.most

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {key: one for key, one in found.items() if key not in ("least", "most") or not self.certain}


NOT_MEASURED = Rate(value=None, low=None, high=None, k=0, n=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOdds:
    """Log odds ratio of refusal, with versus without a feature, and its 95 % confidence interval."""

    log_odds: float
    low: float
    high: float

    @property
    def direction(self) -> Direction:
        """Return the label that the feature is associated with; "none" if the interval covers 0."""
        if self.low > 0:
            return "refusal"
        return "answer" if self.high < 0 else "none"

    @property
    def strength(self) -> float:
        """Return the distance from 0 to the nearer end of the interval; negative if the interval covers 0.

        As a rank, it puts neither a rare word with a huge estimate nor a frequent word with a weak association first.
        """
        return max(self.low, -self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFeature:
    """The feature that explains another one."""

    feature: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleQueries:
    """Refused and answered queries with a feature."""

    refused: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Association of one surface feature of a query, or of its picture, with refusal.

    Attributes:
        feature: the word or words, or the name of the property.
        position: position in the query; see `Position`.
        kind: kind of the feature, a `FeatureKind`.
        text: completes a sentence that starts with "Queries that".
        refused, answered: numbers of refused and answered queries with the feature, copies included.
        refused_once, answered_once: the same numbers with each text counted once, as in the tests; None if unknown.
        log_odds, low, high: log odds ratio over all queries (Haldane-Anscombe correction, Woolf's interval).
        p_value: two-sided Fisher exact test.
        q_value: Benjamini-Hochberg over everything tested in the audit.
        direction: the label that the feature is associated with.
        given_opener: log odds ratio given the opener (Mantel-Haenszel); None if no opener allows a comparison.
        redundant_with: the feature that explains this one: it has the same queries, or is the opener of nearly all.
        headline: True for the few findings to read first.
        examples: queries with the feature.
    """

    feature: str
    position: Position
    kind: str = ""
    text: str = ""
    refused: Count
    answered: Count
    refused_once: Count | None = None
    answered_once: Count | None = None
    log_odds: float
    low: float
    high: float
    p_value: float | None = None
    q_value: float
    direction: Direction
    given_opener: LogOdds | None = None
    redundant_with: OtherFeature | None = None
    headline: bool = False
    examples: ExampleQueries = ExampleQueries()

    @property
    def tie(self) -> LogOdds:
        """Return the log odds ratio over all queries."""
        return LogOdds(log_odds=self.log_odds, low=self.low, high=self.high)
