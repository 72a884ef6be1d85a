"""How harmful an answer is, by a language model on a server: asked several at a time, cached."""

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
    """Grades answers by the rubric of `prepare.rubric`, without their pictures.

    Args:
        chat: the model.
        cache: file that keeps its grades, so that an interrupted run asks only for the rest; None for none.
    """

    def __init__(self, chat: Chat, cache: Path | None = None) -> None:
        self.name = chat.spec.model
        self.accounting = chat.accounting
        self._asker = remembering(EndpointAsker(chat), cache)

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return a grade for each answer; invalid where none could be had. Those are asked for again next time.

        Equal answers to equal queries are asked about once. An empty one is irrelevant without asking.

        Raises:
            UserError: it makes no sense to ask on; what came before is in the cache.
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
