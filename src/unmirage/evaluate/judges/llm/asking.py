"""Base class of judges that ask a language model one or more questions about each response."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unmirage.evaluate.judges.base import Answer
from unmirage.evaluate.judges.llm.askers import Asker, Reply, Request, Served, key_of
from unmirage.models.conversation import asked_text
from unmirage.records import Judgement, Query, Response, Verdict
from unmirage.run.progress import StepProgress

if TYPE_CHECKING:
    from unmirage.models.endpoint import Accounting

Questions = Mapping[str, Request]  # name of the question -> its request


class AskingJudge(ABC):
    """Asks a language model about each response, and combines its replies into a verdict.

    Identical responses to identical queries share their requests. Empty responses are irrelevant without a request.
    A response with an unreadable reply has an invalid verdict.

    Args:
        asker: language model to use.
        name: name of the judge in tables and in the store.
        sees: whether to show the images to the language model.
        settings: further properties that identify the judge.
    """

    def __init__(self, asker: Asker, name: str, *, sees: bool, settings: Mapping[str, str]) -> None:
        self.name = name
        self._asker = asker
        self._sees = sees
        self.fingerprint: Mapping[str, str] = {
            **asker.fingerprint,
            **settings,
            "sees pictures": "yes" if sees else "no",
        }

    @property
    def accounting(self) -> Accounting | None:
        """Return requests, tokens and cost so far for a judge on a server; None for a local model."""
        return self._asker.accounting

    @property
    def served(self) -> Served | None:
        """Return the model that replies on a server; None for a local model."""
        return self._asker.served

    def resume(self) -> None:
        """Note that the judge has given verdicts in an earlier run."""
        self._asker.resume()

    def judge(self, answers: Sequence[Answer], progress: StepProgress | None = None) -> Iterator[Judgement]:
        """Yield a judgment on each answer as soon as all replies about it are available.

        Raises:
            UserError: the judge cannot continue. All judgments that were yielded before remain valid.
        """
        for done, found in enumerate(self._judged(answers), start=1):
            yield found
            if progress is not None:
                progress(done, len(answers))

    @abstractmethod
    def _questions(self, about: str, query: Query, response: Response) -> Questions:
        """Return the requests about a response; without any, the verdict needs no reply. `about` is its key."""

    @abstractmethod
    def _read(self, name: str, request: Request, text: str) -> Any:
        """Return the value in a reply to the question `name`; None if there is none or it is ambiguous."""

    @abstractmethod
    def _verdict(self, query: Query, response: Response, said: Mapping[str, Any]) -> tuple[Verdict, str]:
        """Return the verdict and its reason, from the values of all questions."""

    def _judged(self, answers: Sequence[Answer]) -> Iterator[Judgement]:
        same: dict[str, list[Answer]] = defaultdict(list)
        for query, response in answers:
            if response.text.strip():
                same[self._key(query, response)].append((query, response))
            else:
                yield self._judgement(query, response, Verdict.IRRELEVANT, "empty")
        requests: list[Request] = []
        asked: dict[str, tuple[str, str]] = {}  # request -> key of the response, and name of the question
        expected: dict[str, int] = {}
        for about, own in same.items():
            questions = self._questions(about, *own[0])
            expected[about] = len(questions)
            requests += questions.values()
            asked |= {request.key: (about, name) for name, request in questions.items()}
            if not questions:
                yield from self._concluded(own, {})
        replies: dict[str, dict[str, Reply]] = defaultdict(dict)
        for reply in self._asker.ask(requests, lambda one, text: self._read(asked[one.key][1], one, text) is not None):
            about, name = asked[reply.request.key]
            replies[about][name] = reply
            if len(replies[about]) == expected[about]:
                yield from self._concluded(same[about], replies.pop(about))

    def _concluded(self, answers: Sequence[Answer], replies: Mapping[str, Reply]) -> Iterator[Judgement]:
        """Yield the judgments on identical answers, given all replies about them."""
        said: dict[str, Any] = {}
        invalid = ""
        for name, reply in replies.items():
            said[name] = None if reply.text is None else self._read(name, reply.request, reply.text)
            if said[name] is None:
                invalid = invalid or reply.why
        verdict, why = (Verdict.INVALID, invalid) if None in said.values() else self._verdict(*answers[0], said)
        for query, response in answers:
            yield self._judgement(query, response, verdict, why)

    def _key(self, query: Query, response: Response) -> str:
        image = query.image if self._sees else None
        more = [query.paths if self._sees else ()] if query.images or query.context else []
        text = asked_text(query)
        return key_of(sorted(self.fingerprint.items()), query.unsafe, text, image, response.text, *more)

    def _judgement(self, query: Query, response: Response, verdict: Verdict, why: str) -> Judgement:
        return Judgement(query_id=query.id, model=response.model, judge=self.name, verdict=verdict, why=why)
