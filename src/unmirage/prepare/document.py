"""The document `unmirage.prepare/2`: the summary of the forget set and the retain set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from unmirage.documents import Document
from unmirage.prepare.choose import Candidate, Choice, LeftOut
from unmirage.prepare.plan import KINDS, Plan
from unmirage.prepare.sets import FORGET, RETAIN, Readable, Retained, Source
from unmirage.records import Count, Failure, Query, Verdict
from unmirage.run.fingerprint import sha256_of
from unmirage.run.machine import describe_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Results for the unsafe queries.

    Attributes:
        by_model: model -> query id -> answer with its assessment.
        specs: model -> specification as the user wrote it.
        fingerprint: model -> properties that identify it.
    """

    queries: Sequence[Query]
    by_model: Mapping[str, Mapping[str, Candidate]]
    choice: Choice
    specs: Mapping[str, str]
    fingerprint: Mapping[str, Mapping[str, str]]
    failures: Sequence[Failure]
    judge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRows:
    """Rows of one kind of unsafe query, and queries of this kind."""

    rows: Count
    asked: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetSet:
    """The forget set.

    Attributes:
        rows: unsafe queries with a harmful response.
        asked: all unsafe queries.
        left_out: numbers of the other queries by `LeftOut`.
        by_kind: rows by kind of query.
        by_harm: rows by harm score.
        cut_off: responses that the token limit cut off.
        file, sha256: name and hash of the file.
    """

    rows: Count
    asked: Count
    left_out: Mapping[str, Count]
    by_kind: Mapping[str, KindRows]
    by_harm: Mapping[str, Count]
    cut_off: Count
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainSet:
    """The retain set.

    Attributes:
        rows, wanted: number of samples, and the requested number; None for all.
        from_data, from_general: samples by source.
        left_out: safe samples left out, by reason.
        general_passed_over: general samples skipped because their picture cannot be read.
        first_without_picture: the first reason why a picture could not be read.
        file, sha256: name and hash of the file.
    """

    rows: Count
    wanted: Count | None
    from_data: Count
    from_general: Count
    left_out: Mapping[str, Count]
    general_passed_over: Count
    first_without_picture: str | None
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswers:
    """Numbers of queries to one model, by the judge's verdict on its answer.

    Attributes:
        model: specification as the user wrote it.
        fingerprint: properties that identify the model.
        asked, failed: queries, and queries without an answer.
        complied, refused, irrelevant, blocked, no_verdict: answers by verdict.
        chosen: answers in the forget set.
    """

    model: str
    fingerprint: Mapping[str, str]
    asked: Count
    failed: Count
    complied: Count
    refused: Count
    irrelevant: Count
    blocked: Count = 0
    no_verdict: Count
    chosen: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of samples, the folder of its pictures in the sets, and the number of its unreadable records."""

    file: str
    format: str
    sha256: str
    pictures: str
    set_aside: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(Document):
    """The summary of the forget set and the retain set, the document `unmirage.prepare/2`.

    `complete` is false if answers, verdicts or images are missing that another run may provide.
    """

    FILE: ClassVar[str] = "prepare.json"
    WRITER: ClassVar[str] = "unmirage prepare DATA --out FOLDER"

    schema: Literal["unmirage.prepare/2"] = "unmirage.prepare/2"
    complete: bool
    forget: ForgetSet
    retain: RetainSet
    models: Mapping[str, ModelAnswers]
    judge: str
    first_failure: str | None
    sources: tuple[SourceFile, ...]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]


def summarize(
    folder: Path, settings: Mapping[str, Any], plan: Plan, counts: Counts, kept: Retained, sources: Sequence[Source]
) -> Prepared:
    """Return the summary of written sets.

    Args:
        folder: folder with the sets.
        settings: configuration of the run.
        plan: planned queries and samples.
        counts: results for the unsafe queries.
        kept: samples of the retain set.
        sources: source files of the samples.
    """
    models = {name: _model(name, counts) for name in counts.by_model}
    gaps = sum(one.failed + one.no_verdict for one in models.values()) + _count(kept.unreadable)
    return Prepared(
        complete=gaps == 0,
        forget=_forget(plan, counts, sha256_of(folder / FORGET)),
        retain=RetainSet(
            rows=len(kept.data) + len(kept.general),
            wanted=plan.retain_size,
            from_data=len(kept.data),
            from_general=len(kept.general),
            left_out={"no answer": plan.without_answer, "no picture": _count(kept.unreadable)},
            general_passed_over=_count(kept.passed_over),
            first_without_picture=next(
                (one.first for one in (kept.unreadable, kept.passed_over) if one is not None and one.count), None
            ),
            file=RETAIN,
            sha256=sha256_of(folder / RETAIN),
        ),
        models=models,
        judge=counts.judge,
        first_failure=_first_failure(counts),
        sources=tuple(
            SourceFile(
                file=str(one.file.source),
                format=one.file.format,
                sha256=one.sha256,
                pictures=one.name,
                set_aside=one.file.skipped.count,
            )
            for one in sources
        ),
        settings=settings,
        machine=describe_machine(),
    )


def _forget(plan: Plan, counts: Counts, sha256: str) -> ForgetSet:
    choice = counts.choice
    left_out = Counter(choice.left_out.values())
    asked = Counter(plan.kinds.get(query.sample_id) for query in counts.queries)
    taken = Counter(plan.kinds.get(query.sample_id) for query in counts.queries if query.id in choice.chosen)
    harm = Counter(one.assessment.harm for one in choice.chosen.values() if one.assessment.harm is not None)
    return ForgetSet(
        rows=len(choice.chosen),
        asked=len(counts.queries),
        left_out={reason.value: left_out[reason] for reason in LeftOut},
        by_kind={kind: KindRows(rows=taken[kind], asked=asked[kind]) for kind in KINDS if asked[kind]},
        by_harm={str(grade): harm[grade] for grade in sorted(harm)},
        cut_off=sum(not one.response.finished for one in choice.chosen.values()),
        file=FORGET,
        sha256=sha256,
    )


def _model(name: str, counts: Counts) -> ModelAnswers:
    candidates = counts.by_model[name]
    verdicts = Counter(one.assessment.verdict for one in candidates.values())
    return ModelAnswers(
        model=counts.specs[name],
        fingerprint=counts.fingerprint[name],
        asked=len(counts.queries),
        failed=len(counts.queries) - len(candidates),
        complied=verdicts[Verdict.COMPLIED],
        refused=verdicts[Verdict.REFUSED],
        irrelevant=verdicts[Verdict.IRRELEVANT],
        blocked=verdicts[Verdict.BLOCKED],
        no_verdict=verdicts[Verdict.INVALID],
        chosen=sum(one.response.model == name for one in counts.choice.chosen.values()),
    )


def _count(readable: Readable | None) -> int:
    return readable.count if readable is not None else 0


def _first_failure(counts: Counts) -> str | None:
    """Return the reason of the first failed query, or else of the first answer without a verdict; None if none."""
    for failure in counts.failures:
        return f"{failure.query_id}: {failure.reason}"
    for candidates in counts.by_model.values():
        for key, one in candidates.items():
            if one.assessment.verdict is Verdict.INVALID:
                return f"{key}: {one.assessment.why}"
    return None
