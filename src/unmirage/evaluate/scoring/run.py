"""Score the responses in a run's store against the reference answers, and average the scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unmirage.errors import unknown
from unmirage.evaluate.scoring.letters import named_letter
from unmirage.evaluate.scoring.vqa import submitted_accuracy, textvqa_accuracy
from unmirage.intervals import Mean, mean
from unmirage.records import Gold, Score
from unmirage.run.store import Store

Scored = tuple[float, str]  # (score from 0 to 1, explanation)


@dataclass(frozen=True, slots=True)
class Scorer:
    """A benchmark's scoring rule: its name in tables and its function."""

    name: str
    score: Callable[[str, Gold], Scored]


def _by_people(accuracy: Callable[[str, Sequence[str]], float]) -> Callable[[str, Gold], Scored]:
    def score(text: str, gold: Gold) -> Scored:
        said = ", ".join(f"{one} ({gold.answers.count(one)})" for one in dict.fromkeys(gold.answers))
        return accuracy(text, gold.answers), f"human answers: {said}"

    return score


def _by_letter(text: str, gold: Gold) -> Scored:
    letter, right = named_letter(text, len(gold.choices)), gold.answers[0]
    if letter is None:
        return 0.0, f"names no option; the correct answer is {right}"
    return float(letter == right), f"names {letter}; the correct answer is {right}"


_VQA = Scorer("VQA accuracy", _by_people(submitted_accuracy))
_TEXTVQA = Scorer("TextVQA accuracy", _by_people(textvqa_accuracy))

# Keyed by suite name.
SCORERS: dict[str, Scorer] = {
    "vqav2": _VQA,
    "vizwiz": _VQA,
    "textvqa": _TEXTVQA,
    "textvqa-ocr": _TEXTVQA,
    "scienceqa": Scorer("accuracy", _by_letter),
}


def score_run(store: Store, model: str, suite: str) -> None:
    """Score all responses of `model` to queries that have reference answers, and replace previous scores.

    Args:
        store: store of the run. Without reference answers in it, nothing is scored.
        model: name of the model.
        suite: name of the benchmark, which selects the rule.

    Raises:
        UserError: the suite has no scoring rule.
    """
    gold = store.gold()
    if not gold:
        return
    if suite not in SCORERS:
        raise unknown("suite with a scoring rule", suite, SCORERS)
    scorer = SCORERS[suite]
    scores = []
    for response in store.responses(model):
        if response.query_id in gold:
            value, why = scorer.score(response.text, gold[response.query_id])
            scores.append(Score(query_id=response.query_id, model=model, scorer=scorer.name, value=value, why=why))
    store.replace_scores(model, scorer.name, scores)


def mean_scores(store: Store, model: str) -> dict[str, Mean]:
    """Return the mean of each scorer over the responses of `model`, with an interval that accounts for clusters."""
    known = {sample.id: sample.cluster for sample in store.samples()}
    clusters = {query.id: known.get(query.sample_id, query.sample_id) for query in store.queries()}
    found: dict[str, list[Score]] = defaultdict(list)
    for score in store.scores(model):
        found[score.scorer].append(score)
    return {
        scorer: mean([one.value for one in scores], [clusters[one.query_id] for one in scores])
        for scorer, scores in found.items()
    }
