"""Audit two versions of a dataset side by side: as given and repaired, or two files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.compare import MOST_LISTED, Comparison, RemedyOutcome, only_in
from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import REMEDIES
from unmirage.audit.result import AuditResult
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.records import Dataset, Sample

Write = Callable[[Iterable[Sample], Path], None]
Open = Callable[[Path], SampleFile]


def with_remedies(
    result: AuditResult,
    data: SampleFile | Dataset,
    files: Mapping[str, Path],
    write: Callable[[Path], Write],
    read: Open,
    options: AuditOptions,
) -> AuditResult:
    """Return the audit with each remedy in `files`: applied, written, read back and audited again.

    Args:
        data: the dataset; read once more, and again for each remedy.
        files: output file of each remedy of `REMEDIES`.
        write: returns the function that writes to a path.
        read: opens the written file.
        options: options of the audit, also used for the written files.
    """
    corpus = Reader().read(data)
    outcomes = {}
    for name, path in files.items():
        try:
            remedy = REMEDIES[name](corpus, options.seed)
        except UserError as error:
            raise UserError(f"{data.source}: {error}") from None
        write(path)(remedy.apply(data), path)
        found = audit(read(path), None, options)
        outcomes[name] = RemedyOutcome(
            file=path.name.encode("utf-8", "replace").decode(),
            n=found.n,
            refused=found.refused,
            dropped=remedy.dropped,
            changed=remedy.changed,
            unchanged_wording=remedy.unchanged_wording,
            predictability=found.predictability,
            informedness=found.informedness,
            auc=found.auc,
            shortcut_gap=found.shortcut_gap,
        )
    return replace(result, remedies=outcomes)


def with_comparison(result: AuditResult, other: SampleFile | Dataset, options: AuditOptions) -> AuditResult:
    """Return the audit with a comparison to another version of the dataset."""
    found = audit(other, None, options)
    gone, new = only_in(result.findings, found.findings), only_in(found.findings, result.findings)
    return replace(
        result,
        compare=Comparison(
            source=found.source,
            n=found.n,
            refused=found.refused,
            predictability=found.predictability,
            informedness=found.informedness,
            auc=found.auc,
            shortcut_gap=found.shortcut_gap,
            gone=gone[:MOST_LISTED],
            gone_n=len(gone),
            new=new[:MOST_LISTED],
            new_n=len(new),
        ),
    )
