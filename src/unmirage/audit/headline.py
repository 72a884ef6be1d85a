"""Select up to ten findings to read first that do not repeat each other."""

from __future__ import annotations

import numpy as np

from unmirage.audit.corpus import Ints32
from unmirage.records import Finding

MOST = 10
_MOST_OPENERS = 5
# Two findings of the same label that share more than half of their queries repeat each other.
_SAME_STORY = 0.5


class Headline:
    """Selects up to five openers and five other findings; call it in order of strength."""

    def __init__(self) -> None:
        self._taken: list[tuple[Finding, Ints32]] = []

    def takes(self, finding: Finding, members: Ints32) -> bool:
        """Return whether a finding belongs to the headline.

        It must be associated with a label. It must be an opener or predict more than openers do. Its queries must
        differ from those of earlier findings.

        Args:
            finding: a finding weaker than all earlier ones.
            members: the queries with it, ascending.
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
    """Return the Jaccard index of two sets of queries."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)
