import numpy as np
import pytest

from unmirage.audit.informedness import Informedness, Queries, Shortcut, dealt, informedness, measure_openers
from unmirage.intervals import wilson

BOTH = np.array([True, False])


def queries(*openers, clusters=None):
    """Return queries of (opener, refused, answered) counts; each is a group of its own without `clusters`."""
    opener = np.concatenate([np.full(yes + no, number) for number, yes, no in openers])
    refused = np.concatenate([np.repeat(BOTH, [yes, no]) for _, yes, no in openers])
    keys = 2 * np.random.default_rng(0).permutation(len(opener))
    return Queries(
        opener,
        refused,
        np.ones(len(opener), dtype=bool),
        (np.arange(len(opener)) if clusters is None else clusters,),
        keys,
    )


def drawn(rng, n=300, refused=0.5, separation=1.0, openers=12, group=1):
    """Return queries of `openers` words whose frequencies among both labels differ by `separation`.

    The queries of a group agree in word and label.
    """
    label = rng.random(n // group) < refused
    strength = np.linspace(-1, 1, openers) * separation
    of_label = [np.exp(sign * strength) / np.exp(sign * strength).sum() for sign in (-1, 1)]
    words = [rng.choice(openers, size=n // group, p=one) for one in of_label]
    opener = np.where(label, words[1], words[0])
    keys = rng.integers(0, 2**62, size=n) * 2
    groups = np.repeat(np.arange(n // group), group)
    return Queries(np.repeat(opener, group), np.repeat(label, group), np.ones(n, dtype=bool), (groups,), keys)


def value_of(one):
    return measure_openers(one, None, 0).informedness


def test_informedness_is_sensitivity_plus_specificity_minus_one():
    decision = np.array([1, 1, 0, 1, 0, 0, 1, 0])
    found = informedness(decision, np.arange(8) < 4, np.arange(8))
    assert (found.sensitivity, found.specificity) == (3 / 4, 3 / 4)
    assert found.value == pytest.approx(3 / 4 + 3 / 4 - 1)
    assert (found.refused, found.answered) == (4, 4)
    low, high = wilson(3, 4), wilson(3, 4)
    assert found.low == pytest.approx(found.value - np.hypot(3 / 4 - low[0], 3 / 4 - high[0]))
    assert found.high == pytest.approx(found.value + np.hypot(low[1] - 3 / 4, high[1] - 3 / 4))


def test_groups_with_both_labels_correlate_sensitivity_and_specificity():
    # In every group the rule is right for both labels, or wrong for both.
    refused, groups = np.tile(BOTH, 40), np.repeat(np.arange(40), 2)
    right = groups % 4 > 0
    together = informedness(np.where(refused == right, 1.0, 0.0), refused, groups)
    alone = informedness(np.where(refused == right, 1.0, 0.0), refused, np.arange(80))
    assert together.value == alone.value == pytest.approx(0.5)
    assert together.value - together.low == pytest.approx(np.sqrt(2) * (alone.value - alone.low))


@pytest.mark.parametrize("n", [20, 200])
def test_openers_that_tell_everything_have_an_interval_of_some_width(n):
    found = measure_openers(queries((0, n, 0), (1, 0, n)), None, 0)
    assert found.informedness.value == found.auc.value == 1
    assert found.informedness.low == pytest.approx(1 - np.sqrt(2) * (1 - wilson(n, n)[0]))
    assert (found.informedness.high, found.auc.high) == (1, 1)
    assert found.auc.low == pytest.approx(wilson(n, n)[0])
    assert found.contributions == pytest.approx({0: 0.5, 1: 0.5})


def test_a_rare_label_changes_nothing():
    # "can" 80 of 100 refused and 10 of 100 answered, "what" the rest.
    base = value_of(queries((0, 80, 10), (1, 20, 90)))
    assert base.value == pytest.approx(0.7)
    for times in (10, 100):
        assert value_of(queries((0, 80, 10 * times), (1, 20, 90 * times))).value == pytest.approx(0.7)


def test_copies_teach_the_rule_once_and_keep_together():
    # Eight copies of one refused text, and 30 answered ones: the word counts as answered, so the copies are missed.
    one = queries((0, 8, 30), (1, 60, 10))
    groups = np.where(np.arange(108) < 8, 0, np.arange(108))
    once = groups == np.arange(108)
    found = value_of(Queries(one.opener, one.refused, once, (groups,), np.where(groups == 0, 0, one.keys)))
    assert found.sensitivity == pytest.approx(60 / 68)
    assert found.specificity == pytest.approx(30 / 40)
    apart = value_of(one)
    assert found.value - found.low > apart.value - apart.low


def test_contributions_add_up_to_the_informedness():
    found = measure_openers(queries((0, 80, 10), (1, 20, 60), (2, 0, 30), (3, 3, 3)), None, 0)
    assert sum(found.contributions.values()) == pytest.approx(found.informedness.value)
    assert found.contributions[3] == pytest.approx(-0.5 * (3 / 103 - 3 / 103))
    assert found.contributions[2] == pytest.approx(0.5 * 30 / 103)


def test_balanced_openers_are_no_worse_than_chance():
    # Folds with more refused queries of an opener leave fewer to train on. A rule without a limit would reach -0.3.
    found = measure_openers(queries(*((word, 20, 20) for word in range(30))), None, 0)
    assert found.informedness.value == pytest.approx(0, abs=0.05)
    assert found.informedness.low <= 0 <= found.informedness.high
    assert found.auc.value == pytest.approx(0.5, abs=0.02)


def test_labels_drawn_by_lot_have_an_informedness_of_0_on_average():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        label = rng.permutation(np.arange(900) < 600)
        opener = np.minimum(rng.geometric(0.2, size=900), 30)
        found.append(
            value_of(Queries(opener, label, np.ones(900, dtype=bool), (np.arange(900),), 2 * rng.permutation(900)))
        )
    assert np.mean([one.value for one in found]) == pytest.approx(0, abs=0.005)
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.99


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"separation": 0.0},
        {"separation": 3.0},
        {"refused": 0.1, "separation": 1.5},
        {"n": 60, "separation": 2.0},
        {"n": 600, "group": 3},
    ],
    ids=["some", "none", "nearly all", "few refused", "small", "groups of three"],
)
def test_the_interval_covers_what_the_rule_reaches_on_average(setting):
    rng = np.random.default_rng(1)
    found = [value_of(drawn(rng, **setting)) for _ in range(400)]
    expected = np.mean([one.value for one in found])
    covered = np.mean([one.low <= expected <= one.high for one in found])
    print(f"\n{setting}: informedness {expected:.3f}, coverage {covered:.3f}")
    assert covered >= 0.95


def test_a_group_stays_in_one_fold_and_labels_are_spread_evenly():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(500), 2)
    one = Queries(
        rng.integers(9, size=1000), rng.random(1000) < 0.1, np.ones(1000, dtype=bool), (groups,), 2 * np.arange(1000)
    )
    fold = dealt(one, 0)
    assert (fold[::2] == fold[1::2]).all()
    assert np.ptp(np.bincount(fold)) <= 2
    assert np.ptp(np.bincount(fold[one.refused])) <= 3
    assert (dealt(one, 1) != fold).any()


def test_folds_follow_the_texts_and_not_the_order():
    one = drawn(np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(300)
    other = Queries(one.opener[order], one.refused[order], one.once[order], (one.groups[0][order],), one.keys[order])
    assert (dealt(other, 0) == dealt(one, 0)[order]).all()
    assert value_of(other) == value_of(one)


def test_a_test_file_is_measured_with_all_of_the_training_queries():
    train, test = queries((0, 50, 0), (1, 0, 50)), queries((0, 6, 2), (1, 1, 7), (2, 3, 1))
    found = measure_openers(train, test, 0).informedness
    assert (found.sensitivity, found.specificity) == pytest.approx((6 / 10, 8 / 10))  # the unseen word: answered
    assert (found.refused, found.answered, found.undecided) == (10, 10, 4)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (queries((0, 9, 0)), None),
        (queries((0, 9, 1)), None),
        (queries((0, 9, 9), clusters=np.zeros(18, dtype=int)), None),
        (queries((0, 9, 9)), queries((0, 9, 0))),
        (queries((0, 9, 0)), queries((0, 9, 9))),
    ],
    ids=["one label", "one answered", "one group", "one label tested", "one label trained"],
)
def test_what_cannot_be_measured_is_not_estimable(train, test):
    found = measure_openers(train, test, 0)
    assert (found.informedness, found.auc.value, found.contributions) == (Informedness(), None, {})
    assert found.informedness.verdict is Shortcut.UNKNOWN


@pytest.mark.parametrize(
    ("value", "low", "verdict"),
    [
        (0.02, 0.01, "no shortcut found"),  # a tight interval makes no shortcut of it
        (0.30, 0.0, "no shortcut found"),
        (0.30, -0.1, "no shortcut found"),
        (0.06, 0.01, "some shortcut"),
        (0.20, 0.15, "some shortcut"),
        (0.60, 0.05, "some shortcut"),
        (0.21, 0.06, "clear shortcut"),
        (0.84, 0.82, "clear shortcut"),
        (-0.3, -0.4, "no shortcut found"),
    ],
)
def test_the_verdict_follows_value_and_interval(value, low, verdict):
    assert Informedness(value=value, low=low, high=1.0).verdict.said == verdict
