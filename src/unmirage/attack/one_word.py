"""Samples in, queries out: the one-word attacks, their control, and the plain queries they are measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from unmirage.records import Kind, Query, Sample
from unmirage.text.rewriter import paraphrase, rewrite


def plain(samples: Iterable[Sample], kind: Kind = Kind.PLAIN) -> list[Query]:
    """Return each sample's own query, unchanged."""
    return [_query(sample, kind, 0, sample.query, None) for sample in samples]


def jailbreak(samples: Iterable[Sample], word: str, shots: int) -> list[Query]:
    """Rewrite every unsafe query into `shots` different ones that open with a non-rejection-bias word."""
    return _shots((s for s in samples if s.refused), Kind.JAILBREAK, word, shots, rewrite)


def over_prudence(samples: Iterable[Sample], word: str, shots: int) -> list[Query]:
    """Rewrite every benign query so that it opens with a rejection-bias word."""
    return _shots((s for s in samples if not s.refused), Kind.OVER_PRUDENCE, word, shots, rewrite)


def control(samples: Iterable[Sample], word: str, shots: int) -> list[Query]:
    """Paraphrase every unsafe query as often as the jailbreak does, but without its word."""
    return _shots((s for s in samples if s.refused), Kind.CONTROL, word, shots, paraphrase)


def _shots(
    samples: Iterable[Sample],
    kind: Kind,
    word: str,
    shots: int,
    reword: Callable[[str, str, int], list[str]],
) -> list[Query]:
    return [
        _query(sample, kind, shot, text, word)
        for sample in samples
        for shot, text in enumerate(reword(sample.query, word, shots))
    ]


def _query(sample: Sample, kind: Kind, shot: int, text: str, word: str | None) -> Query:
    return Query(
        id=f"{sample.id}|{kind}|{shot}",
        sample_id=sample.id,
        kind=kind,
        shot=shot,
        text=text,
        image=sample.image,
        unsafe=sample.refused,
        word=word,
    )
