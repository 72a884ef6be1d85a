"""Safety samples in, the sets that the alignment methods train on out. Pure functions of lists of samples."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from unmirage.data.rows import with_unique_ids
from unmirage.records import Sample
from unmirage.text.english.rewriter import rewrite
from unmirage.text.openers import opener

_WORDINGS = 4


def posthoc(samples: Iterable[Sample]) -> list[Sample]:
    """Return all safety samples as they are: fine-tuning after the general training."""
    return list(samples)


def mixed(samples: Iterable[Sample], general: Iterable[Sample]) -> list[Sample]:
    """Return the safety samples together with general instruction samples."""
    return with_unique_ids([*samples, *general])


def balanced(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the samples with their queries reworded so that the opener says nothing about the label.

    Every query, refused or not, opens with a word drawn from the openers of all queries. A query that draws
    its own opener is reworded too, so that being reworded says nothing either; it stays as it is only where
    no other wording with that opener exists.
    """
    pool = [word for word in (opener(sample.query) for sample in samples) if word]
    draw = random.Random(seed)
    return [replace(sample, query=_reworded(sample.query, pool, draw)) for sample in samples]


def _reworded(query: str, pool: Sequence[str], draw: random.Random) -> str:
    if not pool:
        return query
    wordings = rewrite(query, draw.choice(pool), _WORDINGS)
    return draw.choice(wordings) if wordings else query


def forget(samples: Iterable[Sample], answers: Mapping[str, str]) -> list[Sample]:
    """Return the refused samples with the harmful answer to unlearn in place of the refusal.

    Args:
        samples: the safety samples; the answered ones are left out.
        answers: the harmful answer by sample id; samples without one are left out.
    """
    return [replace(sample, answer=answers[sample.id]) for sample in samples if sample.refused and sample.id in answers]


def retain(samples: Iterable[Sample], general: Iterable[Sample]) -> list[Sample]:
    """Return what the model is to keep: the answered safety samples, topped up with general ones."""
    return with_unique_ids(sample for sample in [*samples, *general] if not sample.refused)


def drawn(
    samples: Iterable[Sample], size: int, seed: int, usable: Callable[[Sample], bool] = lambda _: True
) -> list[Sample]:
    """Return `size` of the usable samples, in their order, each as likely as any other; all where there are fewer.

    Samples may come one by one: no more than `size` of them are kept meanwhile, and `usable` is asked about few of
    the others, so it may be slow.

    Args:
        samples: what to draw from.
        size: how many.
        seed: of the draw.
        usable: whether a sample may be drawn.
    """
    draw = random.Random(seed)
    # The samples with the lowest random ranks; the highest of those is on top, the first to go.
    kept: list[tuple[float, int, Sample]] = []
    for index, sample in enumerate(samples):
        rank = draw.random()
        if size < 1 or (len(kept) == size and rank >= -kept[0][0]) or not usable(sample):
            continue
        entry = (-rank, index, sample)
        if len(kept) < size:
            heapq.heappush(kept, entry)
        else:
            heapq.heapreplace(kept, entry)
    return [sample for _, index, sample in sorted(kept, key=lambda one: one[1])]
