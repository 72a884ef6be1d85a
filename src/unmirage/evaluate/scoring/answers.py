"""Score answers to utility questions: option letters, VQA accuracy, and whole suites."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from unmirage.errors import unknown
from unmirage.intervals import Mean, mean
from unmirage.records import Gold, Score
from unmirage.run.store import Store

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
# The rule intends to keep decimal points, but checks only the next character, so "5." loses its point too.
_PERIOD = re.compile(r"\.(?!\d)")
_PERIODS = 32  # the source passes re.UNICODE (32) as the `count` argument by mistake
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine ten".split())}
_NUMBERS["none"] = "0"

_CONTRACTED = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
    he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've
    o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
    someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
    there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
    wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
""".split()


def _slips(word: str) -> list[str]:
    """Return the misspellings of a word that omit one apostrophe."""
    return [word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'"]


# The published table restores one missing apostrophe, and removes one in a single case.
_REPAIRED = {slip: word for word in _CONTRACTED for slip in _slips(word)} | {"somebody'd": "somebodyd"}


def on_one_line(text: str) -> str:
    """Return the text with line breaks and tabs replaced by spaces, without surrounding whitespace."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def plain_words(text: str) -> str:
    """Normalize an answer by the official rule: no punctuation or articles, numbers as digits, apostrophes restored.

    A punctuation mark is removed everywhere if it occurs next to a space, and otherwise replaced by a space. If the
    text has a comma between digits, all marks are removed.
    """
    return _numbers_and_articles(_without_punctuation(text))


def eval_ai(text: str) -> str:
    """Normalize an answer by the EvalAI processor: lower case, no commas or question marks, then the official rule."""
    words = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return plain_words(on_one_line(words))


def _without_punctuation(text: str) -> str:
    found = text
    number = _COMMA_IN_NUMBER.search(text) is not None
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        found = found.replace(mark, "" if beside_space or number else " ")
    return _PERIOD.sub("", found, count=_PERIODS)


def _numbers_and_articles(text: str) -> str:
    words = [_NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(_REPAIRED.get(word, word) for word in words if word not in _ARTICLES)


_AT_START = re.compile(r"([A-Z])\.(?: |$)")
_STATED = re.compile(r"The answer is ([A-Z]).")  # any one character must follow the letter


def named_letter(text: str, choices: int) -> str | None:
    """Return the letter, or None if the response names none of the choices.

    Args:
        text: the response.
        choices: number of choices, starting at A.
    """
    said = text.strip()
    start, stated = _AT_START.match(said), _STATED.findall(said)
    if len(said) == 1:
        letter = said
    elif start:
        letter = start[1]
    elif len(stated) == 1:
        letter = stated[0]
    else:
        return None
    return letter if letter in ascii_uppercase[:choices] else None


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
