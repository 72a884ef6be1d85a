"""Rewrite queries by rules: deterministic and offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unmirage.attack.rewriters.base import Rewriter, RewriteReport, Wanted
from unmirage.errors import UserError
from unmirage.run.progress import StepProgress
from unmirage.text.english.meaning import kept
from unmirage.text.english.rewriter import paraphrase, rewrite
from unmirage.text.english.wordings import Wordings
from unmirage.text.language import is_foreign
from unmirage.text.openers import opener


class Encoder(Protocol):
    """Maps each text to a unit vector, for example `unmirage.models.encoders.SentenceEncoder`."""

    def encode(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Return (texts, size)."""
        ...


class MeaningCheck:
    """Accepts rewrites that keep enough of the query.

    Args:
        words: minimum share of the query's content words that a rewrite must keep; 0 disables this check.
        encoder: sentence encoder; None checks words only.
        similarity: minimum cosine similarity of rewrite and query, if there is an encoder.
        encoder_name: distinguishes encoders in `key`, for example the folder's name.
    """

    def __init__(
        self, words: float = 0.6, encoder: Encoder | None = None, similarity: float = 0.7, encoder_name: str = "encoder"
    ) -> None:
        for name, value in (("share of words", words), ("similarity", similarity)):
            if not 0 <= value <= 1:
                raise UserError(f"meaning check: {name} {value:g} is not between 0 and 1; use a value in that range")
        self._words = words
        self._encoder = encoder
        self._similarity = similarity
        self._encoder_name = encoder_name

    @property
    def key(self) -> str:
        """Return a text that is equal for checks with equal settings."""
        key = f"words>={self._words:g}"
        return key if self._encoder is None else f"{key}, {self._encoder_name}>={self._similarity:g}"

    def passes(self, query: str, rewrites: Sequence[str]) -> list[bool]:
        """Return for each rewrite whether it keeps the meaning of `query`."""
        passed = [kept(query, text) >= self._words for text in rewrites]
        if self._encoder is None or not any(passed):
            return passed
        vectors = self._encoder.encode([query, *rewrites])
        near = vectors[1:] @ vectors[0] >= self._similarity
        return [both and bool(one) for both, one in zip(passed, near, strict=True)]


class RuleRewriter:
    """Wraps the rule-based rewriter of `unmirage.text`, without checks; `Checked` adds them.

    The rules support English only. Queries in another language get no rewrites, and are counted in the report.

    Args:
        wordings: families and order of the attacks' wordings; None uses "insert". Rewrites of attacks are `Wording`
            texts, with their family.
    """

    name = "rules"

    def __init__(self, wordings: Wordings | None = None) -> None:
        self.report = RewriteReport(rewriter=self.name)
        self._wordings = wordings or Wordings()

    def reword(self, wanted: Sequence[Wanted], progress: StepProgress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each request; fewer if the rules have no more."""
        found = []
        for done, one in enumerate(wanted, start=1):
            found.append(self._reworded(one))
            foreign = is_foreign(one.query)
            self.report = self.report.plus(queries=1, asked=one.shots, kept=len(found[-1]), other_language=foreign)
            if progress is not None:
                progress(done, len(wanted))
        return found

    def _reworded(self, wanted: Wanted) -> list[str]:
        if wanted.aim is None:
            return (paraphrase if wanted.goal == "avoid" else rewrite)(wanted.query, wanted.word, wanted.shots)
        if wanted.goal == "avoid":
            return self._wordings.control(wanted.query, wanted.word, wanted.shots, wanted.aim)
        return [*self._wordings.of(wanted.query, wanted.word, wanted.shots, wanted.aim)]


# Candidates requested per rewrite, plus a reserve.
_TIMES = 2
_SPARE = 4


class Checked:
    """Returns the first rewrites of `rewriter` that pass `check`.

    Use it with fast rewriters: it requests more rewrites than needed.
    """

    def __init__(self, rewriter: Rewriter, check: MeaningCheck) -> None:
        self.name = rewriter.name
        self._rewriter = rewriter
        self._check = check
        self.report = RewriteReport(rewriter=self.name)  # those dropped before enough were found count too

    def reword(self, wanted: Sequence[Wanted], progress: StepProgress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each request that keep the meaning; fewer if no more do."""
        generous = [replace(one, shots=_TIMES * one.shots + _SPARE) for one in wanted]
        offered = self._rewriter.reword(generous, progress)
        return [self._chosen(one, texts) for one, texts in zip(wanted, offered, strict=True)]

    def _chosen(self, wanted: Wanted, texts: Sequence[str]) -> list[str]:
        chosen: list[str] = []
        dropped = 0
        for text, passed in zip(texts, self._check.passes(wanted.query, texts), strict=True):
            if len(chosen) == wanted.shots:
                break
            if passed:
                chosen.append(text)
            else:
                dropped += 1
        foreign = not texts and is_foreign(wanted.query)
        avoids = wanted.goal == "avoid"
        moved = sum(opener(text) != opener(wanted.query) for text in chosen) if avoids else 0
        counts = {
            "kept": len(chosen), "dropped_meaning": dropped, "other_opener": moved, "other_language": foreign,
        }  # fmt: skip
        self.report = self.report.plus(queries=1, asked=wanted.shots, **counts)
        return chosen
