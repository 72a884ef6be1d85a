"""What flows between the rooms: Sample -> Query -> Response (or Failure) -> Judgement or Score -> Rate, and Finding."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

LabelSource = Literal["field", "answer"]
Direction = Literal["refusal", "answer", "none"]
FeatureKind = Literal["word", "ngram", "shape", "template", "image"]
# "opener", "any", "shape", "template" or "image"; a number is an index into the words, negative from the end.
Position = str | int


class Verdict(StrEnum):
    """What a response did. `INVALID`: no verdict could be had; it leaves the denominator and is counted."""

    COMPLIED = "complied"
    REFUSED = "refused"
    IRRELEVANT = "irrelevant"
    INVALID = "invalid"


class Kind(StrEnum):
    """Why a query is asked: as the data has it, rewritten by an attack or its control, or to measure utility.

    `CONTROL` rewords as often as the attack, without its word; `NEUTRAL` rewords with a word that is tied to
    nothing. `INSERTION` puts the attack's word before the query as it is, `REPLACEMENT` in the place of its first
    word: baselines that need no rewriter. `NEAR` is utility next to what is to be refused or forgotten: harmless
    questions about the same things.
    """

    PLAIN = "plain"
    JAILBREAK = "jailbreak"
    OVER_PRUDENCE = "over-prudence"
    CONTROL = "control"
    NEUTRAL = "neutral"
    INSERTION = "insertion"
    REPLACEMENT = "replacement"
    UTILITY = "utility"
    NEAR = "near"


class Cluster(NamedTuple):
    """What samples share that are not independent of each other.

    Attributes:
        by: what kind of thing it is.
        name: which one.
    """

    by: Literal["group", "picture", "record"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One query of a dataset, with the answer that the dataset gives to it.

    Attributes:
        id: unique within its dataset.
        record: id of the record it was read from. K shots of a frozen attack set share one record.
        query: the user's text, without image placeholders.
        answer: the answer in the data; empty where there is none.
        image: path relative to the dataset's image root; None for text-only queries.
        refused: is this query meant to be refused?
        label_source: where `refused` comes from: a "field" of the data, or the phrase judge on the "answer".
        category: the data's own harm category, if any.
        group: samples of one group are not independent of each other, such as questions about one device; None
            where the data names no groups.
    """

    id: str
    record: str
    query: str
    answer: str = ""
    image: str | None = None
    refused: bool
    label_source: LabelSource
    category: str | None = None
    group: str | None = None

    @property
    def cluster(self) -> Cluster:
        """Return what this sample shares with others: its group, else its picture, else its record."""
        if self.group is not None:
            return Cluster("group", self.group)
        return Cluster("record", self.record) if self.image is None else Cluster("picture", self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The samples of one file, where their pictures lie, and how the file was read."""

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
        """Return "field", "answer" or, where the samples differ, "mixed"; "none" without samples."""
        return label_source_of({sample.label_source for sample in self.samples})


def label_source_of(sources: Collection[LabelSource]) -> str:
    """Return the one source that all labels have, "mixed" if they have different ones, "none" without labels."""
    if not sources:
        return "none"
    return next(iter(sources)) if len(sources) == 1 else "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One text to ask a model, with the sample it was made from.

    Attributes:
        id: unique within a run: sample, kind and shot.
        sample_id: the sample behind it; all shots of one sample share it.
        kind: plain, or the attack (or control) that rewrote it.
        shot: 0-based index among the K rewrites of one sample.
        text: what is asked.
        image: path relative to the image root; None for text-only queries.
        unsafe: should a safe model refuse to comply?
        word: the word (or words) that the attack put in, or that its control avoids; None where there is none.
    """

    id: str
    sample_id: str
    kind: Kind
    shot: int
    text: str
    image: str | None
    unsafe: bool
    word: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a model said to a query. `finished` is False where the token limit cut it off."""

    query_id: str
    model: str
    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query that a model could not be asked, or did not answer, and why. It is asked again on the next run."""

    query_id: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's verdict on one response, and in `why` what it rests on."""

    query_id: str
    model: str
    judge: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """What the answer to a query is scored against, by the rules of a published benchmark.

    Attributes:
        query_id: the query.
        answers: what people answered, repeats included; of multiple choice, the letter of the right option.
        choices: the options of multiple choice, from A on.
    """

    query_id: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How far a response is right, from 0 to 1, by a benchmark's own rule, and in `why` what was compared."""

    query_id: str
    model: str
    scorer: str
    value: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A model made from another one to see whether its safety lasts. It answers under a name of its own.

    Attributes:
        model: its name in tables, such as "npo + int8".
        of: the model it was made from.
        kind: "relearned", "int8", "temperature" or "no adapter".
        data: what it was fine-tuned on, such as "forget"; empty where it was not.
        amount: samples it was fine-tuned on, or the temperature; 0 where neither.
    """

    model: str
    of: str
    kind: str
    data: str = ""
    amount: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share with its 95 % interval.

    Attributes:
        value: k / n between 0 and 1; None where n is 0 (not estimable).
        low, high: 95 % confidence limits; None where n is 0.
        k: successes; not whole where it is an expectation, as for any k of more shots.
        n: valid trials.
        invalid: trials without a verdict; they are not in n.
        clusters: independent clusters of trials that the interval assumes; None where that is not known.
        design_effect: the variance of the value, over that of the value of n independent trials; None where the
            clusters do not show it.
    """

    value: float | None
    low: float | None
    high: float | None
    k: float
    n: int
    invalid: int = 0
    clusters: int | None = None
    design_effect: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOdds:
    """A log odds ratio of refusal, with against without a feature, and its 95 % interval."""

    log_odds: float
    low: float
    high: float

    @property
    def direction(self) -> Direction:
        """Return what the feature goes with; "none" where the interval covers 0."""
        if self.low > 0:
            return "refusal"
        return "answer" if self.high < 0 else "none"

    @property
    def strength(self) -> float:
        """Return the end of the interval that is nearer to 0, as a distance from it; negative if 0 is inside.

        It ranks by the tie that the data support, so that neither a rare word with a huge estimate nor a
        frequent word with a weak one comes first.
        """
        return max(self.low, -self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """The feature that another one merely comes along with."""

    feature: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one surface feature of a query, or of its picture, goes with refusal.

    Attributes:
        feature: the word or words, or the name of the property.
        position: where it stands; see `Position`.
        kind: what it is.
        text: goes on with a sentence that starts with "Queries that".
        refused: refused queries that have the feature.
        answered: answered queries that have it.
        tie: log odds ratio over all queries (Haldane-Anscombe corrected, Woolf's interval).
        p_value: two-sided Fisher exact test.
        q_value: Benjamini-Hochberg over everything tested in the audit.
        given_opener: the same among queries that open alike (Mantel-Haenszel over openers); None where no
            opener has queries of both labels, with and without the feature.
        echo_of: the feature beyond which this one says nothing: its queries are the same, or nearly all of
            them open with one word and those of them that do are refused no more often than others that do.
        headline: is it one of the few to read first?
        refused_examples, answered_examples: queries that have it.
    """

    feature: str
    position: Position
    kind: FeatureKind
    text: str
    refused: int
    answered: int
    tie: LogOdds
    p_value: float
    q_value: float
    given_opener: LogOdds | None = None
    echo_of: Echo | None = None
    headline: bool = False
    refused_examples: tuple[str, ...] = ()
    answered_examples: tuple[str, ...] = ()

    @property
    def direction(self) -> Direction:
        """Return what it is tied to."""
        return self.tie.direction
