"""Evaluation: responses become verdicts, verdicts become rates."""

from unmirage.evaluate.agreement import Agreement, agreement
from unmirage.evaluate.judges import JUDGES, ExactJudge, Judge, PhraseJudge, make_judge
from unmirage.evaluate.outcomes import BeforeAfter, ModelRates, Outcome, join, model_rates
from unmirage.evaluate.results import Results
from unmirage.evaluate.run import judge_run, judged_outcomes

__all__ = [
    "JUDGES",
    "Agreement",
    "BeforeAfter",
    "ExactJudge",
    "Judge",
    "ModelRates",
    "Outcome",
    "PhraseJudge",
    "Results",
    "agreement",
    "join",
    "judge_run",
    "judged_outcomes",
    "make_judge",
    "model_rates",
]
