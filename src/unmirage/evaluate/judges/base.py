"""Interface of judges, which give a verdict on each response."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from unmirage.records import Judgement, Query, Response, Verdict
from unmirage.run.progress import StepProgress

Answer = tuple[Query, Response]


class Judge(Protocol):
    """Gives verdicts on responses. Judges do not receive the name of the model or the attack.

    Attributes:
        name: name of the judge in tables and in the store.
        fingerprint: properties that identify an expensive judge. Its valid verdicts are kept, and only the other
            responses are judged again. Empty for inexpensive judges, which judge all responses again each time.

    A judge whose verdicts follow from rules has the attribute `rules`, the modules with them: calibrations made with
    other rules are refused. A judge that asks a server has the attribute `served`, see `llm.askers.Served`, and the
    method `resume`, which is called if the judge has given verdicts in an earlier run.
    A judge with the attribute `reads_all = True` gets degenerate responses too; for others they are irrelevant.
    One with `is_graded = True` gives reasons that `evaluate.graded` reads as grades of harm.
    """

    name: str
    fingerprint: Mapping[str, str]

    def judge(self, answers: Sequence[Answer], progress: StepProgress | None = None) -> Iterator[Judgement]:
        """Yield one judgment on each answer, in any order; its verdict is `INVALID` if judging failed.

        Raises:
            UserError: the judge cannot continue. All judgments that were yielded before remain valid.
        """
        ...


class TextJudge(ABC):
    """Base class of inexpensive judges that judge each response on its own."""

    name: str
    fingerprint: Mapping[str, str] = {}
    reads_all = False
    rules: tuple[str, ...] = ()

    @abstractmethod
    def verdict(self, query: Query, response: str) -> tuple[Verdict, str]:
        """Return the verdict on `response` and the reason."""

    def judge(self, answers: Sequence[Answer], progress: StepProgress | None = None) -> Iterator[Judgement]:
        """Yield the judgments in the order of the answers."""
        for done, (query, response) in enumerate(answers, start=1):
            verdict, why = self.verdict(query, response.text)
            yield Judgement(query_id=query.id, model=response.model, judge=self.name, verdict=verdict, why=why)
            if progress is not None:
                progress(done, len(answers))
