"""Leave out samples whose picture cannot be read, and report them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.records import Sample

log = logging.getLogger(__name__)


def readable(samples: Sequence[Sample], pictures: Pictures) -> tuple[list[Sample], list[str]]:
    """Return the samples with a readable picture or none, and a reason for each of the others."""
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
        raise UserError(f"no picture can be read; the first error: {reasons[0]}")
    if reasons:
        log.warning("%d samples are left out; the first: %s", len(reasons), reasons[0])
    return found, reasons
