"""All judges. A new one is one module here and one line in `JUDGES`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from unmirage.errors import UserError, unknown
from unmirage.evaluate.judges.base import Judge, judge_response
from unmirage.evaluate.judges.exact import ExactJudge
from unmirage.evaluate.judges.phrases import PhraseJudge

__all__ = ["JUDGES", "ExactJudge", "Judge", "PhraseJudge", "judge_response", "make_judge"]


def _phrases(argument: str) -> Judge:
    if argument:
        raise UserError(f"judge 'phrases' takes no argument, got '{argument}'")
    return PhraseJudge()


def _exact(argument: str) -> Judge:
    if not argument:
        raise UserError("judge 'exact' needs the ground truth; write exact:PATH/truth.json")
    return ExactJudge.from_file(Path(argument))


JUDGES: dict[str, Callable[[str], Judge]] = {"exact": _exact, "phrases": _phrases}


def make_judge(spec: str) -> Judge:
    """Return the judge that `spec` names: "phrases", or "exact:PATH/truth.json"."""
    name, _, argument = spec.partition(":")
    if name not in JUDGES:
        raise unknown("judge", name, JUDGES)
    return JUDGES[name](argument)
