"""Detect refusals by phrase. This is the project's only list of refusal phrases."""

from unmirage.text.refusals.rules import declining_phrase, refusal_phrase
from unmirage.text.refusals.starts import DEFAULT_STARTS, MOST_STARTS, prefix_free, starts_for, starts_from
from unmirage.text.language import is_foreign

def is_refusal(answer: str) -> bool:
    """Return whether `answer` is a refusal."""
    return refusal_phrase(answer) is not None


def answer_label(answer: str) -> bool | None:
    if is_refusal(answer):
        return True
    return None if not answer.strip() or is_foreign(answer) else False
