"""A rewriter with a meaning check: rewrites that lose the meaning are replaced by the next candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unmirage.attack.rewriters.base import Progress, Rewriter, RewriteReport, Wanted
from unmirage.attack.rewriters.meaning import MeaningCheck

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
        self._report = RewriteReport(rewriter=self.name)

    @property
    def report(self) -> RewriteReport:
        """Return how many rewrites were kept, and how many were dropped before enough were found."""
        return self._report

    def reword(self, wanted: Sequence[Wanted], progress: Progress | None = None) -> list[list[str]]:
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
        self._report = self._report.plus(queries=1, asked=wanted.shots, kept=len(chosen), dropped_meaning=dropped)
        return chosen
