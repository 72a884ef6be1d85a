from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import REMEDIES, RemedySettings, balance, diversify, weigh
from unmirage.audit.rewording import Queries
from unmirage.errors import UserError
from unmirage.text.openers import opener

COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8)


def by_opener(samples):
    """Return how many refused and answered samples open with each word."""
    counts = Counter((opener(sample.query), sample.refused) for sample in samples)
    return {word: (counts[word, True], counts[word, False]) for word, _ in counts}


def shares(samples):
    """Return each opener's share of the refused, and of the answered samples."""
    counts = by_opener(samples)
    refused, answered = (max(1, sum(count[label] for count in counts.values())) for label in (0, 1))
    return {word: (one / refused, other / answered) for word, (one, other) in counts.items()}


def mended(remedy, data, seed=0):
    made = remedy(Reader().read(data), seed)
    return made, list(made.apply(data))


def test_balancing_by_hand(make_dataset):
    # At 20/10 refused an answered query, 10 + 2.5 + 4 answered ones can stay, which makes 16.5^2 * 2 = 544.5 pairs;
    # at 8/8 it is 10 + 5 + 8 and 23^2 = 529, at 5/10 10 + 10 + 8 and 28^2 / 2 = 392. So two to one it is.
    rows = [("a x", n < 20) for n in range(30)] + [("b x", n < 5) for n in range(15)]
    rows += [("c x", n < 8) for n in range(16)] + [("d x", True)] * 9
    made, kept = mended(balance, make_dataset(*rows))
    assert by_opener(kept) == {"a": (20, 10), "b": (4, 2), "c": (8, 4)}
    assert (made.dropped, made.changed, made.unchanged_wording) == (70 - 48, 0, 0)


def test_an_opener_of_which_no_refused_query_can_stay_is_dropped_whole(make_dataset):
    # One refused query to four answered ones keeps (40 + 1)^2 / 4 = 420 pairs, one to one (10 + 1)^2 = 121. At one to
    # four, the answered query with "b" asks for a quarter of a refused one, which is none; kept alone, "b" would mean
    # "answered".
    rows = [("a x", n < 10) for n in range(50)] + [("b x", True), ("b x", False)]
    made, kept = mended(balance, make_dataset(*rows))
    assert by_opener(kept) == {"a": (10, 40)}
    assert made.dropped == 2


@given(counts=COUNTS, seed=st.integers(0, 3))
def test_balanced_openers_have_one_ratio_of_refused_to_answered_within_one_query(make_dataset, counts, seed):
    rows = [
        (f"w{place} x{n}", label)
        for place, count in enumerate(counts)
        for label, size in zip((True, False), count, strict=True)
        for n in range(size)
    ]
    data = make_dataset(*rows)
    if not any(refused and answered for refused, answered in counts):
        with pytest.raises(UserError, match="balancing would drop everything; use --write-diversified"):
            balance(Reader().read(data), seed)
        return
    made, kept = mended(balance, data, seed)
    assert kept
    ratios = by_opener(kept).values()
    assert max((refused - 1) / answered for refused, answered in ratios) <= min(
        (refused + 1) / answered for refused, answered in ratios
    )
    assert len(kept) + made.dropped == len(data)
    assert {sample.id: sample for sample in data}.items() >= {sample.id: sample for sample in kept}.items()


def test_diversifying_by_hand(tied):
    # Of each label, 40 in 100 open with "can" and stay. The other 60 are dealt "share" and "what", which have
    # 30 in 100 of all queries each.
    made, changed = mended(diversify, tied)
    assert by_opener(changed) == {"share": (30, 30), "what": (30, 30), "can": (40, 40)}
    assert (made.dropped, made.changed, made.unchanged_wording) == (0, 120, 0)
    for before, after in zip(tied, changed, strict=True):
        assert (after.query == before.query) == (opener(before.query) == "can")
        assert (after.id, after.refused, after.label_source) == (before.id, before.refused, before.label_source)


def test_of_every_openers_queries_both_labels_leave_the_same_share_alone(make_dataset):
    rows = [(f"Can you see boat {n}?", n < 90) for n in range(100)] + [
        (f"What is boat {n}?", n < 10) for n in range(100)
    ]
    data = make_dataset(*rows)
    made, changed = mended(diversify, data)
    assert {word: [round(share, 2) for share in of] for word, of in shares(changed).items()} == {
        "can": [0.5, 0.5],
        "what": [0.5, 0.5],
    }
    untouched = Counter(
        (opener(sample.query), sample.refused) for place, sample in enumerate(data) if place not in made.reworded
    )
    assert set(untouched.values()) == {10}


def test_vlguard_diversified_has_one_distribution_of_openers(vlguard):
    made, changed = mended(diversify, vlguard)
    assert len(changed) == 2977
    assert made.unchanged_wording == 0
    assert max(abs(refused - answered) for refused, answered in shares(changed).values()) <= 2 / 977
    reworded = {label: set() for label in (True, False)}
    for place, sample in enumerate(vlguard):
        assert (changed[place].query != sample.query) == (place in made.reworded)
        if place in made.reworded:
            reworded[sample.refused].add(place)
    # Not even being reworded tells the label.
    assert len(reworded[True]) / 2000 == pytest.approx(len(reworded[False]) / 977, abs=0.02)


def test_vlguard_balanced_keeps_openers_of_both_labels_only(vlguard):
    made, kept = mended(balance, vlguard)
    assert {word for word, counts in by_opener(kept).items() if 0 in counts} == set()
    assert len(kept) == 2977 - made.dropped
    assert made.reworded == {}


@pytest.mark.parametrize("name", list(REMEDIES))
def test_the_same_seed_gives_the_same_remedy_and_another_another(make_corpus, name):
    # Both openers have queries to choose from: twice as many of "can" are refused as of "what".
    rows = [(f"Can you see boat {n}?", n < 40) for n in range(60)] + [(f"What is boat {n}?", n < 20) for n in range(60)]
    corpus = make_corpus(*rows)
    one, same, other = (REMEDIES[name](corpus, seed) for seed in (0, 0, 1))
    assert one.reworded == same.reworded
    assert np.array_equal(one.kept, same.kept)
    assert one.reworded != other.reworded or not np.array_equal(one.kept, other.kept)


def test_a_corpus_without_a_shared_opener_cannot_be_balanced(make_corpus):
    corpus = make_corpus(("Share it", True), ("What is it", False))
    with pytest.raises(UserError, match="no opener has both refused and answered queries"):
        balance(corpus, 0)


def test_another_language_than_english_cannot_be_diversified(make_corpus):
    rows = [("Покажи это", True)] * 5 + [("Что это", False)] * 5
    with pytest.raises(
        UserError, match=r"supports only English openers, and these data have none; use --write-balanced"
    ):
        diversify(make_corpus(*rows), 0)


def test_data_of_one_label_are_left_as_they_are_or_refused(make_corpus):
    corpus = make_corpus(*[("Share it", True)] * 5)
    with pytest.raises(UserError):
        balance(corpus, 0)
    assert diversify(corpus, 0).dropped == 0
