"""Score responses with the published rules of benchmarks, without a judge."""

from unmirage.evaluate.scoring.answers import eval_ai, plain_words
from unmirage.evaluate.scoring.letters import named_letter
from unmirage.evaluate.scoring.run import SCORERS, Scorer, mean_scores, score_run
from unmirage.evaluate.scoring.vqa import submitted_accuracy, textvqa_accuracy, vqa_accuracy

__all__ = [
    "SCORERS",
    "Scorer",
    "eval_ai",
    "mean_scores",
    "named_letter",
    "plain_words",
    "score_run",
    "submitted_accuracy",
    "textvqa_accuracy",
    "vqa_accuracy",
]
