"""Split the variance of a rate into its components: the world, the base model's training, and the alignment."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, t

from unmirage.intervals import LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The variance components of a share, from a balanced nested design.

    Attributes:
        mean, least, greatest: mean and range over all runs.
        sd_world: standard deviation between worlds.
        sd_alignment: standard deviation between alignments of one base model.
        low, high: 95 % prediction limits for one further run in another world.
    """

    mean: float
    least: float
    greatest: float
    sd_world: float
    sd_base: float
    sd_alignment: float
    low: float
    high: float


def components(values: NDArray[np.float64], devices: int) -> Components:
    """Return the components by nested analysis of variance (Searle et al., Variance Components, 1992, section 3.6).

    A negative estimate of a component is set to 0. The limits are those of a t prediction interval whose variance is
    the matching combination of mean squares, with Satterthwaite's degrees of freedom, clipped to 0 and 1. They are
    widened to `predicted_share`: a share near 0 in all runs shows no variance, but another world has other devices.

    Args:
        values: (worlds, bases, alignments) shares, two or more along each axis.
        devices: number of devices behind each share; devices of different worlds are independent.
    """
    worlds, bases, alignments = values.shape
    if min(values.shape) < 2:
        raise ValueError(f"components needs two or more along each axis, got {values.shape}")
    by_base, by_world, grand = values.mean(2), values.mean((1, 2)), float(values.mean())
    freedoms = np.array([worlds - 1, worlds * (bases - 1), worlds * bases * (alignments - 1)], dtype=np.float64)
    squares = (
        np.array(
            [
                bases * alignments * ((by_world - grand) ** 2).sum(),
                alignments * ((by_base - by_world[:, None]) ** 2).sum(),
                ((values - by_base[..., None]) ** 2).sum(),
            ]
        )
        / freedoms
    )
    world, base, alignment = squares.tolist()
    # A further run deviates by one draw of each component, and the mean by its own error.
    terms = squares * [
        1 / (bases * alignments) + 1 / values.size,
        (1 - 1 / bases) / alignments,
        1 - 1 / alignments,
    ]
    variance = float(terms.sum())
    half = 0.0
    if variance > 0:
        freedom = variance**2 / float((terms**2 / freedoms).sum())
        half = float(t.ppf(0.5 + LEVEL / 2, freedom)) * sqrt(variance)
    low, high = predicted_share(grand, devices * worlds, devices)
    return Components(
        mean=grand,
        least=float(values.min()),
        greatest=float(values.max()),
        sd_world=sqrt(max(0.0, world - base) / (bases * alignments)),
        sd_base=sqrt(max(0.0, base - alignment) / alignments),
        sd_alignment=sqrt(alignment),
        low=min(low, max(0.0, grand - half)),
        high=max(high, min(1.0, grand + half)),
    )


def predicted_share(share: float, seen: int, further: int) -> tuple[float, float]:
    """Return 95 % prediction limits of the share of `further` units, given `share` of `seen` units.

    They are those of the beta-binomial distribution with Jeffreys' prior, where each unit succeeds or fails as a whole.
    """
    successes, tail = share * seen, (1 - LEVEL) / 2
    found = betabinom(further, successes + 0.5, seen - successes + 0.5)
    return float(found.ppf(tail)) / further, float(found.ppf(1 - tail)) / further
