"""Judge the responses of a run and compute attack success, refusal and utility rates."""

from unmirage.evaluate.agreement import JudgeQuality, agreement
from unmirage.evaluate.judges import JUDGES, ExactJudge, Judge, PhraseJudge, make_judge
from unmirage.evaluate.k_curve import any_of_k, k_curve, pooled_shots, shot_rates
from unmirage.evaluate.missing import Gaps, find_gaps
from unmirage.evaluate.outcomes import BeforeAfter, ModelRates, Outcome, join, model_rates
from unmirage.evaluate.results import Results
from unmirage.evaluate.run import judge_run, judged_outcomes, stops_at_success

__all__ = [
    "JUDGES",
    "BeforeAfter",
    "ExactJudge",
    "Gaps",
    "Judge",
    "JudgeQuality",
    "ModelRates",
    "Outcome",
    "PhraseJudge",
    "Results",
    "agreement",
    "any_of_k",
    "find_gaps",
    "join",
    "judge_run",
    "judged_outcomes",
    "k_curve",
    "make_judge",
    "model_rates",
    "pooled_shots",
    "shot_rates",
    "stops_at_success",
]
