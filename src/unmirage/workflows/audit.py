"""Audit a dataset, its repaired versions and another version of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unmirage.data import SampleFile, open_samples, writer_for
from unmirage.data.write import Rows, Writer
from unmirage.errors import UserError, unknown
from unmirage.run.files import check_targets, naming
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, counted, notes_on, opened, silent

if TYPE_CHECKING:
    from unmirage.attack.rewriters import Rewriter
    from unmirage.audit import AuditResult
    from unmirage.audit.pictures import Encoder
    from unmirage.audit.remedies import RemedySettings
    from unmirage.audit.rewording import Reword

_PARTS: tuple[Literal["query"], Literal["reasoning"]] = ("query", "reasoning")


@dataclass(frozen=True, slots=True)
class Audited:
    """Outcome of an audit.

    Attributes:
        result: the findings.
        error: the reason why a repaired version or the comparison is missing; None if none is.
        unread: what could not be read: skipped records by file, and corrupt pictures.
        notes: what was left out of the other files for want of a label, and fields that look as if they matter but were
            not read. The result has those of the data.
    """

    result: AuditResult
    error: UserError | None
    unread: list[str]
    notes: list[str]


def audit_data(
    data: PathLike | SampleFile,
    *,
    test: PathLike | SampleFile | None = None,
    compare: PathLike | SampleFile | None = None,
    part: str = "query",
    seed: int = 0,
    encoder: PathLike | Encoder | None = None,
    write: Mapping[str, PathLike | None] | None = None,
    remedies: Mapping[str, Any] | None = None,
    twins_rewriter: str | Rewriter = "rules",
    outputs: Mapping[str, Path | None] | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Audited:
    """Audit a dataset; the arguments are those of `unmirage.audit`.

    Args:
        write: output file by name of the remedy.
        remedies: fields of `RemedySettings`; None values are not given.
        twins_rewriter: makes the wordings of twins.
        outputs: other files that the caller will write, by option; checked before the work.
    """
    from unmirage.audit.audit import AuditOptions, audit
    from unmirage.audit.remediation import with_comparison, with_remedies

    files = {name: Path(path) for name, path in (write or {}).items() if path is not None}
    settings = _remedy_settings(files, remedies or {}, twins_rewriter)
    check_targets(
        {f"--write-{name}": path for name, path in files.items()} | dict(outputs or {}),
        [str(one.source if isinstance(one, SampleFile) else one) for one in (data, test, compare) if one is not None],
    )
    if part not in _PARTS:
        raise unknown("part of a sample", part, _PARTS)
    if part != "query" and files:
        raise UserError("--write-...: changes queries; leave it out, or audit the queries")
    told, read = progress or silent, list[SampleFile]()

    def reader(file: PathLike | SampleFile, **changed: Any) -> SampleFile:
        read.append(opened(file, reading | changed, told))
        return read[-1]

    dataset = reader(data)
    writers = {path: _naming(writer_for(path, dataset.format)) for path in files.values()}
    held_out = None if test is None else reader(test)
    other = None if compare is None else reader(compare, images=None)
    options = AuditOptions(
        seed=seed,
        part=next(one for one in _PARTS if one == part),
        encoder=_encode(encoder),
        progress=progress,
    )
    result, error = audit(dataset, held_out, options), None
    try:
        if files:
            result = with_remedies(
                result,
                dataset,
                files,
                writers.__getitem__,
                lambda path: open_samples(path, images=dataset.image_root),
                options,
                settings,
                held_out,
            )
        if other is not None:
            result = with_comparison(result, other, options, held_out)
    except UserError as failed:
        error = failed
    return Audited(result, error, _unread(result, read), [note for one in read[1:] for note in notes_on(one)])


def _remedy_settings(files: Mapping[str, Path], given: Mapping[str, Any], rewriter: str | Rewriter) -> RemedySettings:
    """Return the settings of the remedies.

    Raises:
        UserError: a setting is out of range, or that of a remedy that is not written.
    """
    from unmirage.audit.remedies import RemedySettings

    values = {name: value for name, value in given.items() if value is not None}
    for name in [*values, *(["twins_rewriter"] if rewriter != "rules" else [])]:
        remedy = name.partition("_")[0]
        if remedy not in files:
            raise UserError(f"--{name.replace('_', '-')}: needs --write-{remedy} FILE")
    if isinstance(rewriter, str) and rewriter != "rules":
        from unmirage.attack.rewriters import make_rewriter

        rewriter = make_rewriter(rewriter)
    return RemedySettings(**values, reword=None if isinstance(rewriter, str) else _rewording(rewriter))


def _rewording(rewriter: Rewriter) -> Reword:
    """Return a rewriter as the remedies call it."""
    from unmirage.attack.rewriters import Wanted

    def reword(wanted: Sequence[tuple[str, str]]) -> list[list[str]]:
        return rewriter.reword([Wanted(query, word, 1, "open") for query, word in wanted])

    return reword


def _unread(result: AuditResult, files: list[SampleFile]) -> list[str]:
    aside = [(one.skipped.count, one.source.name) for one in files if one.skipped.count]
    unread = [f"{counted(count, 'record')} of {name} skipped" for count, name in aside]
    if result.pictures and result.pictures.unreadable:
        unread.append(f"{counted(result.pictures.unreadable, 'picture')} unreadable")
    return unread


def _encode(encoder: PathLike | Encoder | None) -> Encoder | None:
    if not isinstance(encoder, str | Path):
        return encoder
    from unmirage.models.encoders import VisionEncoder

    return VisionEncoder.load(Path(encoder)).encode


def _naming(write: Writer) -> Writer:
    """Return `write` with errors of the file system that name the file, not a temporary one."""

    def named(samples: Rows, path: Path) -> str | None:
        with naming(path):
            return write(samples, path)

    return named
