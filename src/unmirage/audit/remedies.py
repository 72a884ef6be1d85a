"""Repair a corpus whose openers predict the label, by dropping or rewording queries.

Balancing drops queries: each opener keeps refused and answered queries in one common proportion, so that opener and
label are independent. Diversifying rewords queries: both labels get the same distribution of openers. Of every opener's
queries the same share is reworded, so that rewording itself does not predict the label.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.counterfactual import Swaps, ValidRate
from unmirage.audit.features import fewest_queries
from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.audit.probes import Evidence
from unmirage.data.sample import deal
from unmirage.errors import UserError
from unmirage.records import Count, Direction, Finding, Sample
from unmirage.text.english.rewriter import can_open, rewrite
from unmirage.text.openers import opener

_WORDINGS = 4


@dataclass(frozen=True, slots=True)
class Remedy:
    """The changes of a remedy to a dataset.

    Attributes:
        kept: (n,) True for queries to keep.
        unchanged_wording: queries selected for rewording, but without another known wording.
    """

    kept: Bools
    reworded: dict[int, str]
    unchanged_wording: int = 0

    @property
    def dropped(self) -> int:
        """Return the number of dropped queries."""
        return int((~self.kept).sum())

    @property
    def changed(self) -> int:
        """Return the number of reworded queries."""
        return len(self.reworded)

    def apply(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the repaired dataset; `samples` are those of the corpus, in order."""
        for place, sample in enumerate(samples):
            if self.kept[place]:
                text = self.reworded.get(place)
                yield sample if text is None else replace(sample, query=text)


def balance(corpus: Corpus, seed: int) -> Remedy:
    """Return which queries to drop so that all openers have the same share of refused queries.

    The common proportion maximizes the number of kept pairs of a refused and an answered query. This keeps most of both
    labels. Maximizing the number of kept queries could remove nearly all queries of one label.

    Raises:
        UserError: no opener has queries of both labels, so nothing could be kept.
    """
    openers, refused, answered = _by_opener(corpus)
    shared = (refused > 0) & (answered > 0)
    if not shared.any():
        raise UserError(
            "no opener has both refused and answered queries, so balancing would drop everything; "
            "use --write-diversified, which rewords queries instead"
        )
    target = max(np.unique(refused[shared] / answered[shared]), key=lambda ratio: _pairs(refused, answered, ratio))
    keep_answered = np.floor(np.minimum(answered, refused / target) + 1e-9).astype(np.int64)
    keep_refused = np.minimum(refused, np.rint(keep_answered * target)).astype(np.int64)
    keep_answered[keep_refused == 0] = 0
    draw = np.random.default_rng(seed)
    kept = np.zeros(len(corpus), dtype=np.bool_)
    for label, counts in ((True, keep_refused), (False, keep_answered)):
        for place in np.flatnonzero(counts).tolist():
            candidates = np.flatnonzero((openers == place) & (corpus.refused == label))
            kept[draw.choice(candidates, counts[place], replace=False)] = True
    return Remedy(kept, {})


def diversify(corpus: Corpus, seed: int) -> Remedy:
    """Return new wordings so that both labels have the same distribution of openers.

    For each opener, the same share of both labels stays unchanged: the largest share that the rarer label allows. All
    other queries get a new opener, drawn for both labels in the proportions of the original data. Openers that the
    rewriter does not support are dropped.

    Raises:
        UserError: the rewriter, which supports English, can use none of the openers.
    """
    openers, refused, answered = _by_opener(corpus)
    names = [opener(corpus.queries[int(np.argmax(openers == place))]) for place in range(len(refused))]
    usable = np.array([can_open(name) for name in names]) & (refused + answered >= fewest_queries(len(corpus)))
    if not usable.any():
        raise UserError("the rewriter supports only English openers, and these data have none; use --write-balanced")
    share = {True: refused / max(1, refused.sum()), False: answered / max(1, answered.sum())}
    alone = np.where(usable, np.minimum(share[True], share[False]), 0.0)
    wanted = np.where(usable, np.maximum((refused + answered) / len(corpus) - alone, 0.0), 0.0)
    wanted = np.where(wanted.sum() > 0, wanted, usable.astype(float))
    weights = dict(enumerate(wanted.tolist()))
    draw = random.Random(f"diversify-{seed}")
    reworded: dict[int, str] = {}
    stuck = 0
    for label in (True, False):
        left = _not_left_alone(openers, corpus.refused == label, alone, draw)
        for place, number in zip(left, deal(weights, len(left), draw), strict=True):
            text = _reworded(corpus.queries[place], names[number], draw)
            stuck += text is None
            if text is not None:
                reworded[place] = text
    return Remedy(np.ones(len(corpus), dtype=np.bool_), reworded, stuck)


# The option of each remedy, and its function.
REMEDIES: dict[str, Callable[[Corpus, int], Remedy]] = {"balanced": balance, "diversified": diversify}


def _by_opener(corpus: Corpus) -> tuple[Ints, Ints, Ints]:
    """Return the opener of each query (n,), numbered from 0, and refused and answered queries of each opener."""
    _, openers = np.unique(corpus.word_at(0), return_inverse=True)
    size = int(openers.max(initial=-1)) + 1
    refused = np.bincount(openers[corpus.refused], minlength=size)
    return openers, refused, np.bincount(openers, minlength=size) - refused


def _pairs(refused: Ints, answered: Ints, ratio: float) -> float:
    """Return the product of kept refused and answered queries, at `ratio` refused queries per answered one."""
    kept = float(np.minimum(answered, refused / ratio).sum())
    return kept * kept * ratio


def _not_left_alone(openers: Ints, of_label: Bools, alone: Floats, draw: random.Random) -> list[int]:
    """Return the queries of one label that get a new wording, in order."""
    n = int(of_label.sum())
    left = []
    for place in range(len(alone)):
        own = np.flatnonzero((openers == place) & of_label).tolist()
        spared = set(draw.sample(own, min(len(own), int(alone[place] * n + 1e-9))))
        left += [query for query in own if query not in spared]
    return sorted(left)


def _reworded(query: str, word: str, draw: random.Random) -> str | None:
    wordings = rewrite(query, word, _WORDINGS)
    return draw.choice(wordings) if wordings else None


MAX_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackWord:
    """An opener to attack with.

    Attributes:
        refused: number of refused queries with it.
        answered: number of answered queries with it.
        log_odds, low, high: its association with refusal.
        flips: share of the attacked queries whose predicted label flips with this opener.
    """

    word: str
    refused: Count
    answered: Count
    log_odds: float
    low: float
    high: float
    flips: ValidRate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackWords:
    """Openers to attack with, the most promising first."""

    jailbreak: tuple[AttackWord, ...] = ()
    over_prudence: tuple[AttackWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """The words of `AttackWords`."""

    jailbreak: tuple[str, ...]
    over_prudence: tuple[str, ...]

    @property
    def words(self) -> dict[str, str]:
        """Return the most promising opener by kind of attack; kinds without one are left out."""
        found = {"jailbreak": self.jailbreak, "over-prudence": self.over_prudence}
        return {kind: words[0] for kind, words in found.items() if words}


def strong_openers(findings: Iterable[Finding]) -> list[Finding]:
    """Return the openers that are significantly associated with a label after adjustment; the strongest first."""
    tied = [f for f in findings if f.position == "opener" and f.q_value < MAX_Q_VALUE and f.direction != "none"]
    return sorted(tied, key=lambda finding: -finding.tie.strength)


def suggest(findings: Iterable[Finding], evidence: Evidence) -> AttackWords:
    """Return up to ten openers for each attack.

    They are ranked by `strength`, because a model learns a shortcut from many consistent examples. The end of the
    interval nearer to 0 grows with both the consistency and the number of examples.
    """
    openers = strong_openers(findings)
    if not openers:
        return AttackWords()
    swaps = Swaps(evidence)
    return AttackWords(
        jailbreak=_attack(openers, "answer", swaps, refused=True),
        over_prudence=_attack(openers, "refusal", swaps, refused=False),
    )


def _attack(openers: list[Finding], direction: Direction, swaps: Swaps, *, refused: bool) -> tuple[AttackWord, ...]:
    chosen = [finding for finding in openers if finding.direction == direction][:MAX_WORDS]
    return tuple(
        AttackWord(
            word=one.feature,
            refused=one.refused,
            answered=one.answered,
            **asdict(one.tie),
            flips=swaps.flips(one.feature, refused=refused),
        )
        for one in chosen
    )
