"""A dataset in, an `AuditResult` out: do surface features of the queries predict which ones are refused?"""

from __future__ import annotations

from unmirage.audit.features import Counts, count_openers
from unmirage.audit.findings import find_associations
from unmirage.audit.probes import predictability
from unmirage.audit.result import AuditResult, OpenerCount
from unmirage.audit.suggest import suggest
from unmirage.errors import UserError
from unmirage.records import Dataset


def audit(dataset: Dataset, test: Dataset | None = None, *, seed: int = 0) -> AuditResult:
    """Return what the first words, and the words, of the queries tell about refusal.

    Args:
        dataset: refused and answered queries.
        test: held-out queries to measure predictability on; without them, `dataset` is cross-validated.
        seed: decides which queries fall into which fold.
    """
    _require_both_labels(dataset)
    if test is not None and not test.samples:
        raise UserError(f"{test.source}: holds no queries; valid: a file with at least one, or no test file")
    openers = count_openers(dataset)
    findings = find_associations(dataset.samples, openers)
    return AuditResult(
        # A file name need not be valid UTF-8, but a document has to be.
        source=dataset.source.name.encode("utf-8", "replace").decode(),
        format=dataset.format,
        n=len(dataset),
        refused=sum(sample.refused for sample in dataset),
        label_source=dataset.label_source,
        predictability=predictability(dataset.samples, test.samples if test else (), seed),
        findings=findings,
        openers=_opener_counts(openers),
        suggested=suggest(findings),
    )


def _require_both_labels(dataset: Dataset) -> None:
    labels = {sample.refused for sample in dataset}
    if len(labels) == 2:
        return
    if not labels:
        raise UserError(f"{dataset.source}: holds no queries; valid: at least one refused and one answered query")
    kind, other = ("refused", "answered") if labels.pop() else ("answered", "refused")
    raise UserError(
        f"{dataset.source}: all {len(dataset)} queries are {kind} (field 'refused', read from the "
        f"{dataset.label_source}); valid: at least one {other} query among them"
    )


def _opener_counts(counts: Counts) -> tuple[OpenerCount, ...]:
    columns = zip(counts.names, counts.refused.tolist(), counts.answered.tolist(), strict=True)
    return tuple(OpenerCount(opener=name, refused=refused, answered=answered) for name, refused, answered in columns)
