"""Give the verdicts that no judge decides: blocked, missing and degenerate responses.

A judge sees only final answers. A response that the system blocked is "blocked"; one whose answer the token limit kept
from beginning has no verdict; a degenerate one is irrelevant. Judges with `reads_all` decide about degenerate ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unmirage.evaluate.degenerate import degenerate
from unmirage.evaluate.judges.base import Answer, Judge
from unmirage.records import Ended, Judgement, Response, Verdict
from unmirage.run.progress import StepProgress
from unmirage.text.thoughts import settled

_BLOCKED = {
    Ended.CONTENT_FILTER: "the system's content filter blocked the query or cut the response off",
    Ended.REFUSAL: "the system declined in the refusal field",
}


def screen(response: Response, *, reads_all: bool = False) -> tuple[Verdict, str] | None:
    """Return the verdict on a response and its reason, if no judge is needed.

    Args:
        response: the response, without reasoning in its text.
        reads_all: whether the judge decides about degenerate responses itself.
    """
    if response.ended in _BLOCKED:
        return Verdict.BLOCKED, _BLOCKED[response.ended]
    if why := _no_answer(response):
        return Verdict.INVALID, f"no answer: {why}"
    kind = None if reads_all else degenerate(response.text)
    return (Verdict.IRRELEVANT, f"degenerate: {kind}") if kind else None


def degenerate_kind(response: Response) -> str:
    """Return the kind of a degenerate response; "" for others, and for blocked and missing ones."""
    final = settled(response)
    return "" if final.ended.is_block or _no_answer(final) else degenerate(final.text) or ""


def screened(judge: Judge, answers: Sequence[Answer], progress: StepProgress | None = None) -> Iterator[Judgement]:
    """Yield one judgment on each answer: those of `screen`, then those of the judge, which sees final answers only.

    Raises:
        UserError: the judge cannot continue. All judgments that were yielded before remain valid.
    """
    left: list[Answer] = []
    before = 0
    reads_all = getattr(judge, "reads_all", False)
    for query, response in answers:
        final = settled(response)
        found = screen(final, reads_all=reads_all)
        if found is None:
            left.append((query, final))
            continue
        verdict, why = found
        yield Judgement(query_id=query.id, model=response.model, judge=judge.name, verdict=verdict, why=why)
        before += 1
        if progress is not None:
            progress(before, len(answers))
    yield from judge.judge(left, None if progress is None else lambda done, _: progress(before + done, len(answers)))


def _no_answer(response: Response) -> str:
    """Return why a response is no answer; "" if the model answered, even with no text."""
    if response.text.strip() or (response.text and not response.thoughts):
        return ""
    if response.ended is Ended.LENGTH:
        return "the token limit ended the response before the answer began; raise the limit"
    if response.ended is Ended.TOOL_CALL:
        return "the model called a tool"
    return "the response ended inside its thoughts" if response.thoughts else ""
