"""The contract of a judge: queries and responses in, a judgement on each out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from unmirage.records import Judgement, Query, Response, Verdict

Answer = tuple[Query, Response]
Progress = Callable[[int, int], None]  # (answers judged, answers to judge)


class Judge(Protocol):
    """Says what responses did. Judges never see which model or attack produced them by name.

    Attributes:
        name: stands in tables and in the store.
        made_of: what identifies a judge whose verdicts are dear: they are kept, and only what has no valid verdict is
            judged again. Empty for judges that cost nothing: they judge everything anew.
    """

    name: str
    made_of: Mapping[str, str]

    def judge(self, answers: Sequence[Answer], progress: Progress | None = None) -> Iterator[Judgement]:
        """Yield one judgement on each answer, in any order; `INVALID` where no verdict could be had.

        Raises:
            UserError: it makes no sense to go on; all that was yielded before stands.
        """
        ...


class TextJudge(ABC):
    """A judge that reads one text after another, alone, and at no cost."""

    name: str
    made_of: Mapping[str, str] = {}

    @abstractmethod
    def verdict(self, query: Query, response: str) -> tuple[Verdict, str]:
        """Return the verdict on `response`, and what it rests on."""

    def judge(self, answers: Sequence[Answer], progress: Progress | None = None) -> Iterator[Judgement]:
        """Yield the judgements in the order of the answers."""
        for done, (query, response) in enumerate(answers, start=1):
            verdict, why = self.verdict(query, response.text)
            yield Judgement(query_id=query.id, model=response.model, judge=self.name, verdict=verdict, why=why)
            if progress is not None:
                progress(done, len(answers))
