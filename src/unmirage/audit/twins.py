"""Add twins: reworded queries of the other label, so that each opener has both labels in the same proportion."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

import numpy as np

from unmirage.audit.corpus import NONE, Bools, Corpus, Ints
from unmirage.audit.rewording import Cells, Queries, Remedy, Reword, Twin, by_opener, by_rules, opener_names
from unmirage.errors import UserError
from unmirage.text.english.rewriter import can_open
from unmirage.text.openers import words

MOST_TWINS = 4
_ATTEMPTS = 3  # at a twin, with other queries
_AT_ONCE = 4096  # requests to the rewriter
_RATIOS = np.geomspace(1 / 32, 32, 321)  # of refused to answered queries


def add_twins(queries: Queries, seed: int, per_row: int | None = None, reword: Reword | None = None) -> Remedy:
    """Return twins, so that all openers have the same proportion of refused and answered queries.

    The proportion is one that the limits allow, and that needs the fewest twins. A twin is a query of the label that an
    opener lacks, reworded to have this opener. It is about the same picture or of the same record as a query with that
    opener if there is one, else drawn at random, each about equally often.

    Args:
        seed: seed of the draws.
        per_row: how often a query is reworded at most; None for `MOST_TWINS`.
        reword: makes the wordings; None uses the rules, which support English only.

    Raises:
        UserError: all queries have the same label, or the rules can use none of the openers.
    """
    corpus, cells = queries.corpus, by_opener(queries.corpus)
    if corpus.refused.all() or not corpus.refused.any():
        raise UserError("all queries have the same label; twins need queries of both")
    names = opener_names(corpus, cells)
    usable = np.array([bool(name) and (reword is not None or can_open(name)) for name in names])
    if not usable.any():
        raise UserError(
            "the rules support English openers only, and these data have none; "
            "use --twins-rewriter endpoint:URL#MODEL or --write-balanced"
        )
    per_row = per_row or MOST_TWINS
    wanted = _wanted(cells, usable, per_row)
    made = _Made(queries, cells, names, reword or by_rules, random.Random(f"twins-{seed}"))
    for label, counts in wanted.items():
        made.add(label, counts, per_row)
    left = int((cells.refused + cells.answered)[~usable].sum())
    unusable = f"{left:,} queries have an opener that the rules cannot use, and get no twins"
    missing = (
        f"{made.missing:,} twins could not be made, so the openers still differ; raise --twins-per-row "
        f"(now {per_row}), or use --twins-rewriter endpoint:URL#MODEL"
    )
    return Remedy(
        np.ones(len(corpus), dtype=np.int64),
        unchanged_wording=made.stuck,
        lost_places=made.lost,
        twins=made.twins,
        missing=made.missing,
        notes=tuple(note for note, count in ((unusable, left), (missing, made.missing)) if count),
    )


def _wanted(cells: Cells, usable: Bools, per_row: int) -> dict[bool, Ints]:
    """Return the number of twins of each label that each opener needs.

    Args:
        usable: (cells,) openers that queries can get.
        per_row: how often a query is reworded at most, and once for each opener.
    """
    own = {True: cells.refused, False: cells.answered}

    def at(ratio: float) -> dict[bool, Ints]:
        needed = {True: ratio * cells.answered - cells.refused, False: cells.refused / ratio - cells.answered}
        return {
            label: np.where(usable, np.rint(np.maximum(0, one)), 0).astype(np.int64) for label, one in needed.items()
        }

    def cost(ratio: float) -> tuple[int, int, float]:
        wanted, missing = at(ratio), 0
        for label, counts in wanted.items():
            possible = np.minimum(counts, own[label].sum() - own[label]).sum()
            missing += int(counts.sum() - min(possible, per_row * own[label].sum()))
        return missing, int(sum(one.sum() for one in wanted.values())), abs(float(np.log(ratio)))

    return at(min(_RATIOS.tolist(), key=cost))


class _Made:
    """The twins so far.

    Attributes:
        twins: by the query that was reworded.
        stuck: queries without another known wording.
        lost: those whose wordings all lose the place of a picture.
        missing: twins that could not be made.
    """

    def __init__(self, queries: Queries, cells: Cells, names: Sequence[str], reword: Reword, draw: random.Random):
        self.twins: defaultdict[int, list[Twin]] = defaultdict(list)
        self.stuck = self.lost = self.missing = 0
        self._queries, self._cells, self._names, self._reword, self._draw = queries, cells, names, reword, draw
        self._members = cells.members(queries.corpus.refused)
        self._of_cluster = _clusters(queries.corpus)

    def add(self, label: bool, counts: Ints, per_row: int) -> None:
        """Add twins of one label.

        Args:
            counts: number of twins for each opener.
            per_row: how often a query is reworded at most.
        """
        rows = np.flatnonzero(self._queries.corpus.refused == label).tolist()
        sources = _Sources(rows, self._cells.number, per_row, self._draw)
        partners = _partners(rows, self._of_cluster)
        left = {cell: int(counts[cell]) for cell in np.flatnonzero(counts).tolist()}
        taken: defaultdict[int, set[int]] = defaultdict(set)
        for _ in range(_ATTEMPTS):
            pairs = []
            for cell, count in left.items():
                hosts = self._members[cell][not label].tolist()
                found = self._pairs(cell, count, hosts, sources, partners, taken[cell])
                pairs += [(cell, source, of) for source, of in found]
            if not pairs:
                break
            made = self._add(pairs)
            left = {cell: count - made[cell] for cell, count in left.items() if count > made[cell]}
            if not left:
                break
        self.missing += sum(left.values())

    def _pairs(
        self,
        cell: int,
        count: int,
        hosts: list[int],
        sources: _Sources,
        partners: dict[int, list[int]],
        taken: set[int],
    ) -> list[tuple[int, int]]:
        """Return (query to reword, query of the other label with the opener)."""
        self._draw.shuffle(hosts)
        pairs: list[tuple[int, int]] = []
        alone = []
        for host in hosts:
            near = partners.get(self._of_cluster[host], ())
            source = sources.first(near, cell, taken) if len(pairs) < count else None
            if source is None:
                alone.append(host)
            else:
                pairs.append((source, host))
        others = sources.take(count - len(pairs), cell, taken)
        return pairs + list(zip(others, cycle(alone or hosts), strict=False))

    def _add(self, pairs: Sequence[tuple[int, int, int]]) -> Counter[int]:
        """Reword queries, a part at a time, and return the number of new twins of each opener."""
        made: Counter[int] = Counter()
        for start in range(0, len(pairs), _AT_ONCE):
            made += self._add_part(pairs[start : start + _AT_ONCE])
        return made

    def _add_part(self, pairs: Sequence[tuple[int, int, int]]) -> Counter[int]:
        made: Counter[int] = Counter()
        asked = [(self._queries.frame(source).body, self._names[cell]) for cell, source, _ in pairs]
        for (cell, source, of), bodies in zip(pairs, self._reword(asked), strict=True):
            name = self._names[cell]
            fitting = [body for body in bodies if words(body)[:1] == [name]]
            texts = self._queries.wordings(source, fitting)
            if texts:
                self.twins[source].append(Twin(of, name, self._draw.choice(texts)))
                made[cell] += 1
            self.stuck += not texts
            self.lost += bool(fitting) and not texts
        return made


def _clusters(corpus: Corpus) -> list[int]:
    """Return a number for each query that those about the same picture share, or else those of the same record."""
    with_picture = corpus.picture != NONE
    numbers = np.where(with_picture, corpus.picture, len(corpus.pictures) + corpus.records.astype(np.int64))
    found: list[int] = numbers.tolist()
    return found


def _partners(rows: Iterable[int], clusters: Sequence[int]) -> dict[int, list[int]]:
    partners: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        partners[clusters[row]].append(row)
    return dict(partners)


class _Sources:
    """Deals the queries of one label, each about equally often.

    Args:
        rows: the queries.
        openers: (n,) the opener of each query of the data.
        most: how often each is dealt at most.
    """

    def __init__(self, rows: Sequence[int], openers: Ints, most: int, draw: random.Random) -> None:
        self._rows, self._openers, self._most, self._draw = rows, openers, most, draw
        self._uses: Counter[int] = Counter()
        self._deck: deque[int] = deque()
        self._round = 0

    def first(self, rows: Iterable[int], opener: int, taken: set[int]) -> int | None:
        """Return the first of some queries that can get this opener."""
        found = next((row for row in rows if self._uses[row] < self._most and self._fits(row, opener, taken)), None)
        return None if found is None else self._used(found, taken)

    def take(self, count: int, opener: int, taken: set[int]) -> list[int]:
        """Return up to `count` queries that can get this opener, and were not used for it before.

        Args:
            taken: those that were.
        """
        found: list[int] = []
        aside = []
        while len(found) < count and (row := self._next()) is not None:
            if self._fits(row, opener, taken):
                found.append(self._used(row, taken))
            else:
                aside.append(row)
        self._deck.extendleft(reversed(aside))
        return found

    def _fits(self, row: int, opener: int, taken: set[int]) -> bool:
        return row not in taken and self._openers[row] != opener

    def _used(self, row: int, taken: set[int]) -> int:
        self._uses[row] += 1
        taken.add(row)
        return row

    def _next(self) -> int | None:
        """Return the next query that was not yet used in this round; rounds end when all have been dealt."""
        for row in self._left():
            if self._uses[row] < self._round:
                return row
        return None

    def _left(self) -> Iterator[int]:
        while self._deck or self._round < self._most:
            if not self._deck:
                self._round += 1
                self._deck.extend(self._draw.sample(self._rows, len(self._rows)))
            yield self._deck.popleft()
