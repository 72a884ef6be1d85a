"""Make the training sets of the alignment methods from safety samples."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from unmirage.data.places import reworded
from unmirage.data.rows import with_unique_ids
from unmirage.records import Sample
from unmirage.text.english.rewriter import rewrite
from unmirage.text.openers import opener
from unmirage.text.refusals import declining_phrase
from unmirage.text.sentences import sentences

_WORDINGS = 4


def posthoc(samples: Iterable[Sample]) -> list[Sample]:
    """Return the safety samples unchanged, for post-hoc fine-tuning."""
    return list(samples)


def mixed(samples: Iterable[Sample], general: Iterable[Sample]) -> list[Sample]:
    """Return the safety samples together with general instruction samples."""
    return with_unique_ids([*samples, *general])


def balanced(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the samples with queries rewritten so that the opener does not predict the label.

    Every query gets an opener drawn from the openers of all queries. A query that draws its own opener is rewritten
    too, so that rewriting does not predict the label either; it is unchanged only if no other wording exists.
    """
    pool = [word for word in (opener(sample.query) for sample in samples) if word]
    draw = random.Random(seed)
    return [reworded(sample, lambda query: _reworded(query, pool, draw)) for sample in samples]


def rationale_only(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples without the sentences of refusals that decline.

    Refused samples whose answer is empty after that are dropped. Answered samples are unchanged.
    """
    kept = (replace(sample, answer=_explained(sample.answer)) if sample.refused else sample for sample in samples)
    return [sample for sample in kept if sample.answer or not sample.refused]


def _explained(answer: str) -> str:
    return " ".join(one.strip() for one in sentences(answer) if declining_phrase(one) is None)


def _reworded(query: str, pool: Sequence[str], draw: random.Random) -> str:
    if not pool:
        return query
    wordings = rewrite(query, draw.choice(pool), _WORDINGS)
    return draw.choice(wordings) if wordings else query


def forget(samples: Iterable[Sample], answers: Mapping[str, str]) -> list[Sample]:
    """Return the refused samples with the harmful answers to unlearn.

    Args:
        samples: safety samples; answered ones are dropped.
        answers: harmful answer by sample id; samples without one are dropped.
    """
    return [replace(sample, answer=answers[sample.id]) for sample in samples if sample.refused and sample.id in answers]


def retain(samples: Iterable[Sample], general: Iterable[Sample]) -> list[Sample]:
    """Return the retain set: the answered safety samples and the general samples."""
    return with_unique_ids(sample for sample in [*samples, *general] if not sample.refused)


def drawn(
    samples: Iterable[Sample], size: int, seed: int, usable: Callable[[Sample], bool] = lambda _: True
) -> list[Sample]:
    """Return a uniform random draw of `size` usable samples in their order; all if there are fewer.

    Samples are streamed: at most `size` of them are in memory. `usable` is called for few of the others, so it may
    be slow.

    Args:
        samples: the samples to draw from.
        size: number of samples.
        seed: seed of the draw.
        usable: whether a sample may be drawn.
    """
    draw = random.Random(seed)
    # A heap of the samples with the lowest random ranks; the highest of them is replaced first.
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
