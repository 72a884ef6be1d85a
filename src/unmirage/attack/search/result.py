"""What a search found, and the JSON document that says so (schema `unmirage.search/1`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from unmirage.attack.search.config import Form, Method, SearchKind
from unmirage.intervals import Mean
from unmirage.run.result import Result

SCHEMA = "unmirage.search/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWord:
    """One word of the best.

    Attributes:
        word: lower-cased.
        found: mean probability of refusal where it was found: too good to be true, as it was chosen for it.
        reported: the same on the other half, in the search's form.
        rewritten: the same for the rewriter's first wording; None where the word cannot open an English request.
        in_data: does it open any query of the data?
    """

    word: str
    found: float
    reported: Mean
    rewritten: Mean | None
    in_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the found words stand beside, on the reporting half.

    Attributes:
        name: "as it is", "no opener" (replacement only), or a word.
        reported, rewritten, in_data: as for `FoundWord`; `in_data` is None where it is no word.
    """

    name: str
    reported: Mean
    rewritten: Mean | None = None
    in_data: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SearchResult(Result):
    """The best words of a search, best first, and what they stand beside.

    Attributes:
        model: its name.
        method, kind, form: as configured.
        budget_used: queries that the model was asked to find the words; those to report on are not in it.
        found_on, reported_on: samples in the two halves.
        words_known: words there were to choose from.
        words_tried: words that the model was asked about, exactly or, with the gradient, to first order.
        starts: how refusals begin.
        words: the best.
        baselines: the queries as they are, without their opener, and with known words.
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
        """Return what was searched for."""
        return (
            f"Openers for {self.model} ({self.kind}, {self.form}): "
            f"probability of refusal on {self.reported_on} held-out samples"
        )

    def summary(self) -> list[dict[str, Any]]:
        """Return the baselines and the words, with their probability of refusal."""
        told = [(one.name, one.reported) for one in self.baselines] + [(one.word, one.reported) for one in self.words]
        return [{"opener": name, "p_refusal": one.value, "low": one.low, "high": one.high} for name, one in told]

    def rows(self) -> list[dict[str, Any]]:
        """Return the same rows."""
        return self.summary()

    def to_json(self) -> dict[str, Any]:
        """Return the document; probabilities are shares between 0 and 1 with their 95 % interval."""
        plain = asdict(self)
        words = [
            {"word": one.word, "found": one.found, **_limits(one.reported), "in_data": one.in_data}
            | {"rewritten": None if one.rewritten is None else _limits(one.rewritten)}
            for one in self.words
        ]
        baselines = [
            {"name": one.name, **_limits(one.reported), "in_data": one.in_data}
            | {"rewritten": None if one.rewritten is None else _limits(one.rewritten)}
            for one in self.baselines
        ]
        return {"schema": SCHEMA, **plain, "starts": list(self.starts), "words": words, "baselines": baselines}


def _limits(found: Mean) -> dict[str, float | None]:
    return {"reported": found.value, "low": found.low, "high": found.high}
