"""Samples in, those whose picture can be read out; the others are said, and end the command as partial."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.cli.console import EXIT_PARTIAL, err, fail
from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.records import Sample


def readable(samples: Sequence[Sample], pictures: Pictures) -> tuple[list[Sample], list[str]]:
    """Return the samples that can be asked about, and a reason for each of the others."""
    found: list[Sample] = []
    reasons: list[str] = []
    for sample in samples:
        try:
            if sample.image is not None:
                pictures.open(sample.image)
            found.append(sample)
        except UserError as error:
            reasons.append(str(error))
    if not found:
        raise UserError(f"no picture can be read; the first: {reasons[0]}")
    if reasons:
        err.print(f"{len(reasons)} samples are left out, the first: {reasons[0]}", markup=False, soft_wrap=True)
    return found, reasons


def end_partial(reasons: Sequence[str]) -> None:
    """End with the status for partial results if samples were left out."""
    if reasons:
        fail(f"partial: {len(reasons)} samples were left out, as their pictures cannot be read", EXIT_PARTIAL)
