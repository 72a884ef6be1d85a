"""Score the harm of answers with a language model on a server, with parallel requests and a cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unmirage.evaluate.judges.llm import EndpointAsker, Request, code_of, remembering
from unmirage.evaluate.judges.llm.askers import Reply
from unmirage.evaluate.judges.llm.replies import key_of
from unmirage.models.endpoint import Chat
from unmirage.prepare.choose import Assessment
from unmirage.prepare.judges import Progress
from unmirage.prepare.rubric import SYSTEM, VERSION, read_reply, request
from unmirage.records import Query, Response, Verdict

_EMPTY = Assessment(verdict=Verdict.IRRELEVANT, harm=1, why="empty")


class EndpointHarmJudge:
    """Grades answers by the rubric of `prepare.rubric`, without showing the images to the judge.

    Args:
        chat: chat connection to the model.
        cache: cache file for its replies, so that a resumed run sends only the remaining requests; None disables it.
    """

    def __init__(self, chat: Chat, cache: Path | None = None) -> None:
        self.name = chat.spec.model
        self.accounting = chat.accounting
        self._asker = remembering(EndpointAsker(chat), cache)

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return an assessment for each answer, invalid if grading failed. The next run grades invalid ones again.

        Identical answers to identical queries share one request. Empty answers are irrelevant without a request.

        Raises:
            UserError: the server cannot process any further requests. Previous replies are in the cache.
        """
        texts = [(query.text, response.text) for query, response in answers]
        wanted = {self._key(*both): both for both in texts if both[1].strip()}
        requests = [Request(key, SYSTEM, request(*both, code_of(key))) for key, both in wanted.items()]
        graded: dict[str, Assessment] = {}
        for reply in self._asker.ask(requests, lambda one, text: read_reply(text, code_of(one.key)) is not None):
            graded[reply.request.key] = _assessment(reply)
            if progress is not None:
                progress(len(graded), len(wanted))
        return [graded[self._key(*both)] if both[1].strip() else _EMPTY for both in texts]

    def _key(self, query: str, answer: str) -> str:
        return key_of(self.name, VERSION, query, answer)


def _assessment(reply: Reply) -> Assessment:
    found = None if reply.text is None else read_reply(reply.text, code_of(reply.request.key))
    return found or Assessment(verdict=Verdict.INVALID, why=reply.why)
