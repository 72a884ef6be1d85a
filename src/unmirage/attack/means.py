"""Values that hang together by picture in, their mean with its interval out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from unmirage.intervals import LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean and its 95 % interval; all None where there is nothing to average, no interval where there is one group.

    Attributes:
        value: the mean of all values.
        low, high: confidence limits.
        n: values.
        groups: independent groups of values, such as pictures.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    groups: int


def mean(
    values: Sequence[float] | NDArray[np.float64],
    groups: Sequence[Hashable],
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Mean:
    """Return the mean with a t interval that takes the groups, not the values, as independent.

    The variance is the cluster-robust one of a ratio of sums (Cochran, Sampling Techniques, 1977, ch. 9A).

    Args:
        values: one a query.
        groups: what each value hangs together by.
        bounds: the interval is kept within them.
    """
    found = np.asarray(values, dtype=np.float64)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if not len(found):
        return Mean(value=None, low=None, high=None, n=0, groups=0)
    centre = float(found.mean())
    count = len(numbers)
    if count < 2:
        return Mean(value=centre, low=None, high=None, n=len(found), groups=count)
    sums = np.bincount([numbers[group] for group in groups], weights=found - centre)
    error = sqrt(count / (count - 1) * float((sums**2).sum())) / len(found)
    half = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * error
    return Mean(
        value=centre, low=max(bounds[0], centre - half), high=min(bounds[1], centre + half), n=len(found), groups=count
    )
