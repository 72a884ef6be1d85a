"""Rewrite queries by rules: deterministic and offline."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.attack.rewriters.base import Progress, RewriteReport, Wanted
from unmirage.text.rewriter import paraphrase, rewrite

_REWORD = {"open": rewrite, "avoid": paraphrase}


class RuleRewriter:
    """Wraps the rule-based rewriter of `unmirage.text`, without checks; `Checked` adds them."""

    name = "rules"

    def __init__(self) -> None:
        self._report = RewriteReport(rewriter=self.name)

    @property
    def report(self) -> RewriteReport:
        """Return how many rewrites were requested and made."""
        return self._report

    def reword(self, wanted: Sequence[Wanted], progress: Progress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each request; fewer if the rules have no more."""
        found = []
        for done, one in enumerate(wanted, start=1):
            found.append(_REWORD[one.goal](one.query, one.word, one.shots))
            self._report = self._report.plus(queries=1, asked=one.shots, kept=len(found[-1]))
            if progress is not None:
                progress(done, len(wanted))
        return found
