"""Options of `unmirage stress` in, checked: the files to fine-tune on, and how many samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.cli.options import parse_columns
from unmirage.errors import UserError
from unmirage.records import Kind, Query
from unmirage.text.openers import opener

if TYPE_CHECKING:
    from unmirage.data import SampleFile
    from unmirage.evaluate.lasting import RelearnData

FORGET, BENIGN, SAME_SYNTAX = "forget", "benign", "same-syntax"
KINDS = (FORGET, BENIGN, SAME_SYNTAX)


def relearn_files(given: Sequence[str]) -> dict[str, Path]:
    """Return the files of "forget=forget.jsonl", by kind; each kind once."""
    files: dict[str, Path] = {}
    for text in given:
        kind, found, path = text.partition("=")
        if not found or kind not in KINDS or not path:
            raise UserError(f"--relearn {text}: expected KIND=FILE with KIND one of {', '.join(KINDS)}")
        if kind in files:
            raise UserError(f"--relearn {text}: {kind} is given twice; valid: one file of each kind")
        files[kind] = Path(path)
    return files


def counts_of(text: str) -> list[int]:
    """Return the numbers of "0,8,32,128", each once, in order."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"--samples {text}: expected whole numbers with commas between them, such as 0,8,32,128")
    return sorted({int(part) for part in parts})


def relearn_data(
    files: Mapping[str, Path],
    most: int,
    seed: int,
    queries: Sequence[Query],
    *,
    format: str = "auto",
    columns: str = "",
    images: Path | None = None,
) -> dict[str, RelearnData]:
    """Return what is fine-tuned on, in drawn order.

    Of benign files only what is meant to be answered counts. What is to be of the same syntax is worded anew, so that
    it opens as the run's unsafe queries do.

    Args:
        files: by kind.
        most: how many samples of each are needed.
        seed: of the draw.
        queries: of the run.
        format, columns, images: how the files are read.

    Raises:
        UserError: a file cannot be read, or does not hold enough.
    """
    from unmirage.data import open_samples
    from unmirage.evaluate.lasting import RelearnData

    found = {}
    for kind, path in files.items():
        file = open_samples(path, format, columns=parse_columns(columns), images=images)
        samples = _drawn(kind, file, most, seed, queries)
        if len(samples) < most:
            raise UserError(
                f"--relearn {kind}={path}: {len(samples)} samples can be used, and --samples asks for {most}; "
                f"valid: up to {len(samples)}"
            )
        found[kind] = RelearnData(samples=samples, images=file.pictures)
    return found


def _drawn(kind: str, file: SampleFile, most: int, seed: int, queries: Sequence[Query]) -> list[Any]:
    from unmirage.data.ids import with_unique_ids
    from unmirage.evaluate.lasting import in_drawn_order, same_syntax

    samples = with_unique_ids(file)
    if kind == SAME_SYNTAX:
        unsafe = [opener(query.text) for query in queries if query.unsafe and query.kind is Kind.PLAIN]
        if not any(unsafe):
            raise UserError("--relearn same-syntax: the run holds no unsafe queries, whose openers it would take")
        return same_syntax(samples, unsafe, most, seed)
    return in_drawn_order((one for one in samples if kind == FORGET or not one.refused), seed)[:most]


def check_run(config: Mapping[str, Any], file: Path) -> None:
    """Raise `UserError` where a run was not made by `attack` or `evaluate --suite`; `file` is its configuration."""
    if not {"seed", "attack", "data", "images", "max_new_tokens"} <= set(config):
        raise UserError(f"{file}: field 'attack' is missing; stress takes a run of `unmirage attack`")
