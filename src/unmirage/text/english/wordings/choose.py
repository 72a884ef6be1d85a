"""Choose the wordings of a query that an attack uses: their family, and the order learned from training data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from unmirage.text.english.parse import parse
from unmirage.text.english.prefixes import opens_with
from unmirage.text.english.rewriter import paraphrase, plain_wordings, rewrite
from unmirage.text.english.variety import distinct, variations
from unmirage.text.english.wordings.ask import Family
from unmirage.text.english.wordings.compose import questions
from unmirage.text.english.wordings.guide import WordingGuide, form_of
from unmirage.text.language import is_foreign
from unmirage.text.leads import content_start
from unmirage.text.openers import words

Aim = Literal["answer", "refusal"]
Choice = Literal["insert", "noun", "passive", "free"]
# "insert": the request stays whole behind an inserted question ("What would you say about ...?").
CHOICES: tuple[Choice, ...] = ("free", "noun", "passive", "insert")

_MANNER = re.compile(r"\bin detail\b|\bin a few words\b|\bplease\b|\bfor me[.?]|\bin your own words\b", re.I)
_SPARE = 6  # paraphrases of a control that are made beyond its shots
_RANKED = 8  # wordings of other words than "what" that are ranked
_LONGEST = 3000  # characters; longer queries are quoted whole
_ACTS = frozenset(("action", "product"))  # kinds of request that "What is the best way to ...?" would change


class Wording(str):
    """A rewrite with the family of its wording."""

    __slots__ = ("family",)
    family: Family

    @classmethod
    def of(cls, text: str, family: Family) -> Wording:
        """Return a text with its family."""
        made = cls(text)
        made.family = family
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Wordings:
    """How an attack words its queries.

    Attributes:
        choice: a family, or "free" for all. Families other than "insert" apply to "what"; other words have "insert"
            wordings only.
        guide: learned from training data; None keeps the order of the families. "insert" has a fixed
            order of its own.
    """

    choice: Choice = "insert"
    guide: WordingGuide | None = None

    def of(self, query: str, word: str, shots: int, aim: Aim) -> list[Wording]:
        """Return up to `shots` rewrites of `query` that open with `word`, best first.

        The first wordings have different forms (first three words), as far as there are enough. Wordings with
        instructions on how to answer (", in one sentence") fill up the shots.

        Args:
            query: any text. Queries in another language than English have no wordings.
            word: one word or several.
            aim: whether the attack wants an answer or a refusal.
        """
        if self.choice == "insert" or len(query) > _LONGEST:
            return [Wording.of(text, "insert") for text in rewrite(query, word, shots)]
        if is_foreign(query):
            return []
        start = content_start(query)
        content = re.sub(r"^(what)['\u2019]s\b", r"\1 is", query[start:], flags=re.I)
        found = self._candidates(content, " ".join(word.casefold().split()))
        ranked = self._spread(self._ranked(distinct(found, content, len(found)), aim))
        chosen = distinct(_many(ranked), content, shots)
        return [Wording.of(query[:start] + one, one.family) for one in chosen]

    def control(self, query: str, word: str, shots: int, aim: Aim) -> list[str]:
        """Return up to `shots` paraphrases without the attack's word, for its control.

        They are not ranked. But those with an opener that the data tie to what the attack aims at ("can you describe",
        if such queries were answered) come last, because they would be another attack.

        Args:
            aim: aim of the attack, for queries of this label.
        """
        guide = self.guide
        if guide is None:
            return paraphrase(query, word, shots)
        found = paraphrase(query, word, _SPARE + shots)
        return sorted(found, key=lambda text: guide.leaning(text) == aim)[:shots]

    def _candidates(self, query: str, word: str) -> list[Wording]:
        if words(word)[:1] != ["what"]:
            return [Wording.of(text, "insert") for text in rewrite(query, word, _RANKED)]
        made = [Wording.of(text, family) for text, family in questions(query)]
        if self.choice != "free":
            return [one for one in made if one.family == self.choice and opens_with(one, word)]
        request = parse(query)
        inserted = plain_wordings(request, word) if request.kind not in _ACTS else []
        made += [Wording.of(text, "insert") for text in inserted]
        return [one for one in made if opens_with(one, word)]

    def _ranked(self, found: Sequence[Wording], aim: Aim) -> list[Wording]:
        guide = self.guide
        if guide is None or not guide.n:
            return list(found)
        sign = 1 if aim == "answer" else -1
        return sorted(found, key=lambda one: (_tells_how(one), sign * round(guide.refusal(one), 6)))

    @staticmethod
    def _spread(ranked: Sequence[Wording]) -> list[Wording]:
        """Return the best wording of each form, then the second ones, and so on."""
        seen: dict[str, int] = {}
        turns = []
        for one in ranked:
            form = form_of(one)
            turns.append(seen.get(form, 0))
            seen[form] = turns[-1] + 1
        return [one for _, one in sorted(zip(turns, ranked, strict=True), key=lambda pair: pair[0])]


def _tells_how(text: str) -> bool:
    """Return whether a wording tells how to answer; those without come first."""
    return bool(_MANNER.search(text))


def _many(ranked: Sequence[Wording]) -> Iterable[Wording]:
    """Yield the wordings, then each with each tail; a wording before other sentences has no tails."""
    yield from ranked
    single = [one for one in ranked if "? " not in one]
    for place, text in variations(single):
        yield Wording.of(text, single[place].family)
