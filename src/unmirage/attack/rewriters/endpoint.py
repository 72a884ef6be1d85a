"""Rewrite queries with a language model on a server: checked, retried, completed by rules and cached."""

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

# One request per temperature while rewrites are missing.
TEMPERATURES = (0.7, 0.9, 1.1)
_MOST_ROOM = 4096


@dataclass(slots=True)
class _Found:
    """Rewrites of one query so far."""

    texts: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("dropped_opener", "dropped_meaning", "dropped_repeats"), 0)
    )
    failed: bool = False


class EndpointRewriter:
    """Requests rewrites from a language model, several queries at a time.

    Args:
        chat: the model.
        check: what a rewrite must keep of the query; rewrites by rules must pass it too.
        cache: file that caches the model's rewrites, so that an interrupted run can resume; None disables it.
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
        """Return the counts of rewrites that were kept, dropped (by reason) and made by rules."""
        return self._report

    @property
    def accounting(self) -> Accounting:
        """Return the counters and cost of all requests so far."""
        return self._chat.accounting

    def reword(self, wanted: Sequence[Wanted], progress: Progress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each request, the model's first.

        If the request for a query fails, only rules rewrite it. It is not cached, so the next run requests it
        again.

        Raises:
            UserError: all other requests would fail too; earlier rewrites are in the cache.
        """
        unique = list(dict.fromkeys(wanted))
        given: dict[Wanted, list[str]] = {}
        for one, texts in self._given(unique):
            given[one] = texts
            if progress is not None:
                progress(len(given), len(unique))
        return [self._filled_up(one, given[one]) for one in wanted]

    def _given(self, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, list[str]]]:
        """Yield the model's rewrites for each request: from the cache, then as responses arrive."""
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
        """Request rewrites, one temperature after the other, until there are enough."""
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
        """Add valid rewrites to `found`, and count the reasons for dropping others."""
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
            # The rules may repeat a rewrite of the model.
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
    """Return the maximum tokens of the response: a token usually covers at least two characters."""
    return min(_MOST_ROOM, 128 + wanted.shots * (_longest(wanted.query) // 2))


def _longest(query: str) -> int:
    """Return the maximum length of a rewrite; a text that answers or comments is much longer than the query."""
    return 2 * len(query) + 200
