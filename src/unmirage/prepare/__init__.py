"""Prepare unlearning data: a forget set of harmful model responses and a retain set of safe samples."""

from unmirage.prepare.choose import Assessment, Candidate, Choice, LeftOut, choose
from unmirage.prepare.judges import HarmJudge, VerdictJudge, make_harm_judge
from unmirage.prepare.plan import KINDS, RETAIN_SIZE, Plan, PrepareConfig, UnsafeKind
from unmirage.prepare.run import Answerer, Inputs, harmful_answers, prepare

__all__ = [
    "KINDS",
    "RETAIN_SIZE",
    "Answerer",
    "Assessment",
    "Candidate",
    "Choice",
    "HarmJudge",
    "Inputs",
    "LeftOut",
    "Plan",
    "PrepareConfig",
    "UnsafeKind",
    "VerdictJudge",
    "choose",
    "harmful_answers",
    "make_harm_judge",
    "prepare",
]
