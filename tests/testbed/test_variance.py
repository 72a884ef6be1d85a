"""Variance components of a nested design: a hand-worked table, known spreads by simulation, and their limits."""

import numpy as np
import pytest

from unmirage.testbed.variance import components, predicted_share


def test_a_table_worked_by_hand() -> None:
    # Two worlds, two bases, two alignments. Means by base .2 .4 | .6 .4, by world .3 | .5, grand mean .4.
    values = np.array([[[0.1, 0.3], [0.4, 0.4]], [[0.6, 0.6], [0.3, 0.5]]])
    found = components(values, 1000)
    # Mean squares: worlds 4 * 2 * .01 / 1 = .08; bases 2 * 4 * .01 / 2 = .04; alignments 4 * .01 / 4 = .01.
    assert found.mean == pytest.approx(0.4)
    assert (found.least, found.greatest) == (0.1, 0.6)
    assert found.sd_world == pytest.approx(((0.08 - 0.04) / 4) ** 0.5)
    assert found.sd_base == pytest.approx(((0.04 - 0.01) / 2) ** 0.5)
    assert found.sd_alignment == pytest.approx(0.1)
    # Prediction variance .08 (1/4 + 1/8) + .04 / 4 + .01 / 2 = .045; freedom .045^2 / (.03^2 + .01^2 / 2 + .005^2 / 4)
    # = 2.1163; t(0.975) there is 4.0949, so that the limits lie far outside 0 and 1 and are cut.
    assert (found.low, found.high) == (0.0, 1.0)


def test_equal_runs_have_no_spread() -> None:
    found = components(np.full((3, 2, 2), 0.25), 40)
    assert found.mean == 0.25
    # Other devices alone: 40 further ones after 30 of 120.
    assert (found.low, found.high) == predicted_share(0.25, 120, 40)
    assert found.sd_world == found.sd_base == found.sd_alignment == 0.0


def test_a_negative_component_is_zero() -> None:
    found = components(np.array([[[0.1, 0.5], [0.5, 0.1]], [[0.5, 0.1], [0.1, 0.5]]]), 40)
    assert found.sd_world == pytest.approx(0.0, abs=1e-12)
    assert found.sd_base == 0.0
    assert found.sd_alignment == pytest.approx((8 * 0.04 / 4) ** 0.5)


@pytest.mark.slow
def test_components_and_limits_hold_in_simulation() -> None:
    """Known spreads are found on average, and a further run lies within the limits in 95 of 100 cases."""
    rng = np.random.default_rng(0)
    spreads = {"sd_world": 0.03, "sd_base": 0.02, "sd_alignment": 0.01}

    def drawn(worlds: int, bases: int, alignments: int) -> np.ndarray:
        return (
            0.5
            + 0.03 * rng.normal(size=(worlds, 1, 1))
            + 0.02 * rng.normal(size=(worlds, bases, 1))
            + 0.01 * rng.normal(size=(worlds, bases, alignments))
        )

    found = [components(drawn(40, 3, 3), 1000) for _ in range(50)]
    for name, spread in spreads.items():
        squares = np.mean([getattr(one, name) ** 2 for one in found])
        assert squares == pytest.approx(spread**2, rel=0.1), name
    inside = 0
    for _ in range(800):
        limits = components(drawn(3, 2, 2), 4000)
        inside += limits.low <= float(drawn(1, 1, 1)[0, 0, 0]) <= limits.high
    assert 0.93 <= inside / 800 <= 0.98


def test_a_design_without_repeats_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more"):
        components(np.zeros((3, 1, 2)), 40)


@pytest.mark.slow
def test_the_share_of_further_devices_is_predicted_as_simulation_says() -> None:
    """With a uniform-like prior truth, 95 of 100 further shares lie within the limits; 0 of 120 leaves room above 0."""
    rng = np.random.default_rng(1)
    truths = rng.beta(0.5, 0.5, size=4000)
    seen = rng.binomial(120, truths) / 120
    further = rng.binomial(40, truths) / 40
    limits = [predicted_share(share, 120, 40) for share in seen]
    inside = np.mean([low <= one <= high for (low, high), one in zip(limits, further, strict=True)])
    assert 0.95 <= inside <= 0.99  # shares of 40 are discrete, so that the limits hold a little more
    assert predicted_share(0.0, 120, 40) == (0.0, pytest.approx(2 / 40))
    assert predicted_share(1.0, 120, 40) == (pytest.approx(38 / 40), 1.0)


def test_limits_are_never_narrower_than_either_reason() -> None:
    rng = np.random.default_rng(2)
    values = np.clip(0.02 + 0.01 * rng.normal(size=(3, 2, 2)), 0, 1)
    found = components(values, 40)
    low, high = predicted_share(found.mean, 120, 40)
    assert found.low <= low
    assert found.high >= high
    assert found.high >= values.max()
