"""Estimate the rate that an error-free judge would find, with a confidence interval, from an imperfect judge.

With sensitivity s, specificity t and J = s + t - 1 (Youden's index), an observed share p of successes is corrected to

    (p + t - 1) / J                                                    (Rogan & Gladen 1978, Am. J. Epidemiol. 107, 71)

For "any of K shots", a judged success has weight -(1 - s) / J and each other shot s / J. The expected weight is then 1
for a true failure and 0 for a true success (a row of the inverse of the judge's confusion matrix). If errors on
different shots are independent given the truth, the product over the shots of a sample has mean 1 if no shot succeeded
and 0 if any did. With one shot, 1 minus its mean is the formula above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from unmirage.evaluate.error_rates import Calibration
from unmirage.intervals import LEVEL, effective_trials
from unmirage.records import Rate, Share

DRAWS = 4_000
# Maximum weight of a sample without a judged success. Beyond it, a few samples determine the estimate.
HEAVIEST = 10.0

Values = NDArray[np.float64]
# (valid shots, judged successes) -> samples
Patterns = Counter[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A rate corrected for the judge's errors. If it is not identifiable, `why` gives the reason and the rest is None.

    Attributes:
        value: the estimate, clipped to [0, 1].
        low, high: 95 % confidence limits, which include the uncertainty of the calibration.
        identifiable: whether verdicts and calibration together determine the rate.
        why: one-line reason; empty if identifiable.
    """

    value: Share | None
    low: Share | None
    high: Share | None
    identifiable: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Errors:
    """Draws of a judge's error rates; both arrays have shape (draws,)."""

    sensitivity: Values
    specificity: Values

    @property
    def youden(self) -> Values:
        return self.sensitivity + self.specificity - 1


@dataclass(frozen=True, slots=True)
class _Judged:
    """Verdict counts, with the effective numbers of independent samples and of single shots."""

    patterns: Patterns
    samples: float
    shots: float

    @classmethod
    def of(cls, judged: Sequence[Sequence[bool]], clusters: Sequence[Hashable] | None) -> _Judged:
        own: Sequence[Hashable] = range(len(judged)) if clusters is None else clusters
        valid = [(shots, cluster) for shots, cluster in zip(judged, own, strict=True) if len(shots)]
        if not valid:
            return cls(Counter(), 0, 0)
        places = [cluster for _, cluster in valid]
        return cls(
            patterns=Counter((len(shots), sum(shots)) for shots, _ in valid),
            samples=effective_trials([float(any(shots)) for shots, _ in valid], places),
            shots=effective_trials(
                [sum(shots) for shots, _ in valid], places, trials=[len(shots) for shots, _ in valid]
            ),
        )


Estimate = Callable[[_Judged, _Errors, np.random.Generator | None], Values]


def corrected(
    judged: Sequence[Sequence[bool]],
    calibration: Calibration,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
) -> Corrected:
    """Return the share of samples for which any shot truly succeeded.

    The estimate covers shots that have a verdict. Do not use it for a run that stopped at the first success: if that
    verdict was wrong, the later shots are missing. The rate is not identifiable if a sample without a judged success
    would have a weight above `HEAVIEST`; see `_corrected` for further cases.

    Args:
        judged: for each sample, whether each of its valid shots was judged a success. Empty samples are excluded.
        calibration: error rates of the judge.
        seed: random seed.
        clusters: cluster of each sample. Clustering reduces the effective number of samples, as in
            `intervals.effective_trials`.
    """
    most = max(map(len, judged), default=0)
    sensitivity, specificity = calibration.sensitivity.value or 0.0, calibration.specificity.value or 0.0
    youden = sensitivity + specificity - 1
    if youden > 0 and most * log(sensitivity / youden) > log(HEAVIEST):
        return _not_identifiable(
            f"the judge's error rates are too high to estimate whether any of {most} shots succeeded"
        )
    return _corrected(_Judged.of(judged, clusters), calibration, seed, _any_success)


def corrected_share(
    judged: Sequence[Sequence[bool]],
    calibration: Calibration,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
) -> Corrected:
    """Return the share of all single shots that truly succeeded. Shots at one sample share a cluster.

    Arguments as in `corrected`.
    """
    return _corrected(_Judged.of(judged, clusters), calibration, seed, _pooled)


def _corrected(judged: _Judged, calibration: Calibration, seed: int, estimate: Estimate) -> Corrected:
    """Return the estimate with limits from resampling the verdict shares and the judge's error rates.

    The rate is not identifiable if the interval of J contains 0. It is not identifiable either if the interval of the
    estimate lies entirely outside [0, 1], because the error rates then differ from those of the calibration.
    """
    sensitivity, specificity = calibration.sensitivity, calibration.specificity
    if not judged.patterns:
        return _not_identifiable("there are no valid verdicts")
    if sensitivity.value is None or specificity.value is None:
        labels = "with this verdict" if sensitivity.value is None else "other than this verdict"
        return _not_identifiable(f"the judge's calibration has no label {labels}")
    random = np.random.default_rng(seed)
    drawn = _Errors(_draws(sensitivity, random), _draws(specificity, random))
    low, high = _limits(drawn.youden)
    if low <= 0 <= high or sensitivity.value + specificity.value <= 1:
        return _not_identifiable(
            "the judge is not shown to be better than chance: sensitivity + specificity - 1 lies between "
            f"{low:.2f} and {high:.2f}"
        )
    low, high = _limits(estimate(judged, drawn, random))
    if high < 0 or low > 1:
        side = "fewer" if high < 0 else "more"
        return _not_identifiable(f"the verdict occurs {side} times than the judge's calibrated error rates allow")
    point = _Errors(np.array([sensitivity.value]), np.array([specificity.value]))
    value = _share(float(estimate(judged, point, None)[0]))
    return Corrected(value=value, low=min(value, _share(low)), high=max(value, _share(high)), identifiable=True)


def _any_success(judged: _Judged, errors: _Errors, random: np.random.Generator | None) -> Values:
    patterns, total = judged.patterns, judged.patterns.total()
    weight = judged.samples / total  # effective weight of one sample
    missed = np.zeros(len(errors.youden))
    for shots in sorted({shots for shots, _ in patterns}):
        counts = np.array([patterns[shots, successes] for successes in range(shots + 1)], dtype=np.float64)
        # Jeffreys' prior adds half a sample to each count, because an unobserved pattern may have a large weight.
        shares = counts / counts.sum() if random is None else random.dirichlet(weight * counts + 0.5, len(missed))
        missed += counts.sum() / total * (shares * _weights(shots, errors)).sum(axis=1)
    return 1 - missed


def _weights(shots: int, errors: _Errors) -> Values:
    """Return the weight of a sample in the share without success, shape (draws, shots + 1), by judged successes."""
    successes = np.arange(shots + 1)
    passed = (errors.sensitivity / errors.youden)[:, None] ** (shots - successes)
    judged: Values = ((errors.sensitivity - 1) / errors.youden)[:, None] ** successes
    return passed * judged


def _pooled(judged: _Judged, errors: _Errors, random: np.random.Generator | None) -> Values:
    pairs = list(judged.patterns.elements())
    trials, successes = [shots for shots, _ in pairs], [found for _, found in pairs]
    share = np.full(len(errors.youden), sum(successes) / sum(trials))
    if random is not None:
        share = random.beta(share * judged.shots + 0.5, (1 - share) * judged.shots + 0.5)
    return (share + errors.specificity - 1) / errors.youden


def _draws(rate: Rate, random: np.random.Generator) -> Values:
    """Draw a share from its posterior given k of n (Jeffreys' prior)."""
    return random.beta(rate.k + 0.5, rate.n - rate.k + 0.5, DRAWS)


def _limits(drawn: Values) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _not_identifiable(why: str) -> Corrected:
    return Corrected(value=None, low=None, high=None, identifiable=False, why=why)
