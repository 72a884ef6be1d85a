"""Findings in, strongest first; the ten that a reader should see, each of which says something of its own, out."""

from __future__ import annotations

import numpy as np

from unmirage.audit.corpus import Ints32
from unmirage.records import Finding

MOST = 10
_MOST_OPENERS = 5
# Two findings of the same label that share more than half of their queries are one story.
_SAME_STORY = 0.5


class Headline:
    """Takes up to five openers and up to five other findings; give it findings from the strongest on."""

    def __init__(self) -> None:
        self._taken: list[tuple[Finding, Ints32]] = []

    def takes(self, finding: Finding, members: Ints32) -> bool:
        """Return whether a finding belongs to the headline.

        It has to be tied to a label; to be an opener, or to tell something that openers do not; and to be
        about other queries than those taken before.

        Args:
            finding: weaker than all before it.
            members: the queries that have it, ascending.
        """
        is_opener = finding.position == "opener"
        tells = is_opener or (finding.given_opener is not None and finding.given_opener.direction != "none")
        openers = sum(taken.position == "opener" for taken, _ in self._taken)
        full = openers >= _MOST_OPENERS if is_opener else len(self._taken) - openers >= MOST - _MOST_OPENERS
        if finding.direction == "none" or finding.echo_of is not None or not tells or full:
            return False
        if any(
            taken.direction == finding.direction and _overlap(members, others) > _SAME_STORY
            for taken, others in self._taken
        ):
            return False
        self._taken.append((finding, members))
        return True


def _overlap(first: Ints32, second: Ints32) -> float:
    """Return the share of the queries of either that belong to both (Jaccard)."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)
