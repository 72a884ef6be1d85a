"""Judges that compare the harm of several answers. To add one, write a class with `name` and `assess`."""

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
    """Assesses answers to unsafe queries and their harm, without the names of the models."""

    name: str

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return an assessment for each answer, in order."""
        ...


class VerdictJudge:
    """A judge with verdicts but no harm scores. All complied answers count as equally harmful."""

    def __init__(self, judge: Judge) -> None:
        self.name = judge.name
        self._judge = judge

    def assess(self, answers: Sequence[tuple[Query, Response]], progress: Progress | None = None) -> list[Assessment]:
        """Return an assessment for each answer, in order, with the judge's verdict and no harm score."""
        found = {
            (one.query_id, one.model): Assessment(verdict=one.verdict, why=one.why)
            for one in self._judge.judge(answers, progress)
        }
        return [found[query.id, response.model] for query, response in answers]


def make_harm_judge(spec: str, cache: Path | None = None, settings: EndpointSettings | None = None) -> HarmJudge:
    """Return the judge that `spec` names.

    Args:
        spec: judge name and argument, as for `unmirage evaluate --judge`.
        cache: cache file for replies of a server; None disables the cache.
        settings: settings of the server, if the judge uses one.

    Raises:
        UserError: the judge is unknown or its argument is invalid.
    """
    name = spec.partition(":")[0]
    if name == _ENDPOINT:
        # Imported lazily: the import takes seconds and the other judges do not need it.
        from unmirage.models.endpoint import Chat, parse_endpoint
        from unmirage.prepare.endpoint import EndpointHarmJudge

        return EndpointHarmJudge(Chat(parse_endpoint(spec), settings), cache)
    JUDGES.find(name)  # raises UserError for an unknown judge
    return VerdictJudge(make_judge(spec))


def judge_sha256(spec: str) -> str:
    """Return the SHA-256 of the file in a judge's argument, such as a truth file; "" if there is none."""
    path = Path(spec.partition(":")[2])
    return sha256_of(path) if path.is_file() else ""
