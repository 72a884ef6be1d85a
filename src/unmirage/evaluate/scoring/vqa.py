"""An answer and what ten people said in, its accuracy by the rules of VQA (Antol et al. 2015) and TextVQA out."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.evaluate.scoring.answers import eval_ai, on_one_line, plain_words

_ENOUGH = 3  # as many people have to have said so


def vqa_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return the accuracy by the official VQA evaluation (github.com/GT-Vision-Lab/VQA, vqaEval.py).

    Line breaks, tabs and space around are taken out always; punctuation, articles and the like only where people
    said different things: where all said the same, the answer has to be that, to the letter. That is meant so
    (github.com/GT-Vision-Lab/VQA/issues/14).
    """
    said, given = [on_one_line(one) for one in people], on_one_line(answer)
    if len(set(said)) > 1:
        said, given = [plain_words(one) for one in said], plain_words(given)
    return agreement(given, said)


def submitted_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return `vqa_accuracy` of the answer as LLaVA hands it in: put through the EvalAI processor."""
    return vqa_accuracy(eval_ai(answer), people)


def textvqa_accuracy(answer: str, people: Sequence[str]) -> float:
    """Return the accuracy by TextVQA's evaluation (mmf, m4c_evaluator.py): all answers through the EvalAI processor."""
    return agreement(eval_ai(answer), [eval_ai(one) for one in people])


def agreement(given: str, said: Sequence[str]) -> float:
    """Return min(1, people who said so / 3), averaged over leaving out each person in turn.

    Of ten people, 0, 1, 2, 3, 4 who said so give 0, 0.3, 0.6, 0.9, 1.
    """
    alike = [one == given for one in said]
    count = sum(alike)
    return sum(min(1.0, (count - one) / _ENOUGH) for one in alike) / len(alike)
