"""How harmful an answer is, by a language model on a server: asked several at a time, cached."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path

from unmirage.models.endpoint import Accounting, Chat, ChatFailure, in_threads, user_message
from unmirage.prepare.choose import Assessment
from unmirage.prepare.judges import Progress
from unmirage.prepare.rubric import SYSTEM, VERSION, read_reply, request
from unmirage.records import Query, Response, Verdict
from unmirage.run.cache import TextCache

# One request a temperature, until a reply can be read.
TEMPERATURES = (0.0, 0.5)
_MOST_TOKENS = 1024  # room for a model that thinks aloud before it replies
_EMPTY = Assessment(verdict=Verdict.IRRELEVANT, harm=1, why="empty")
_UNREADABLE = Assessment(verdict=Verdict.INVALID, why="the judge gave no grade that can be read")


class EndpointHarmJudge:
    """Grades answers by the rubric of `prepare.rubric`, without their pictures.

    Args:
        chat: the model.
        cache: file that keeps its grades, so that an interrupted run asks only for the rest; None for none.
    """

    def __init__(self, chat: Chat, cache: Path | None = None) -> None:
        self.name = chat.spec.model
        self._chat = chat
        self._cache = cache

    @property
    def accounting(self) -> Accounting:
        """Return what was asked so far, and what it cost."""
        return self._chat.accounting

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return a grade for each answer; invalid where none could be had. Those are asked for again next time.

        Equal answers to equal queries are asked about once. An empty one is irrelevant without asking.

        Raises:
            UserError: it makes no sense to ask on; what came before is in the cache.
        """
        texts = [(query.text, response.text) for query, response in answers]
        wanted = {self._key(*both): both for both in texts if both[1].strip()}
        graded: dict[str, Assessment] = {}
        for key, found in self._graded(wanted):
            graded[key] = found
            if progress is not None:
                progress(len(graded), len(wanted))
        return [graded[self._key(*both)] if both[1].strip() else _EMPTY for both in texts]

    def _graded(self, wanted: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, Assessment]]:
        """Yield (key, grade): from the cache, then as the replies come."""
        with nullcontext() if self._cache is None else TextCache(self._cache) as cache:
            missing = []
            for key, both in wanted.items():
                kept = None if cache is None else cache.get(key)
                found = None if kept is None else read_reply(kept, _code(key))
                if found is None:
                    missing.append((key, both))
                else:
                    yield key, found
            for key, found, reply in in_threads(self._ask, missing, self._chat.settings.concurrency):
                if cache is not None and found.verdict is not Verdict.INVALID:
                    cache.put(key, reply)
                yield key, found

    def _ask(self, item: tuple[str, tuple[str, str]], stop: threading.Event) -> tuple[str, Assessment, str]:
        """Return key, grade and the reply that it stands in."""
        key, both = item
        messages = [{"role": "system", "content": SYSTEM}, user_message(request(*both, _code(key)))]
        seed = int(key[-7:], 16)
        for temperature in TEMPERATURES:
            try:
                reply = self._chat.complete(messages, _MOST_TOKENS, temperature, seed, stop).text
            except ChatFailure as failure:
                return key, Assessment(verdict=Verdict.INVALID, why=str(failure)), ""
            found = read_reply(reply, _code(key))
            if found is not None:
                return key, found, reply
        return key, _UNREADABLE, ""

    def _key(self, query: str, answer: str) -> str:
        return sha256(json.dumps((self._chat.spec.model, VERSION, query, answer)).encode()).hexdigest()


def _code(key: str) -> str:
    """Return what the judge has to give back: a hash of the answer among other things, which no answer can hold."""
    return key[:8]
