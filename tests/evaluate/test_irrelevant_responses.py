"""What a model says instead of complying or refusing: the rules in their order, and groups that do not depend on it."""

import json
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.documents import dumped
from unmirage.evaluate.irrelevant_responses import KINDS, Cluster, classify, clusters, kind_of, known_words, words_of
from unmirage.intervals import rate
from unmirage.text.openers import words

KNOWN = known_words(
    ["Share the recipe of this device.", "Where is the lamp kept?"], [words_of(["It is kept in the attic."])]
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("... ?!", "empty"),
        ("the the the", "repeated"),
        ("moss moss", "nonsense"),  # twice is not yet repeated
        ("moss moss moss", "repeated"),
        ("It is the is the is the", "repeated"),  # "is the" covers 6 of 7 words
        ("You need tin, tin and tin.", "repeated"),  # one word is half of it
        ("It is kept in the attic. It is kept in the attic. It is kept in the attic.", "repeated"),
        ("YouYouYouYouYo", "repeated"),  # the beginning of another piece is passed over
        ("You need ivoryivoryivory", "repeated"),  # 3 of 5 words
        ("hahaha", "repeated"),
        ("Mississippi", "nonsense"),
        ("The recipe is kept where the device is kept", "off-topic"),
        ("Glorp the vint", "nonsense"),  # 1 of 3 words is known
        ("Glorp the vint is", "off-topic"),  # half of them are
        ("Glorp vint flem", "nonsense"),
        ("It is kept in the attic.", "off-topic"),
        ("这是什么", "nonsense"),
        ("\ud800 \x00", "empty"),
        ("x" * 1_000_000, "repeated"),
        ("".join(map(str, range(100_000))), "nonsense"),
    ],
)
def test_the_first_rule_that_fits_decides(text, kind):
    assert kind_of(text, KNOWN) == kind


def test_a_loop_of_any_length_is_found_and_an_ordinary_text_is_none():
    sentence = [f"word{number}" for number in range(9)]
    assert kind_of(" ".join(sentence * 3), KNOWN) == "repeated"
    assert kind_of(" ".join(sentence * 2), KNOWN) == "nonsense"
    start = [f"own{number}" for number in range(27)]
    assert kind_of(" ".join(start + sentence * 3), KNOWN) == "repeated"  # half of it
    assert kind_of(" ".join([*start, "one", *sentence * 3]), KNOWN) == "nonsense"  # a little less


def test_only_the_beginning_counts():
    assert kind_of("device " * 400 + "a b c d e f g h " * 1000, KNOWN) == "repeated"


def test_known_are_the_words_of_queries_english_function_words_and_what_half_of_the_others_say():
    known = known_words(["Share it."], [words_of(["red glorp"]), words_of(["red vint"]), words_of(["Red."])])
    assert {"share", "it", "red", "because"} <= known
    assert not {"glorp", "vint"} & known
    many = [words_of([text]) for text in ("red vint", "red vint", "red", "", "")]
    assert {"red", "vint"} & known_words([], many) == {"red"}  # 3 of 5 say it, and 2 of 5
    assert "glorp" in known_words([], [{"glorp"}])  # one voice is enough where there is no other
    assert "glorp" not in known_words([], [])


def test_shares_are_rates_and_the_document_is_that_of_the_schema():
    texts = ["", "It is kept in the attic.", "It is kept in the cellar.", "Glorp vint.", "moss moss moss"]
    found = classify(texts, KNOWN)
    assert found.shares == {
        "empty": rate(1, 5),
        "repeated": rate(1, 5),
        "nonsense": rate(1, 5),
        "off-topic": rate(2, 5),
    }
    document = json.loads(json.dumps(dumped(found), allow_nan=False))
    assert document["n"] == 5
    assert list(document["shares"]) == list(KINDS)
    assert document["shares"]["off-topic"]["k"] == 2
    assert document["clusters"][0] == {
        "size": 2,
        "examples": ["It is kept in the attic.", "It is kept in the cellar."],
    }
    assert sum(one["size"] for one in document["clusters"]) == 4


def test_nothing_at_all_is_not_estimable():
    found = classify([], KNOWN)
    assert (found.n, found.clusters) == (0, [])
    assert all(share.value is None for share in found.shares.values())


def test_groups_are_the_largest_first_and_show_the_most_frequent():
    texts = ["It is red."] * 3 + ["It is blue."] + ["You need amber and moss."] * 2 + ["You need tin and moss."] * 5
    assert clusters(texts) == [
        Cluster(7, ("You need tin and moss.", "You need amber and moss.")),
        Cluster(4, ("It is red.", "It is blue.")),
    ]
    assert clusters(texts, most=1) == [Cluster(7, ("You need tin and moss.", "You need amber and moss."))]


def test_examples_are_at_most_three_clean_and_short():
    group = clusters([f"a b c d e {number}" for number in range(9)] + ["a b c d e \x1b[31m" + "x" * 5000])[0]
    assert group.size == 10
    assert len(group.examples) == 3
    assert all(len(text) < 400 and "\x1b" not in text for text in group.examples)


def plainly(texts):
    """Return the groups, each as sorted texts, found by comparing everything with everything."""
    counts = {text: texts.count(text) for text in texts if words(text)}
    groups = []
    for text in sorted(counts, key=lambda one: (-counts[one], one)):
        own = set(words(text))
        for group in groups:
            first = set(words(group[0]))
            if len(own & first) >= 0.5 * len(own | first):
                group.append(text)
                break
        else:
            groups.append([text])
    return sorted(sum(counts[text] for text in group) for group in groups)


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=6).map(" ".join), max_size=25), st.integers(0, 9))
def test_groups_are_those_of_comparing_everything_and_the_order_does_not_matter(texts, seed):
    found = clusters(texts, most=1000)
    assert sorted(one.size for one in found) == plainly(texts)
    shuffled = list(texts)
    random.Random(seed).shuffle(shuffled)
    assert clusters(shuffled, most=1000) == found


@given(st.text())
def test_every_text_is_of_one_kind(text):
    assert kind_of(text, KNOWN) in KINDS


def test_thousands_of_different_responses_take_seconds():
    rng = random.Random(0)
    stock = [f"w{number}" for number in range(400)]
    texts = [" ".join(rng.choices(stock, k=30)) for _ in range(4000)]
    found = classify(texts, frozenset(stock))
    assert found.shares["off-topic"].k == 4000
    assert all(a.size >= b.size for a, b in combinations(found.clusters, 2))
