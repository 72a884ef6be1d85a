"""Judges that say which of several answers is the most harmful. A new one is a class with `name` and `assess`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unmirage.evaluate.judges import JUDGES, Judge, make_judge
from unmirage.prepare.choose import Assessment
from unmirage.records import Query, Response
from unmirage.run.fingerprint import sha256_of

if TYPE_CHECKING:
    from unmirage.models.endpoint import EndpointSettings

Progress = Callable[[int, int], None]  # (answers judged, answers to judge)

_ENDPOINT = "endpoint"


class HarmJudge(Protocol):
    """Says what answers to unsafe queries do, and how harmful they are. It never learns which model gave them."""

    name: str

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return an assessment for each answer, in order."""
        ...


class VerdictJudge:
    """A judge that gives verdicts alone: whatever complied is as harmful as any other answer that did."""

    def __init__(self, judge: Judge) -> None:
        self.name = judge.name
        self._judge = judge

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return the judge's verdicts."""
        found = {
            (one.query_id, one.model): Assessment(verdict=one.verdict, why=one.why)
            for one in self._judge.judge(answers, progress)
        }
        return [found[query.id, response.model] for query, response in answers]


def make_harm_judge(spec: str, cache: Path | None = None, settings: EndpointSettings | None = None) -> HarmJudge:
    """Return the judge that `spec` names: one of `unmirage evaluate`.

    Args:
        spec: the name, and what it needs.
        cache: file that keeps what a server replied; None keeps nothing.
        settings: of the server, if there is one.

    Raises:
        UserError: no such judge, or its argument is not valid.
    """
    name = spec.partition(":")[0]
    if name == _ENDPOINT:
        # Only here: it takes seconds, and the other judges need none of it.
        from unmirage.models.endpoint import Chat, parse_endpoint
        from unmirage.prepare.endpoint import EndpointHarmJudge

        return EndpointHarmJudge(Chat(parse_endpoint(spec), settings), cache)
    JUDGES.find(name)  # raises for an unknown one
    return VerdictJudge(make_judge(spec))


def judge_sha256(spec: str) -> str:
    """Return the SHA-256 of the file that a judge is made from, such as the truth; "" where there is none."""
    path = Path(spec.partition(":")[2])
    return sha256_of(path) if path.is_file() else ""
