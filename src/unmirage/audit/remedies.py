"""Repair a corpus whose openers predict the label.

Balancing drops or repeats queries: each opener keeps refused and answered queries in one common proportion, so that
opener and label are independent. Weighing keeps all queries and gives them weights under which they are. Diversifying
rewords queries: both labels get the same distribution of openers. Of every opener's queries the same share is reworded,
so that rewording itself does not predict the label. Twins (`twins.py`) add reworded queries.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.features import fewest_queries
from unmirage.audit.rewording import Cells, Queries, Remedy, Reword, by_opener, by_openers, by_rules, opener_names
from unmirage.audit.twins import add_twins
from unmirage.data.sample import deal, largest_remainders
from unmirage.errors import UserError
from unmirage.text.english.rewriter import can_open


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedySettings:
    """Settings of the remedies.

    Attributes:
        balanced_size: rows of the balanced version at most: a number, or as a float the share of all rows. None for
            all that can be balanced, or for the number of all rows with another setting of the balanced version.
        balanced_refused: share of refused rows in the balanced version; None for the share that keeps most pairs of a
            refused and an answered query, or 0.5 with another setting of the balanced version.
        balanced_copies: how often a row may be in the balanced version; None for once.
        weighted_refused: share of the weight that refused queries have.
        weighted_max: greatest weight; without it, weights average 1.
        twins_per_row: how often a query is reworded at most; None for `MOST_TWINS`.
        reword: makes the wordings of twins; None uses the rules.
    """

    balanced_size: int | float | None = None
    balanced_refused: float | None = None
    balanced_copies: int | None = None
    weighted_refused: float = 0.5
    weighted_max: float = 10.0
    twins_per_row: int | None = None
    reword: Reword | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        for option, share in (("balanced", self.balanced_refused), ("weighted", self.weighted_refused)):
            if share is not None and not 0 < share < 1:
                raise UserError(f"--{option}-refused {share:g}: valid: a share between 0 and 1, such as 0.5")
        size = self.balanced_size
        if size is not None and not (0 < size <= 1 if isinstance(size, float) else size > 1):
            raise UserError(f"--balanced-size {size}: valid: a number of rows from 2, or a share such as 0.5")
        for name, times in (("balanced-copies", self.balanced_copies), ("twins-per-row", self.twins_per_row)):
            if times is not None and times < 1:
                raise UserError(f"--{name} {times}: valid: 1 or more")
        if not 1 <= self.weighted_max < inf:
            raise UserError(f"--weighted-max {self.weighted_max:g}: valid: 1 or more, not infinite")

    @property
    def budgeted(self) -> bool:
        """Return whether the balanced version has a setting."""
        return (self.balanced_size, self.balanced_refused, self.balanced_copies) != (None, None, None)


def balance(corpus: Corpus, seed: int, settings: RemedySettings | None = None, cells: Cells | None = None) -> Remedy:
    """Return which queries to keep so that all openers have the same share of refused queries.

    Without settings of the balanced version, the common proportion maximizes the number of kept pairs of a refused and
    an answered query. This keeps most of both labels. Maximizing the number of kept queries could remove nearly all
    queries of one label. With settings, the proportion is the one asked for, and each opener gives the same part of
    what it could.

    Args:
        cells: the queries by opener; None for `by_openers`.

    Raises:
        UserError: no opener has queries of both labels, so nothing could be kept.
    """
    settings = settings or RemedySettings()
    cells = _shared(cells or by_openers(corpus), "so balancing would drop everything")
    copies = settings.balanced_copies or 1
    notes: tuple[str, ...] = ()
    refused, answered = (np.where(cells.both, copies * one, 0) for one in (cells.refused, cells.answered))
    if not settings.budgeted:
        target = max(
            np.unique(cells.refused[cells.both] / cells.answered[cells.both]),
            key=lambda ratio: _pairs(refused, answered, ratio),
        )
        keep_answered = np.floor(np.minimum(answered, refused / target) + 1e-9).astype(np.int64)
    else:
        size = _rows(settings.balanced_size, len(corpus))
        share = settings.balanced_refused or 0.5
        target = share / (1 - share)
        keep_answered, notes = _budgeted(np.minimum(answered, refused / target), target, size)
    keep_answered[np.rint(keep_answered * target) == 0] = 0
    first_words = corpus.word_at(0)[cells.first]
    keep_refused = np.minimum(refused, _rounded(keep_answered * target, first_words))
    if settings.budgeted:
        over = int(keep_refused.sum() + keep_answered.sum()) - size
        keep_refused[np.argsort(-keep_refused, kind="stable")[: max(0, over)]] -= 1
        if not keep_refused.any() or not keep_answered.any():
            raise UserError(
                f"no first word has enough queries of both labels for {size:,} rows with a share of {share:g} refused; "
                "set --balanced-refused nearer to 0.5, or raise --balanced-size or --balanced-copies"
            )
    return Remedy(_drawn(cells, corpus.refused, keep_refused, keep_answered, seed), notes=notes)


def _rows(size: int | float | None, n: int) -> int:
    """Return the number of rows to write at most."""
    return n if size is None else max(2, round(size * n)) if isinstance(size, float) else size


def _budgeted(room: Floats, target: float, size: int) -> tuple[Ints, tuple[str, ...]]:
    """Return the answered queries to keep of each cell, in proportion to the room, and what was not possible."""
    wanted = size / (1 + target)
    possible = float(room.sum())
    exact = room * min(1.0, wanted / possible)
    kept = largest_remainders(dict(enumerate(exact.tolist())), int(exact.sum() + 1e-9))
    keep = np.minimum(np.array(list(kept.values()), dtype=np.int64), np.ceil(room - 1e-9).astype(np.int64))
    notes: tuple[str, ...] = ()
    if wanted > possible + 1:
        notes = (
            f"at most {int(possible * (1 + target)):,} of {size:,} rows have an opener with both labels at this share "
            "of refused ones; raise --balanced-copies, or use the remedy twins",
        )
    return keep, notes


def _rounded(exact: Floats, words: Ints) -> Ints:
    """Round so that the sum of the cells of each word is rounded too, instead of adding up their errors."""
    totals: dict[int, float] = {}
    rounded = np.zeros(len(exact), dtype=np.int64)
    for cell, (word, part) in enumerate(zip(words.tolist(), exact.tolist(), strict=True)):
        before = totals.get(word, 0.0)
        totals[word] = before + part
        rounded[cell] = round(totals[word]) - round(before)
    return rounded


def _drawn(cells: Cells, refused: Bools, keep_refused: Ints, keep_answered: Ints, seed: int) -> Ints:
    """Return how often each query is kept: those of a cell and label equally often, within one."""
    draw = np.random.default_rng(seed)
    times = np.zeros(len(refused), dtype=np.int64)
    members = cells.members(refused)
    for label, counts in ((True, keep_refused), (False, keep_answered)):
        for cell in np.flatnonzero(counts).tolist():
            candidates = members[cell][label]
            whole = (int(counts[cell]) - 1) // len(candidates)
            times[candidates] += whole
            times[draw.choice(candidates, int(counts[cell]) - whole * len(candidates), replace=False)] += 1
    return times


def weigh(corpus: Corpus, settings: RemedySettings | None = None) -> Remedy:
    """Return weights under which opener and label are independent (reweighing; Kamiran and Calders 2012).

    The openers with both labels keep their share of the queries, and within each the refused queries have the same
    share of the weight. Queries whose opener has one label weigh 0. Where a weight would exceed the greatest one, all
    weights of that opener are reduced by the same factor, so that opener and label stay independent.

    Raises:
        UserError: no opener has queries of both labels.
    """
    settings = settings or RemedySettings()
    cells = _shared(by_openers(corpus), "so all weights would be 0")
    share, most = settings.weighted_refused, settings.weighted_max
    size = cells.refused + cells.answered
    mass = np.where(cells.both, size, 0.0)
    mass = np.minimum(mass, most * np.minimum(cells.refused / share, cells.answered / (1 - share)))
    of_refused = np.divide(share * mass, cells.refused, out=np.zeros(len(mass)), where=cells.refused > 0)
    of_answered = np.divide((1 - share) * mass, cells.answered, out=np.zeros(len(mass)), where=cells.answered > 0)
    weights = np.where(corpus.refused, of_refused[cells.number], of_answered[cells.number])
    capped = int(size[cells.both & (mass < size)].sum())
    return Remedy(np.ones(len(corpus), dtype=np.int64), weights=weights, capped=capped)


def diversify(queries: Queries, seed: int) -> Remedy:
    """Return new wordings so that both labels have the same distribution of openers.

    For each opener, the same share of both labels stays unchanged: the largest share that the rarer label allows. All
    other queries get a new opener, drawn for both labels in the proportions of the original data. Openers that the
    rewriter does not support are dropped.

    Raises:
        UserError: the rewriter, which supports English, can use none of the openers.
    """
    corpus = queries.corpus
    cells = by_opener(corpus)
    refused, answered, names = cells.refused, cells.answered, opener_names(corpus, cells)
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
    stuck = lost = 0
    for label in (True, False):
        left = _not_left_alone(cells.number, corpus.refused == label, alone, draw)
        for row, number in zip(left, deal(weights, len(left), draw), strict=True):
            (bodies,) = by_rules([(queries.frame(row).body, names[number])])
            if texts := queries.wordings(row, bodies):
                reworded[row] = draw.choice(texts)
            stuck += not texts
            lost += bool(bodies) and not texts
    return Remedy(np.ones(len(corpus), dtype=np.int64), reworded, stuck, lost)


# The option of each remedy, and its function.
REMEDIES: dict[str, Callable[[Queries, int, RemedySettings], Remedy]] = {
    "balanced": lambda queries, seed, settings: balance(queries.corpus, seed, settings),
    "diversified": lambda queries, seed, _: diversify(queries, seed),
    "weighted": lambda queries, _, settings: weigh(queries.corpus, settings),
    "twins": lambda queries, seed, settings: add_twins(queries, seed, settings.twins_per_row, settings.reword),
}


def _shared(cells: Cells, so: str) -> Cells:
    if not cells.both.any():
        raise UserError(
            f"no opener has both refused and answered queries, {so}; "
            "the remedies twins and diversified reword queries instead"
        )
    return cells


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
