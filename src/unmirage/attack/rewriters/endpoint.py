"""Rewrites by a language model on a server: checked, asked for again where they fail, filled up by rules, cached."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from unmirage.attack.rewriters.base import Progress, RewriteReport, Wanted, fits, same_words
from unmirage.attack.rewriters.checked import Checked
from unmirage.attack.rewriters.meaning import MeaningCheck
from unmirage.attack.rewriters.prompt import SYSTEM, VERSION, read_rewrites, request
from unmirage.attack.rewriters.rules import RuleRewriter
from unmirage.models.endpoint import Accounting, Chat, ChatFailure, in_threads, user_message
from unmirage.run.cache import TextCache
from unmirage.text.printable import clean

# One request a temperature, as long as rewrites are missing.
TEMPERATURES = (0.7, 0.9, 1.1)
_MOST_ROOM = 4096


@dataclass(slots=True)
class _Found:
    """What a model gave for one query so far."""

    texts: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("dropped_opener", "dropped_meaning", "dropped_repeats"), 0)
    )
    failed: bool = False


class EndpointRewriter:
    """Asks a language model for rewrites, several queries at a time.

    Args:
        chat: the model.
        check: what a rewrite must keep of the query; the rules that fill up must pass it too.
        cache: file that keeps what the model gave, so that an interrupted run asks only for the rest; None for none.
    """

    def __init__(self, chat: Chat, check: MeaningCheck, cache: Path | None = None) -> None:
        self.name = chat.spec.model
        self._chat = chat
        self._check = check
        self._cache = cache
        self._rules = Checked(RuleRewriter(), check)
        self._report = RewriteReport(rewriter=self.name)

    @property
    def report(self) -> RewriteReport:
        """Return how many rewrites were kept, dropped and why, and filled up."""
        return self._report

    @property
    def accounting(self) -> Accounting:
        """Return what was asked so far, and what it cost."""
        return self._chat.accounting

    def reword(self, wanted: Sequence[Wanted], progress: Progress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each, the model's first.

        A query about which the model could not be asked has rewrites by rules only; it is asked about again
        next time.

        Raises:
            UserError: it makes no sense to ask on; what came before is in the cache.
        """
        unique = list(dict.fromkeys(wanted))
        given: dict[Wanted, list[str]] = {}
        for one, texts in self._given(unique):
            given[one] = texts
            if progress is not None:
                progress(len(given), len(unique))
        return [self._filled_up(one, given[one]) for one in wanted]

    def _given(self, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, list[str]]]:
        """Yield what the model gives for each: from the cache, then as the answers come."""
        with nullcontext() if self._cache is None else TextCache(self._cache) as cache:
            missing = []
            for one in wanted:
                kept = None if cache is None else cache.get(self._key(one))
                if kept is None:
                    missing.append(one)
                    continue
                texts: list[str] = json.loads(kept)
                self._count(from_cache=len(texts))
                yield one, texts
            for one, found in in_threads(self._ask, missing, self._chat.settings.concurrency):
                if cache is not None and not found.failed:
                    cache.put(self._key(one), json.dumps(found.texts))
                self._count(failed=int(found.failed), **found.dropped)
                yield one, found.texts

    def _ask(self, wanted: Wanted, stop: threading.Event) -> tuple[Wanted, _Found]:
        """Ask the model, round by round, until there are enough rewrites or no rounds left."""
        found = _Found()
        for temperature in TEMPERATURES:
            missing = wanted.shots - len(found.texts)
            if not missing:
                break
            prompt = request(replace(wanted, shots=missing), found.texts)
            messages = [{"role": "system", "content": SYSTEM}, user_message(prompt)]
            seed = int(self._key(wanted)[:7], 16)
            try:
                answer = self._chat.complete(messages, _room(wanted), temperature, seed, stop)
            except ChatFailure:
                found.failed = True
                break
            self._sift(wanted, read_rewrites(answer.text), found)
        return wanted, found

    def _sift(self, wanted: Wanted, texts: Sequence[str], found: _Found) -> None:
        """Add to `found` what is good, and count why the rest is not."""
        cleaned = [clean(text) for text in texts]
        seen = {same_words(wanted.query), *map(same_words, found.texts)}
        for text, passed in zip(cleaned, self._check.passes(wanted.query, cleaned), strict=True):
            if len(found.texts) == wanted.shots:
                break
            if not fits(text, wanted):
                found.dropped["dropped_opener"] += 1
            elif same_words(text) in seen:
                found.dropped["dropped_repeats"] += 1
            elif not passed or len(text) > _longest(wanted.query):
                found.dropped["dropped_meaning"] += 1
            else:
                found.texts.append(text)
                seen.add(same_words(text))

    def _filled_up(self, wanted: Wanted, texts: list[str]) -> list[str]:
        missing = wanted.shots - len(texts)
        rest: list[str] = []
        if missing:
            seen = set(map(same_words, texts))
            # The rules may know what the model gave already.
            offered = self._rules.reword([wanted])[0]
            rest = [text for text in offered if same_words(text) not in seen and fits(text, wanted)][:missing]
        self._count(queries=1, asked=wanted.shots, kept=len(texts) + len(rest), from_rules=len(rest))
        return texts + rest

    def _key(self, wanted: Wanted) -> str:
        parts = (self._chat.spec.model, VERSION, self._check.key, wanted.query, wanted.word, wanted.shots, wanted.goal)
        return sha256(json.dumps(parts).encode()).hexdigest()

    def _count(self, **counts: int) -> None:
        self._report = self._report.plus(**counts)


def _room(wanted: Wanted) -> int:
    """Return how many tokens the answer may have: a token is rarely less than two characters of a rewrite."""
    return min(_MOST_ROOM, 128 + wanted.shots * (_longest(wanted.query) // 2))


def _longest(query: str) -> int:
    """Return how long a rewrite may be: one that answers or comments is much longer than the question."""
    return 2 * len(query) + 200
