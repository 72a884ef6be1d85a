"""Build prepare.json (schema `unmirage.prepare/1`), the summary of the forget set and the retain set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmirage.prepare.choose import Candidate, Choice, LeftOut
from unmirage.prepare.plan import KINDS, Plan
from unmirage.prepare.sets import FORGET, RETAIN, Readable, Retained, Source
from unmirage.records import Failure, Query, Verdict
from unmirage.run.fingerprint import sha256_of
from unmirage.run.machine import describe_machine

SCHEMA = "unmirage.prepare/1"


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


def document(
    folder: Path, settings: Mapping[str, Any], plan: Plan, counts: Counts, kept: Retained, sources: Sequence[Source]
) -> dict[str, Any]:
    """Return the content of prepare.json.

    `complete` is false if answers, verdicts or images are missing that another run may provide.
    """
    models = {name: _model(name, counts) for name in counts.by_model}
    gaps = sum(one["failed"] + one["no_verdict"] for one in models.values()) + _count(kept.unreadable)
    return {
        "schema": SCHEMA,
        "complete": gaps == 0,
        "forget": _forget(plan, counts) | {"file": FORGET, "sha256": sha256_of(folder / FORGET)},
        "retain": _retain(plan, kept) | {"file": RETAIN, "sha256": sha256_of(folder / RETAIN)},
        "models": models,
        "judge": counts.judge,
        "first_failure": _first_failure(counts),
        "sources": [
            {"file": str(one.file.source), "format": one.file.format, "sha256": one.sha256, "pictures": one.name}
            | {"set_aside": one.file.skipped.count}
            for one in sources
        ],
        "settings": dict(settings),
        "machine": describe_machine(),
    }


def _forget(plan: Plan, counts: Counts) -> dict[str, Any]:
    choice = counts.choice
    left_out = Counter(choice.left_out.values())
    asked = Counter(plan.kinds.get(query.sample_id) for query in counts.queries)
    taken = Counter(plan.kinds.get(query.sample_id) for query in counts.queries if query.id in choice.chosen)
    harm = Counter(one.assessment.harm for one in choice.chosen.values() if one.assessment.harm is not None)
    return {
        "rows": len(choice.chosen),
        "asked": len(counts.queries),
        "left_out": {reason.value: left_out[reason] for reason in LeftOut},
        "by_kind": {kind: {"rows": taken[kind], "asked": asked[kind]} for kind in KINDS if asked[kind]},
        "by_harm": {str(grade): harm[grade] for grade in sorted(harm)},
        "cut_off": sum(not one.response.finished for one in choice.chosen.values()),
    }


def _model(name: str, counts: Counts) -> dict[str, Any]:
    candidates = counts.by_model[name]
    verdicts = Counter(one.assessment.verdict for one in candidates.values())
    return {
        "model": counts.specs[name],
        "fingerprint": dict(counts.fingerprint[name]),
        "asked": len(counts.queries),
        "failed": len(counts.queries) - len(candidates),
        "complied": verdicts[Verdict.COMPLIED],
        "refused": verdicts[Verdict.REFUSED],
        "irrelevant": verdicts[Verdict.IRRELEVANT],
        "no_verdict": verdicts[Verdict.INVALID],
        "chosen": sum(one.response.model == name for one in counts.choice.chosen.values()),
    }


def _retain(plan: Plan, kept: Retained) -> dict[str, Any]:
    return {
        "rows": len(kept.data) + len(kept.general),
        "wanted": plan.retain_size,
        "from_data": len(kept.data),
        "from_general": len(kept.general),
        "left_out": {"no answer": plan.without_answer, "no picture": _count(kept.unreadable)},
        "general_passed_over": _count(kept.passed_over),
        "first_without_picture": next(
            (one.first for one in (kept.unreadable, kept.passed_over) if one is not None and one.count), None
        ),
    }


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
