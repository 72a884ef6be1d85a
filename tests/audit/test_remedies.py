from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.corpus import Reader
from unmirage.audit.remedies import REMEDIES, RemedySettings, balance, diversify, weigh
from unmirage.audit.rewording import Queries
from unmirage.errors import UserError
from unmirage.records import Placed
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


def mended(remedy, data, seed=0, *settings):
    made = remedy((Queries if remedy is diversify else Reader()).read(data), seed, *settings)
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
        with pytest.raises(
            UserError, match="balancing would drop everything; the remedies twins and diversified reword queries"
        ):
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


@pytest.mark.parametrize("name", ["balanced", "diversified", "twins"])
def test_the_same_seed_gives_the_same_remedy_and_another_another(make_dataset, name):
    # Both openers have queries to choose from: twice as many of "can" are refused as of "what".
    rows = [(f"Can you see boat {n}?", n < 40) for n in range(60)] + [(f"What is boat {n}?", n < 20) for n in range(60)]
    queries = Queries.read(make_dataset(*rows))
    one, same, other = (REMEDIES[name](queries, seed, RemedySettings()) for seed in (0, 0, 1))
    assert (one.reworded, one.twins) == (same.reworded, same.twins)
    assert np.array_equal(one.times, same.times)
    assert (one.reworded, one.twins) != (other.reworded, other.twins) or not np.array_equal(one.times, other.times)


def test_a_corpus_without_a_shared_opener_cannot_be_balanced(make_corpus):
    corpus = make_corpus(("Share it", True), ("What is it", False))
    with pytest.raises(UserError, match="no opener has both refused and answered queries"):
        balance(corpus, 0)


def test_another_language_than_english_cannot_be_diversified(make_dataset):
    rows = [("Покажи это", True)] * 5 + [("Что это", False)] * 5
    with pytest.raises(
        UserError, match=r"supports only English openers, and these data have none; use --write-balanced"
    ):
        diversify(Queries.read(make_dataset(*rows)), 0)


def test_data_of_one_label_are_left_as_they_are_or_refused(make_dataset):
    queries = Queries.read(make_dataset(*[("Share it", True)] * 5))
    with pytest.raises(UserError):
        balance(queries.corpus, 0)
    with pytest.raises(UserError, match="so all weights would be 0"):
        weigh(queries.corpus)
    assert diversify(queries, 0).dropped == 0


def test_a_formula_does_not_hide_the_opener_behind_it(make_dataset):
    # By the first word, "can" keeps 30 : 30, but behind "can you" find is refused and name is answered.
    rows = [("Can you find x", True)] * 30 + [("Can you find x", False)] * 2
    rows += [("Can you please name x", n < 3) for n in range(30)] + [("What is x", n < 5) for n in range(10)]
    _, kept = mended(balance, make_dataset(*rows), 0, RemedySettings(balanced_refused=0.5))
    behind = Counter((sample.query, sample.refused) for sample in kept)
    assert behind == {
        ("Can you find x", True): 2, ("Can you find x", False): 2,
        ("Can you please name x", True): 3, ("Can you please name x", False): 3,
        ("What is x", True): 5, ("What is x", False): 5,
    }  # fmt: skip


def test_cells_of_one_word_do_not_add_up_their_rounding(make_dataset):
    # One refused query to two answered ones: each of ten cells would round 3 / 2 up to 2, and "can" would have 20 : 30.
    rows = [(f"Can you {verb} x", n < 3) for verb in "abcdefghij" for n in range(6)] + [
        ("What x", n < 10) for n in range(30)
    ]
    _, kept = mended(balance, make_dataset(*rows), 0, RemedySettings(balanced_refused=1 / 3))
    assert by_opener(kept) == {"can": (15, 30), "what": (10, 20)}


def test_a_budget_is_kept_with_its_ratio_and_every_opener_gives_the_same_part(make_dataset):
    rows = [("a x", n < 60) for n in range(120)] + [("b x", n < 20) for n in range(40)] + [("c x", True)] * 50
    data = make_dataset(*rows)
    made, kept = mended(balance, data, 0, RemedySettings(balanced_size=80))
    assert (by_opener(kept), made.notes, made.repeated) == ({"a": (30, 30), "b": (10, 10)}, (), 0)
    _, kept = mended(balance, data, 0, RemedySettings(balanced_size=0.5, balanced_refused=0.25))
    assert by_opener(kept) == {"a": (20, 59), "b": (6, 19)}  # 105 rows would be 26.25 : 78.75
    _, kept = mended(balance, data, 0, RemedySettings(balanced_size=21, balanced_refused=0.8))
    assert by_opener(kept) == {"a": (12, 3), "b": (4, 1)}  # 4.2 : 16.8 would be 21 rows


def test_rows_are_repeated_equally_often_up_to_the_maximum(make_dataset):
    rows = [(f"a x{n}", n < 20) for n in range(24)] + [("b x", True)] * 6
    made, kept = mended(balance, make_dataset(*rows), 0, RemedySettings(balanced_size=30, balanced_copies=3))
    assert (len(kept), sum(sample.refused for sample in kept)) == (24, 12)  # 4 answered queries, three times each
    assert (made.repeated, made.dropped) == (8, 30 - 16)
    assert Counter(sample.id for sample in kept if not sample.refused) == dict.fromkeys(("20", "21", "22", "23"), 3)
    assert made.notes == (
        "at most 24 of 30 rows have an opener with both labels at this share of refused ones; raise --balanced-copies, "
        "or use the remedy twins",
    )
    _, kept = mended(balance, make_dataset(*rows), 0, RemedySettings(balanced_size=20, balanced_copies=3))
    times = Counter(sample.id for sample in kept if not sample.refused)
    assert sorted(times.values()) == [2, 2, 3, 3]


def test_weights_make_opener_and_label_independent_up_to_the_greatest(make_corpus):
    rows = [("a x", n < 30) for n in range(40)] + [("b x", n < 1) for n in range(50)] + [("c x", True)] * 10
    made = weigh(make_corpus(*rows), RemedySettings(weighted_refused=0.4, weighted_max=5))
    # "a" keeps its 40: 16 for 30 refused, 24 for 10 answered. "b" would weigh 20 on one query, so it has 5 / 0.4.
    assert made.weights[[0, 39, 40, 41, 95]] == pytest.approx([16 / 30, 2.4, 5.0, 7.5 / 49, 0.0])
    assert made.weights.sum() == pytest.approx(40 + 12.5)
    assert made.capped == 50
    refused = np.array([label for _, label in rows])
    assert made.weights[refused].sum() / made.weights.sum() == pytest.approx(0.4)
    free = weigh(make_corpus(*rows), RemedySettings(weighted_refused=0.4, weighted_max=100))
    assert (free.capped, free.weights.max()) == (0, 20.0)
    assert free.weights[:90].mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"balanced_refused": 1.0}, "--balanced-refused 1: valid: a share between 0 and 1"),
        ({"weighted_refused": 0.0}, "--weighted-refused 0: valid"),
        ({"balanced_size": 1.5}, "--balanced-size 1.5: valid: a number of rows from 2"),
        ({"balanced_size": 1}, "--balanced-size 1: valid"),
        ({"balanced_size": 0.0}, "--balanced-size 0.0: valid"),
        ({"balanced_copies": 0}, "--balanced-copies 0: valid: 1 or more"),
        ({"twins_per_row": 0}, "--twins-per-row 0: valid: 1 or more"),
        ({"weighted_max": 0.5}, "--weighted-max 0.5: valid: 1 or more"),
        ({"weighted_max": float("inf")}, "--weighted-max inf: valid: 1 or more, not infinite"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        RemedySettings(**settings)


def test_a_shared_prefix_stays_in_front_of_a_new_wording(make_dataset):
    rows = [(f"Please share boat {n}.", True) for n in range(30)] + [
        (f"Please, name boat {n}.", False) for n in range(30)
    ]
    _, changed = mended(diversify, make_dataset(*rows))
    assert all(sample.query.lower().startswith("please") for sample in changed)
    counts = Counter((sample.query.split()[1].lower(), sample.refused) for sample in changed)
    assert counts == {("share", True): 15, ("share", False): 15, ("name", True): 15, ("name", False): 15}
    assert not any(sample.query.split()[1][0].isupper() for sample in changed)


def test_pictures_keep_their_places_or_the_query_its_wording(make_dataset):
    data = make_dataset(
        *[(f"Share boat {n}.", True) for n in range(20)], *[(f"What is boat {n}?", False) for n in range(20)]
    )
    labels = "Image-1: \nImage-2: \nShare the boat."
    two = replace(data.samples[0], query=labels, image="0.png", images=(Placed("0.png", 9), Placed("1.png", 19)))
    inside = replace(data.samples[1], query="Share this  now, and that  later.", image="0.png")
    inside = replace(inside, images=(Placed("0.png", 11), Placed("1.png", 26)))
    data = replace(
        data,
        samples=(
            *[replace(two, id=f"t{n}") for n in range(10)],
            *[replace(inside, id=f"i{n}") for n in range(10)],
            *data.samples[20:],
        ),
    )
    made, changed = mended(diversify, data)
    assert made.unchanged_wording == made.lost_places > 0
    for before, after in zip(data, changed, strict=True):
        if before.query == labels:
            assert after.query.startswith("Image-1: \nImage-2: \n")
            assert after.images == before.images
        elif before.query == inside.query:
            assert after == before
    assert {opener(one.query.rpartition("\n")[2]) for one in changed[:10]} == {"share", "what"}


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_ratio_that_leaves_no_row_of_a_label_is_refused(make_dataset, share):
    data = make_dataset(*[(f"a x{n}", n < 20) for n in range(40)])
    with pytest.raises(UserError, match=rf"both labels for 40 rows with a share of {share} refused; set"):
        mended(balance, data, 0, RemedySettings(balanced_refused=share))
