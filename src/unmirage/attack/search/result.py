"""Result of a word search, and its JSON document (schema `unmirage.search/1`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from unmirage.attack.search.config import Form, Method, SearchKind
from unmirage.intervals import Mean
from unmirage.run.result import Result

SCHEMA = "unmirage.search/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWord:
    """One of the best words.

    Attributes:
        word: lower-cased.
        found: mean probability of refusal on the finding half; optimistic, because the word was selected on it.
        reported: the same on the reporting half, in the search's form.
        rewritten: the same for the rewriter's first rewrite; None if the word cannot open an English request.
        in_data: whether a query of the data opens with it.
    """

    word: str
    found: float
    reported: Mean
    rewritten: Mean | None
    in_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A reference for the found words, on the reporting half.

    Attributes:
        name: "as it is", "no opener" (replacement only), or a word.
        reported, rewritten, in_data: as for `FoundWord`; `in_data` is None if the baseline is not a word.
    """

    name: str
    reported: Mean
    rewritten: Mean | None = None
    in_data: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SearchResult(Result):
    """The best words of a search, best first, and the baselines.

    Attributes:
        method, kind, form: as configured.
        budget_used: queries used to find the words, without those of the report.
        found_on, reported_on: samples in the two halves.
        words_known: number of candidate words.
        words_tried: words evaluated exactly or, with the gradient, to first order.
        starts: beginnings of refusals.
        baselines: the original queries, the queries without their opener, and known words.
    """

    model: str
    method: Method
    kind: SearchKind
    form: Form
    seed: int
    budget_used: int
    found_on: int
    reported_on: int
    words_known: int
    words_tried: int
    starts: tuple[str, ...]
    words: tuple[FoundWord, ...]
    baselines: tuple[Baseline, ...]

    def heading(self) -> str:
        """Return a title with the model, the kind of attack and the form."""
        return (
            f"Openers for {self.model} ({self.kind}, {self.form}): "
            f"probability of refusal on {self.reported_on} held-out samples"
        )

    def summary(self) -> list[dict[str, Any]]:
        """Return the probability of refusal for the baselines and the words."""
        told = [(one.name, one.reported) for one in self.baselines] + [(one.word, one.reported) for one in self.words]
        return [{"opener": name, "p_refusal": one.value, "low": one.low, "high": one.high} for name, one in told]

    def rows(self) -> list[dict[str, Any]]:
        """Return the same rows."""
        return self.summary()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document; probabilities are between 0 and 1, with 95% confidence intervals."""
        plain = asdict(self)
        words = [{"word": one.word, "found": one.found} | _measured(one) for one in self.words]
        baselines = [{"name": one.name} | _measured(one) for one in self.baselines]
        return {"schema": SCHEMA, **plain, "starts": list(self.starts), "words": words, "baselines": baselines}


def _measured(one: FoundWord | Baseline) -> dict[str, Any]:
    rewritten = None if one.rewritten is None else _limits(one.rewritten)
    return {**_limits(one.reported), "in_data": one.in_data, "rewritten": rewritten}


def _limits(found: Mean) -> dict[str, float | None]:
    return {"reported": found.value, "low": found.low, "high": found.high}
