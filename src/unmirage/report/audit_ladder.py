"""Describe the probes of an audit: what each one reads, and its accuracy as a bar."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.report.audit_document import AccuracyRead, AuditRead, PicturesRead, ProbesRead

RUNGS = {
    "majority": "nothing: always the majority label",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation and capitals",
    "template": "the sentence pattern, with content words masked",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the image’s file, size and colors",
    "words_and_image": "all words, and the image’s file, size and colors",
    "image_embedding": "the image embedding of a vision encoder",
}
_OF_PICTURES = {"image", "words_and_image", "image_embedding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A probe's accuracy in percent of the width: the part that the majority label reaches, and the gain over it."""

    plain: float
    more: float
    low: float | None
    high: float | None
    majority: float | None
    seen: float | None


@dataclass(frozen=True, slots=True)
class Rung:
    """One probe; `note` replaces the value if there is none."""

    name: str
    accuracy: AccuracyRead
    note: str
    bar: Bar | None


def ladder(audit: AuditRead) -> tuple[Rung, ...]:
    """Return the probes in the order of the document."""
    return tuple(_rung(name, accuracy, audit.pictures) for name, accuracy in audit.predictability.items())


def rung_name(name: str) -> str:
    """Return what a probe reads; an unknown probe is shown by its name."""
    return RUNGS.get(name, name)


def measured_on(probes: ProbesRead) -> str:
    """Return which queries count as unseen; "" if the document does not say."""
    if probes.test_source:
        size = "" if probes.test_n is None else f" ({probes.test_n:,} queries)"
        return f"Unseen: the queries of {probes.test_source}{size}."
    if probes.evaluation != "cross-validated":
        return ""
    folds = "" if probes.folds is None else f" with {probes.folds} folds"
    rows = "" if probes.rows is None else f" {probes.rows:,} queries{', a random sample' if probes.sampled else ''},"
    return f"Unseen:{rows} cross-validated{folds}."


def _rung(name: str, accuracy: AccuracyRead, pictures: PicturesRead | None) -> Rung:
    bar = _bar(accuracy)
    return Rung(rung_name(name), accuracy, "" if bar else _why(name, pictures), bar)


def _bar(accuracy: AccuracyRead) -> Bar | None:
    if accuracy.test is None:
        return None
    test = round(100 * accuracy.test, 1)
    low, high, majority, seen = (
        None if share is None else round(100 * share, 1)
        for share in (accuracy.low, accuracy.high, accuracy.baseline, accuracy.train)
    )
    plain = test if majority is None else min(test, majority)
    known = low is not None and high is not None
    return Bar(
        plain=plain,
        more=round(test - plain, 1),
        low=low if known else None,
        high=high if known else None,
        majority=majority,
        seen=seen,
    )


def _why(name: str, pictures: PicturesRead | None) -> str:
    if name not in _OF_PICTURES or (pictures is not None and pictures.read):
        return "not estimable"
    return "no images were found" if pictures is not None and pictures.named else "the data has no images"
