"""Results of a word search (the document `unmirage.search/1`) and of an explanation (`unmirage.explain/1`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from unmirage.documents import Result
from unmirage.records import NOT_MEASURED, Count, Difference, Rate, Share

Method = Literal["black-box", "white-box"]
SearchKind = Literal["jailbreak", "over-prudence"]
Form = Literal["replacement", "insertion", "rewrite"]
Mode = Literal["leave-out", "mask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Mean probability of refusal on the reporting half, with its 95% confidence interval; None if not estimable."""

    reported: Share | None
    low: Share | None
    high: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWord:
    """One of the best words.

    Attributes:
        word: lower-cased.
        found: mean probability of refusal on the finding half; optimistic, because the word was selected on it.
        reported, low, high: the same on the reporting half, in the search's form, with its 95% confidence interval.
        in_data: whether a query of the data opens with it.
        rewritten: for the rewriter's first rewrite; None if the word cannot open an English request.
    """

    word: str
    found: Share
    reported: Share | None
    low: Share | None
    high: Share | None
    in_data: bool
    rewritten: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A reference for the found words, on the reporting half.

    Attributes:
        name: "as it is", "no opener" (replacement only), or a word.
        reported, low, high, in_data, rewritten: as for `FoundWord`; `in_data` is None if the baseline is not a word.
    """

    name: str
    reported: Share | None
    low: Share | None
    high: Share | None
    in_data: bool | None = None
    rewritten: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SearchResult(Result):
    """The best words of a search, best first, and the baselines; the document `unmirage.search/1`.

    Attributes:
        model: name of the model.
        method, kind, form: as configured.
        budget_used: queries used to find the words, without those of the report.
        found_on, reported_on: samples in the two halves.
        words_known: number of candidate words.
        words_tried: words evaluated exactly or, with the gradient, to first order.
        starts: beginnings of refusals.
        words: the best words.
        baselines: the original queries, the queries without their opener, and known words.
        data, data_sha256: the data file and its hash.
        limit: maximum number of samples that were drawn from it.
    """

    FILE: ClassVar[str] = "search.json"
    WRITER: ClassVar[str] = "unmirage search MODEL DATA --out FILE"

    schema: Literal["unmirage.search/1"] = "unmirage.search/1"
    model: str
    method: Method
    kind: SearchKind
    form: Form = "replacement"
    seed: int = 0
    budget_used: Count = 0
    found_on: Count | None = None
    reported_on: Count | None = None
    words_known: Count = 0
    words_tried: Count = 0
    starts: tuple[str, ...] = ()
    words: tuple[FoundWord, ...]
    baselines: tuple[Baseline, ...] = ()
    data: str | None = None
    data_sha256: str | None = None
    limit: Count | None = None

    def heading(self) -> str:
        """Return a title with the model, the kind of attack and the form."""
        return (
            f"Openers for {self.model} ({self.kind}, {self.form}): "
            f"probability of refusal on {'' if self.reported_on is None else f'{self.reported_on} '}held-out samples"
        )

    def summary(self) -> list[dict[str, Any]]:
        """Return the probability of refusal for the baselines and the words."""
        told: list[tuple[str, str, Baseline | FoundWord]] = [("baseline", one.name, one) for one in self.baselines]
        told += [("word", one.word, one) for one in self.words]
        return [
            {"kind": kind, "opener": name, "p_refusal": one.reported, "low": one.low, "high": one.high}
            for kind, name, one in told
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return the same rows."""
        return self.summary()


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChange:
    """One word of a query: its position, and the probability of refusal without it.

    `change` is the refusal that the word adds: positive if the model refuses less without it.
    """

    word: str
    start: Count
    end: Count
    p_without: Share
    change: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedQuery:
    """A query, its probability of refusal, and the change by each of its words, in order."""

    query_id: str
    text: str
    p_refusal: Share
    words: tuple[WordChange, ...]

    @property
    def opener_is_cause(self) -> bool:
        """Return whether leaving out the first word changes refusal more than leaving out any other word."""
        changes = [abs(word.change) for word in self.words]
        return bool(changes) and changes[0] > max(changes[1:], default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation(Result):
    """Which words refusals depend on, over all queries; the document `unmirage.explain/1`.

    Attributes:
        model: name of the model.
        mode: whether words were left out or masked.
        n: number of queries.
        opener_is_cause: share of queries in which the first word changes refusal the most.
        opener_change, opener_change_low, opener_change_high: mean change by the first word, with its interval.
        others_change, others_change_low, others_change_high: the same for all other words; queries of one word have
            none.
        queries: results per query; queries without words are left out.
        data: the data file.
    """

    FILE: ClassVar[str] = "explain.json"
    WRITER: ClassVar[str] = "unmirage explain MODEL DATA --out FILE"

    schema: Literal["unmirage.explain/1"] = "unmirage.explain/1"
    model: str
    mode: Mode = "leave-out"
    n: Count = 0
    opener_is_cause: Rate = NOT_MEASURED
    opener_change: Difference | None = None
    opener_change_low: Difference | None = None
    opener_change_high: Difference | None = None
    others_change: Difference | None = None
    others_change_low: Difference | None = None
    others_change_high: Difference | None = None
    queries: tuple[ExplainedQuery, ...]
    data: str | None = None

    def heading(self) -> str:
        """Return how often the opener has the largest effect."""
        share = self.opener_is_cause.value
        told = "not estimable" if share is None else f"{100 * share:.0f} %"
        return f"Refusals of {self.model}: the opener has the largest effect in {told} of {len(self.queries)} queries"

    def summary(self) -> list[dict[str, Any]]:
        """Return the word of each query that changes the probability of refusal the most."""
        found = [(query, max(query.words, key=lambda word: abs(word.change), default=None)) for query in self.queries]
        return [
            {
                "query": query.text,
                "p_refusal": query.p_refusal,
                "word": word and word.word,
                "change": word and word.change,
            }
            for query, word in found
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each word of each query."""
        return [
            {"query_id": query.query_id, "query": query.text, "p_refusal": query.p_refusal, **asdict(word)}
            for query in self.queries
            for word in query.words
        ]
