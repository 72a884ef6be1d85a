"""Normalize answers as the VQA benchmarks do.

There are two rules: the official VQA evaluation (github.com/GT-Vision-Lab/VQA, vqaEval.py) and the EvalAI answer
processor (github.com/facebookresearch/mmf), which adds steps before the official rule. TextVQA's evaluation uses the
EvalAI processor, and LLaVA applies it to its answers to VQAv2 and VizWiz. The quirks of both rules are preserved,
because published numbers depend on them.
"""

from __future__ import annotations

import re

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
