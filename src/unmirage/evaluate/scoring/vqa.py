"""Compute the accuracy of an answer against ten human answers by the rules of VQA (Antol et al. 2015) and TextVQA."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.evaluate.scoring.answers import eval_ai, on_one_line, plain_words

_ENOUGH = 3  # number of matching human answers for full accuracy


def vqa_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return the accuracy by the official VQA evaluation (github.com/GT-Vision-Lab/VQA, vqaEval.py).

    Line breaks, tabs and surrounding spaces are always normalized. Punctuation, articles and numbers are normalized
    only if the human answers differ; if all are equal, the answer must match exactly. This is intended
    (github.com/GT-Vision-Lab/VQA/issues/14).
    """
    said, given = [on_one_line(one) for one in people], on_one_line(answer)
    if len(set(said)) > 1:
        said, given = [plain_words(one) for one in said], plain_words(given)
    return agreement(given, said)


def submitted_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return `vqa_accuracy` of the answer after the EvalAI processor, as LLaVA submits it."""
    return vqa_accuracy(eval_ai(answer), people)


def textvqa_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return the accuracy by TextVQA's evaluation (mmf, m4c_evaluator.py), with EvalAI processing of all answers."""
    return agreement(eval_ai(answer), [eval_ai(one) for one in people])


def agreement(given: str, said: Sequence[str]) -> float:
    """Return min(1, matching human answers / 3), averaged over all subsets that leave out one human answer.

    With ten human answers, 0, 1, 2, 3 and 4 matches give 0, 0.3, 0.6, 0.9 and 1.
    """
    alike = [one == given for one in said]
    count = sum(alike)
    return sum(min(1.0, (count - one) / _ENOUGH) for one in alike) / len(alike)
