"""An answer in words in, the form in which the VQA benchmarks compare it out.

Two rules are in use: that of the official VQA evaluation (github.com/GT-Vision-Lab/VQA, vqaEval.py), and that of the
EvalAI answer processor (github.com/facebookresearch/mmf), which does more first; TextVQA's evaluation uses it, and
LLaVA hands in its answers to VQAv2 and VizWiz in that form. Their oddities are kept: published numbers rest on them.
"""

from __future__ import annotations

import re

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
# Meant to spare decimal points from both sides; it looks only at what follows, so that "5." loses its point too.
_PERIOD = re.compile(r"\.(?!\d)")
_PERIODS = 32  # where the flag re.UNICODE should be stands the count, and it is 32
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
    """Return the word with each of its apostrophes left out in turn: the forms that are repaired."""
    return [word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'"]


# The published table repairs words in which one apostrophe is missing, and in one case takes one out.
_REPAIRED = {slip: word for word in _CONTRACTED for slip in _slips(word)} | {"somebody'd": "somebodyd"}


def on_one_line(text: str) -> str:
    """Return the text with line breaks and tabs as spaces, and none around it."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def plain_words(text: str) -> str:
    """Return the answer by the official rule: no punctuation and articles, numbers as digits, apostrophes repaired.

    Of a mark that has a space beside it anywhere nothing is left, of others a space; where a comma stands between
    digits, all marks go without a space.
    """
    return _numbers_and_articles(_without_punctuation(text))


def eval_ai(text: str) -> str:
    """Return the answer by the rule of the EvalAI processor: in lower case, without commas, and then as officially."""
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
