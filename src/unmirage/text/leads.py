"""Find where the content of a query begins: after role markers, numbering, and words that many queries share.

The opener of a query is the first word of its content. "USER: 17. What is this?" opens with "what".
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import regex

from unmirage.records import Count

_ROLES = (
    "user|human|question|query|instructions?|prompt|input|request|q"
    "|nutzer|benutzer|frage|utilisateur|usuario|pregunta|pergunta|utente|domanda|пользователь|вопрос"
    "|用户|用戶|问题|問題|问|問|ユーザー|質問"
)
_NUMBERED = "questions?|query|prompt|q|frage|pregunta|pergunta|domanda|вопрос|问题|問題|質問"
_COLON = "[:：]"
_SPACE = r"[\s\u200b\ufeff]*"
_NUMBER = r"\d{1,6}"
_BOLD = r"(?:\*\*|__)?"
_TEMPLATE = (  # of chat templates
    r"<\|im_start\|>\s*system\b.*?<\|im_end\|>|<<SYS>>.*?<</SYS>>"
    r"|<\|(?:im_start|start_header_id|start_of_role|turn)\|?>\s*(?:user|human)\b(?:<\|(?:end_header_id|end_of_role)\|>)?"
    r"|<[|｜](?:user|human|prompter|begin_of_text|startoftext|begin▁of▁sentence)[|｜]>|<start_of_turn>\s*user\b"
    r"|<bos>|<s>|\[INST\]|\[user\]|<user>"
)
_HEADING = rf"#{{1,6}}[^\S\n]*(?:{_ROLES})[^\S\n]*(?:#?{_NUMBER})?[^\S\n]*(?:{_COLON}|\n)"
_ROLE = rf"{_BOLD}(?:{_ROLES}){_BOLD}\s?{_COLON}{_BOLD}|q\.(?=\s)"
_NUMBERED_ROLE = rf"{_BOLD}(?:{_NUMBERED})\.?\s?(?:#|no\.?\s?)?{_NUMBER}\s?(?:{_COLON}|[.)、]){_BOLD}"
_PICTURE = rf"(?:picture|image|img|figure|photo)\s?[-#]?\s?\d{{1,2}}\s?{_COLON}"
_LIST_MARK = (
    rf"(?P<number>{_NUMBER})(?:[.):](?=\s)|[.)](?=[\"'“‘«¿¡(]*[^\W\d_]{{2}})|[、．：）])|[(（\[]{_NUMBER}[)）\]]"
)
# A word of letters must follow a bare number: "2. e4 e5" is a game of chess, and "3: 4" a ratio.
_WORD_FOLLOWS = r"(?=\s*[\"'“‘«¿¡(*]*[^\W\d_]+(?!\w))"
_MARK = re.compile(
    rf"{_SPACE}(?:{_TEMPLATE}|{_HEADING}|{_NUMBERED_ROLE}|{_ROLE}|{_PICTURE}|(?:{_LIST_MARK}){_WORD_FOLLOWS}){_SPACE}",
    re.I | re.S,
)
_FIRST = frozenset(
    "uUhHqQiInNbBfFpPrRdDпПвВ用问問ユ質*_#[(（<0123456789０１２３４５６７８９ \t\r\n\u200b\ufeff"
)  # characters of `_MARK`
_CONTENT = re.compile(r"[^\W_]")
_MOST_MARKS = 8


def content_start(text: str) -> int:
    """Return where the content of a query begins: behind role markers and numbering; 0 if it has none.

    Role markers are "USER:", "Human:", "Q:", "Question:", "### Instruction:", "[INST]", "<|im_start|>user" and similar
    ones; "Image-1:" is the name of a picture. Numbering is "17.", "17)", "(3)", "17:", "Question 17:" or "Q3.". A
    number that belongs to the query stays: "3.14 is what?", "5 apples cost", "2 + 2", "10:30 is when?", "1. Open it.
    2. Close it.". The content is never without letters and digits.

    Args:
        text: any text, without image placeholders.

    Returns:
        An offset in characters.
    """
    return _start_from(text, 0)


def _start_from(text: str, start: int) -> int:
    for _ in range(_MOST_MARKS):
        if text[start : start + 1] not in _FIRST:
            break
        match = _MARK.match(text, start)
        if match is None or not _CONTENT.search(text, match.end()) or _is_list(text, match):
            break
        start = match.end()
    return start


def _is_list(text: str, match: re.Match[str]) -> bool:
    """Return whether the next number of a list follows later, in the same style."""
    number = match["number"]
    if number is None:
        return False
    mark = text[match.end("number")]
    return re.search(rf"\s{int(number) + 1}{re.escape(mark)}\s", text[match.end() :]) is not None


_POLITE = (
    r"please|plz|pls|kindly"
    r"|(?:hi|hello|hey|greetings|good (?:morning|day|evening)|dear)(?: there| assistant| chatgpt| model| ai| bot)*"
    r"|bitte|por favor|s['’]il (?:vous|te) pla[iî]t|per favore|пожалуйста|lütfen|proszę|alsjeblieft"
)
_FORMULA = re.compile(
    rf"\W*({_POLITE}"
    r"|assistant|chatgpt|okay|ok|user|human|question|instruction"
    r"|(?:can|could|would|will) you"
    r"|i (?:want|need|would like) you to|i['’]d like you to"
    r"|(?:in|on|from|for|based on|according to|looking at|given|considering|using|regarding) (?:the|this|that|an?)"
    r"(?: \w+)? (?:image|picture|photo|photograph|figure|screenshot|scene)"
    r")\b|\W*(请|請|どうか)",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?,;:。！？，：](?=\s|$)|[。！？，：]|\n")
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_IS_POLITE = re.compile(_POLITE, re.I)
_NEARLY_ALL = 0.97  # of the queries with each label; data balanced by first words may have 93 % of "can you"
_LEAST_SHARE = 0.4
_MOST_APART = 0.1  # a prefix that differs more between the labels predicts them
_LONGEST = 600  # characters of a shared sentence
_MOST_ENDS = 12
_SAMPLE = 4_000
_MOST_PREFIXES = 5
_LEAST_QUERIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Text before the content of queries.

    Attributes:
        text: the shared prefix, or an example of a role marker or numbering.
        shared: True for a prefix that many queries of both labels share, False for role markers and numbering.
        queries: number of queries with it.
        refused: number of refused queries with it; a lead of refused queries alone predicts the label.
    """

    text: str
    shared: bool
    queries: Count
    refused: Count


def content_starts(texts: Sequence[str], refused: Sequence[bool] | bytearray) -> tuple[Sequence[int], tuple[Lead, ...]]:
    """Return where the content of each query begins, and the texts that are passed over.

    Role markers and numbering are passed over as in `content_start`. Then a prefix is passed over if its shares of the
    refused and of the answered queries differ by at most 10 points, so that it does not predict the label, and if it is
    one of:

    - a formula in at least 97 % of the queries of each label: "Can you", "In this image" and similar ones;
    - a polite one in at least 40 %: "Please", "Hello" and similar ones;
    - in at least 40 %, a fixed sentence or clause of several words ("You are given an image.", "Look at the picture,"),
      or a single word with a colon or on its own line ("Task:"), if different texts follow.

    Other words are openers however many queries share them: a dataset in which 95 % of the queries begin with "What"
    keeps the opener "what". This is repeated, so that "USER: Please" and "Hello! 17. Please" are passed over. A query
    that does not begin with a shared prefix is unchanged. The prefixes are found in 4,000 evenly spaced queries.

    Args:
        texts: the queries, without image placeholders.
        refused: whether each query should be refused.
    """
    starts = array("q", map(content_start, texts))
    leads = []
    if marked := [row for row, start in enumerate(starts) if start]:
        example = texts[marked[0]][: starts[marked[0]]].strip()
        leads.append(Lead(text=example, shared=False, queries=len(marked), refused=_count(refused, marked)))
    sample = range(0, len(texts), max(1, len(texts) // _SAMPLE))
    for _ in range(_MOST_PREFIXES):
        prefix = _shared([texts[row][starts[row] :] for row in sample], [bool(refused[row]) for row in sample])
        if not prefix:
            break
        having = _pass_over(prefix, texts, starts)
        leads.append(Lead(text=prefix, shared=True, queries=len(having), refused=_count(refused, having)))
    return starts, tuple(leads)


def past_formulas(text: str, start: int) -> Iterator[int]:
    """Yield where the content of `text` begins if formulas ("Can you", "please") are passed over, one after the other.

    `content_starts` passes over a formula only if nearly all queries begin with it.

    Args:
        start: where the content begins.
    """
    for _ in range(_MOST_PREFIXES):
        match = _FORMULA.match(text, start)
        if match is None or not _CONTENT.search(text, match.end()):
            return
        start = _start_from(text, match.end())
        yield start


def _count(refused: Sequence[bool] | bytearray, rows: Sequence[int]) -> int:
    return sum(bool(refused[row]) for row in rows)


def _pass_over(prefix: str, texts: Sequence[str], starts: array[int]) -> list[int]:
    """Move the starts of all queries that begin with `prefix` behind it, and return their rows."""
    whole = r"(?![^\W_])" if prefix[-1].isalnum() and not _UNSPACED.match(prefix[-1]) else ""
    words = r"\s+".join(map(re.escape, prefix.split()))
    pattern = re.compile(rf"\W*?{words}{whole}[\s.,;:!。，、：！]*", re.I)
    having = []
    for row, text in enumerate(texts):
        match = pattern.match(text, starts[row])
        if match is not None and _CONTENT.search(text, match.end()):
            starts[row] = _start_from(text, match.end())
            having.append(row)
    return having


def _shared(texts: Sequence[str], refused: Sequence[bool]) -> str:
    """Return the formula or sentence that many texts of each label begin with; "" if there is none."""
    if len(texts) < _LEAST_QUERIES:
        return ""
    totals = Counter(refused)
    formulas: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    sentences: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for text, label in zip(texts, refused, strict=True):
        if (match := _FORMULA.match(text)) and _CONTENT.search(text, match.end()):
            formulas[_plain(match.group(match.lastindex or 0))][label] += 1
        for end in _ends(text):
            sentences[_plain(text[:end])][label] += 1

    def common(counts: Mapping[str, Counter[bool]], least: Callable[[str], float]) -> list[str]:
        found = [key for key, one in counts.items() if _tells_nothing([one[x] / totals[x] for x in totals], least(key))]
        return sorted(found, key=lambda key: (-len(key), key))

    varied = (key for key in common(sentences, lambda _: _LEAST_SHARE) if _continuations(key, texts) > 1)
    fixed = common(formulas, lambda key: _LEAST_SHARE if _IS_POLITE.fullmatch(key) else _NEARLY_ALL)
    return next(iter(fixed), "") or next(varied, "")


def _tells_nothing(shares: Sequence[float], least: float) -> bool:
    """Return whether a prefix with these shares of the queries of each label is frequent and does not predict them."""
    return min(shares) >= least and max(shares) - min(shares) <= _MOST_APART


def _ends(text: str) -> Iterator[int]:
    """Yield the ends of the sentences and clauses at the start of `text` that may be a prefix."""
    for match in islice(_SENTENCE_END.finditer(text, 0, _LONGEST), _MOST_ENDS):
        words = len(_WORD.findall(text, 0, match.start()))
        is_long = words > 1 or match.group() in ":：\n" or bool(_UNSPACED.search(text, 0, match.start()))
        if words and is_long and _CONTENT.search(text, match.end()):
            yield match.end()


def _continuations(sentence: str, texts: Sequence[str]) -> int:
    """Return how many different texts follow a sentence."""
    plain = map(_plain, texts)
    return len({text[len(sentence) :] for text in plain if text.startswith(sentence)})


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
