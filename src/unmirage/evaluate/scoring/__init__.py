"""Score responses with the published rules of benchmarks, without a judge."""

from unmirage.evaluate.scoring.answers import (
    SCORERS,
    Scorer,
    eval_ai,
    mean_scores,
    named_letter,
    plain_words,
    score_run,
    submitted_accuracy,
    textvqa_accuracy,
    vqa_accuracy,
)

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
