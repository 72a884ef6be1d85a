"""Audit two versions of a dataset side by side: as given and repaired, or two files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.compare import MOST_LISTED, Comparison, RemedyOutcome, WeightCounts, only_in
from unmirage.audit.corpus import Floats, Ints
from unmirage.audit.remedies import REMEDIES, RemedySettings
from unmirage.audit.result import AuditResult
from unmirage.audit.rewording import Queries, Remedy
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import Writer
from unmirage.data.written import Written, rows_of
from unmirage.errors import UserError
from unmirage.records import Dataset, Sample

Open = Callable[[Path], SampleFile]
_FEW, _ONE_SIDED = 0.5, 0.8
# What versions of a dataset are compared by.
_MEASURED = ("n", "refused", "predictability", "informedness", "auc", "shortcut_gap")


@dataclass(frozen=True, slots=True)
class _Repaired:
    """The rows of a repaired dataset, made again by each iteration."""

    remedy: Remedy
    data: SampleFile | Dataset
    ids: Sequence[str]

    def __iter__(self) -> Iterator[Written]:
        return self.remedy.rows(rows_of(self.data), self.ids)


@dataclass
class _Drawn(SampleFile):
    """A file whose samples are repeated.

    Attributes:
        times: how often each sample is read.
    """

    times: Sequence[int] = ()

    @classmethod
    def of(cls, file: SampleFile, times: Ints) -> _Drawn:
        """Return a file with repeated samples."""
        own = {one.name: getattr(file, one.name) for one in fields(SampleFile) if one.init}
        return cls(**own, times=times.tolist())

    def __iter__(self) -> Iterator[Sample]:
        for sample, times in zip(super().__iter__(), self.times, strict=True):
            for _ in range(times):
                yield sample


def with_remedies(
    result: AuditResult,
    data: SampleFile | Dataset,
    files: Mapping[str, Path],
    write: Callable[[Path], Writer],
    read: Open,
    options: AuditOptions,
    settings: RemedySettings | None = None,
    test: SampleFile | Dataset | None = None,
) -> AuditResult:
    """Return the audit with each remedy in `files`: applied, written, read back and audited again.

    Args:
        data: the dataset; read once more, and again for each remedy.
        files: output file of each remedy of `REMEDIES`.
        write: returns the function that writes to a path.
        read: opens the written file.
        options: options of the audit, also used for the written files.
        settings: settings of the remedies.
        test: held-out queries that all versions are measured on.

    Raises:
        UserError: the dataset has one label, or a remedy is not possible.
    """
    if result.refused in (0, result.n):
        label = "refused" if result.refused else "answered"
        raise UserError(f"{data.source}: all {result.n:,} queries are {label}; to repair the data, add others to it")
    queries, outcomes = Queries.read(data), {}
    for name, path in files.items():
        written, weights = _written(name, queries, data, path, write(path), options.seed, settings)
        file = read(path)
        found = audit(
            file if weights is None else _Drawn.of(file, drawn_by_weight(weights, options.seed)), test, options
        )
        outcome = replace(written, **_measured(found))
        if weights is not None:  # the audit is of a draw
            outcome = replace(outcome, n=len(weights), refused=result.refused)
        outcomes[name] = replace(outcome, notes=(*_warnings(name, outcome, result), *outcome.notes))
    return replace(result, remedies=outcomes)


def _written(
    name: str,
    queries: Queries,
    data: SampleFile | Dataset,
    path: Path,
    write: Writer,
    seed: int,
    settings: RemedySettings | None,
) -> tuple[RemedyOutcome, Floats | None]:
    """Write a repaired version, and return what changed; the remedy itself takes much memory."""
    try:
        remedy = REMEDIES[name](queries, seed, settings or RemedySettings())
    except UserError as error:
        raise UserError(f"{data.source}: {error}") from None
    told = write(_Repaired(remedy, data, queries.ids), path)
    weights = remedy.weights
    outcome = RemedyOutcome(
        file=path.name.encode("utf-8", "replace").decode(),
        n=0,
        refused=0,
        dropped=remedy.dropped,
        repeated=remedy.repeated,
        changed=remedy.changed,
        added=remedy.added,
        unchanged_wording=remedy.unchanged_wording,
        lost_places=remedy.lost_places,
        missing=remedy.missing,
        weights=None if weights is None else WeightCounts.of(weights, queries.corpus.refused, remedy.capped),
        notes=(*remedy.notes, *([told] if told else [])),
    )
    return outcome, weights


def _measured(found: AuditResult) -> dict[str, Any]:
    """Return the compared fields of an audit."""
    return {name: getattr(found, name) for name in _MEASURED}


def drawn_by_weight(weights: Floats, seed: int) -> Ints:
    """Return how often to draw each query: its weight, rounded down or up, as many in all as have a weight.

    Systematic sampling: the rounding is that of one random number for all.
    """
    ends = np.cumsum(weights) * ((weights > 0).sum() / weights.sum()) + np.random.default_rng(seed).random()
    times: Ints = np.diff(np.floor(ends).astype(np.int64), prepend=0)
    return times


def _warnings(name: str, outcome: RemedyOutcome, before: AuditResult) -> Iterator[str]:
    """Yield a warning if a version is small or one-sided."""
    refused = outcome.refused / outcome.n if outcome.weights is None else outcome.weights.refused
    more, label = (refused, "refused") if refused >= 0.5 else (1 - refused, "answered")
    original = (before.refused if label == "refused" else before.answered) / before.n
    used = outcome.n if outcome.weights is None else outcome.n - outcome.weights.zero
    told = []
    if used < _FEW * before.n:
        told.append(f"{'keeps' if outcome.weights is None else 'weighs'} only {used:,} of {before.n:,} queries")
    if outcome.weights is not None and outcome.weights.effective < _FEW * before.n:
        told.append(f"the effective sample size is only {outcome.weights.effective:,.0f}")
    if more > _ONE_SIDED:
        told.append(f"{more:.1%} of its {used:,} queries are {label} (of the original: {original:.1%})")
    if told:
        better = {
            "balanced": "--write-twins keeps all queries; --balanced-size, --balanced-refused and --balanced-copies "
            "set size, ratio and repeats",
            "weighted": "--write-twins uses all queries; --weighted-refused sets the ratio",
        }
        fix = better.get(name, "add queries of the other label, or use --write-balanced with --balanced-refused")
        yield f"{' and '.join(told)}. {fix}"


def with_comparison(
    result: AuditResult, other: SampleFile | Dataset, options: AuditOptions, test: SampleFile | Dataset | None = None
) -> AuditResult:
    """Return the audit with a comparison to another version of the dataset, measured on the same held-out queries."""
    found = audit(other, test, options)
    gone, new = only_in(result.findings, found.findings), only_in(found.findings, result.findings)
    return replace(
        result,
        compare=Comparison(
            source=found.source,
            **_measured(found),
            gone=gone[:MOST_LISTED],
            gone_n=len(gone),
            new=new[:MOST_LISTED],
            new_n=len(new),
        ),
    )
