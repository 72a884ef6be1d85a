"""Records that the packages exchange: samples, queries, responses, verdicts, scores, rates and findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

from annotated_types import Ge, Le
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

# Numbers of documents.
Share = Annotated[float, Ge(0), Le(1)]
Difference = Annotated[float, Ge(-1), Le(1)]  # of two shares
Count = Annotated[int, Ge(0)]
Amount = Annotated[float, Ge(0)]
T = TypeVar("T")
# A field of an object that its document does not have.
Unwritten = Annotated[T, SkipJsonSchema(), Field(exclude=True)]
# "stated": by the user, for all samples of a file; "none": the sample has no label.
LabelSource = Literal["field", "answer", "stated", "none"]
Role = Literal["system", "user", "assistant"]
Direction = Literal["refusal", "answer", "none"]
FeatureKind = Literal["word", "ngram", "shape", "template", "image"]
# "opener", "any", "shape", "template" or "image"; a number is an index into the words, negative from the end.
Position = str | int


class Verdict(StrEnum):
    """What a response did. `INVALID`: the judge gave no verdict; such responses are counted, but are in no rate."""

    COMPLIED = "complied"
    REFUSED = "refused"
    IRRELEVANT = "irrelevant"
    INVALID = "invalid"


class Kind(StrEnum):
    """Why a query is sent: as it is in the data, rewritten by an attack or a control, or to measure utility.

    `CONTROL` rewords the query as often as the attack does, without the attack's word. `NEUTRAL` rewords it with a
    word that is not associated with either label. `INSERTION` puts the attack's word before the unchanged query.
    `REPLACEMENT` puts it in place of the first word. These two are baselines that need no rewriter. `NEIGHBOR` is
    neighbor utility: harmless questions about the topics that the model must refuse or forget.
    """

    PLAIN = "plain"
    JAILBREAK = "jailbreak"
    OVER_PRUDENCE = "over-prudence"
    CONTROL = "control"
    NEUTRAL = "neutral"
    INSERTION = "insertion"
    REPLACEMENT = "replacement"
    UTILITY = "utility"
    NEIGHBOR = "neighbor"


class Cluster(NamedTuple):
    """What dependent samples share.

    Attributes:
        by: kind of the shared thing.
        name: identifier of the shared thing.
    """

    by: Literal["group", "picture", "record"]
    name: str


class Placed(NamedTuple):
    """A picture within a text.

    Attributes:
        image: path relative to the image root.
        at: number of characters of the text before the picture.
    """

    image: str
    at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A system prompt, or an earlier turn of a conversation, with its pictures."""

    role: Role
    text: str
    images: tuple[Placed, ...] = ()


def placed_from(values: Iterable[tuple[str, int]]) -> tuple[Placed, ...]:
    """Return pictures that were written as JSON."""
    return tuple(Placed(*one) for one in values)


def turns_from(values: Iterable[tuple[Role, str, list[tuple[str, int]]]]) -> tuple[Turn, ...]:
    """Return turns that were written as JSON."""
    return tuple(Turn(role, text, placed_from(images)) for role, text, images in values)


class Pictured:
    """What samples and queries share: the pictures of a text and of the turns before it."""

    __slots__ = ()
    image: str | None
    images: tuple[Placed, ...]
    context: tuple[Turn, ...]

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Return the pictures within the text itself, in order."""
        return self.images or (() if self.image is None or self.context_has_images else (Placed(self.image, 0),))

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of all pictures of the conversation, in order, with repeats."""
        return tuple(one.image for turn in self.context for one in turn.images) + tuple(
            one.image for one in self.placed
        )

    @property
    def context_has_images(self) -> bool:
        """Return whether an earlier turn has a picture."""
        return any(turn.images for turn in self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Pictured):
    """One query of a dataset, with its reference answer.

    Attributes:
        id: unique within its dataset.
        record: id of the source record. K shots of a prebuilt attack set share one record.
        query: the user's text, without image placeholders.
        answer: the answer in the data, with its reasoning if it has any; empty if there is none.
        image: path of the conversation's first picture, relative to the dataset's image root; None for text alone.
        refused: True if a model should refuse the query; None if the data do not tell.
        label_source: source of `refused`: a "field" of the data, the phrase judge on the "answer", "stated" by the
            user, or "none".
        category: the dataset's harm category, if any.
        group: identifier of dependent samples, such as questions about one device; None if the data have no groups.
        images: the pictures within the query, in order; empty if there is none, or only `image` before the text.
        context: system prompt and earlier turns; empty for a query without them.
        rejected: an answer that the data call worse than `answer`, or bad; empty if there is none.
    """

    id: str
    record: str
    query: str
    answer: str = ""
    image: str | None = None
    refused: bool | None
    label_source: LabelSource
    category: str | None = None
    group: str | None = None
    images: tuple[Placed, ...] = ()
    context: tuple[Turn, ...] = ()
    rejected: str = ""

    @property
    def cluster(self) -> Cluster:
        """Return the cluster of this sample: its group, else its picture, else its record."""
        if self.group is not None:
            return Cluster("group", self.group)
        return Cluster("record", self.record) if self.image is None else Cluster("picture", self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The samples of one file, the folder of their pictures, and the format of the file."""

    samples: tuple[Sample, ...]
    source: Path
    format: str
    image_root: Path

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def label_source(self) -> str:
        """Return "field", "answer", "mixed" if the samples differ, or "none" without samples."""
        return label_source_of({sample.label_source for sample in self.samples})


def label_source_of(sources: Collection[LabelSource]) -> str:
    """Return the source of the labels: "mixed" if the sources differ, "none" without any."""
    if not sources:
        return "none"
    return next(iter(sources)) if len(sources) == 1 else "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Pictured):
    """One text to send to a model, with the sample that it comes from.

    Attributes:
        id: unique within a run; made of sample, kind and shot.
        sample_id: the source sample; all shots of one sample share it.
        kind: plain, or the attack (or control) that rewrote the query.
        shot: 0-based index among the K rewrites of one sample.
        text: text of the query.
        image: path of the conversation's first picture, relative to the image root; None for text alone.
        unsafe: True if a safe model should not comply.
        word: the word (or words) that the attack adds, or that its control avoids; None if there is none.
        images, context: as in `Sample`.
    """

    id: str
    sample_id: str
    kind: Kind
    shot: int
    text: str
    image: str | None
    unsafe: bool
    word: str | None = None
    images: tuple[Placed, ...] = ()
    context: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A model's response to a query. `finished` is False if the token limit truncated it."""

    query_id: str
    model: str
    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query without a response from a model, and the reason. The next run sends it again."""

    query_id: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's verdict on one response; `why` gives the reason."""

    query_id: str
    model: str
    judge: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Reference answers to a query, for the scoring rules of a published benchmark.

    Attributes:
        query_id: the query.
        answers: the annotators' answers, with repeats; for multiple choice, the letter of the correct option.
        choices: the options of multiple choice, in order from A.
    """

    query_id: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Correctness of a response from 0 to 1, by a benchmark's own rule; `why` gives the compared texts."""

    query_id: str
    model: str
    scorer: str
    value: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a model was derived from another one.

    Attributes:
        of: the original model.
        kind: "relearned", "int8", "temperature" or "no adapter".
        data: fine-tuning data, such as "forget"; empty if there is none.
        amount: number of fine-tuning samples, or the temperature; 0 if neither applies.
    """

    of: str
    kind: str
    data: str = ""
    amount: Amount = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Derivation):
    """A modified copy of a model, to test whether its safety survives the change. `model` is its name in tables."""

    model: str


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
    """

    value: Share | None
    low: Share | None
    high: Share | None
    k: Count | Amount
    n: Count
    invalid: Count = 0
    clusters: Count | None = None
    design_effect: Amount | None = None


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
