from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from unmirage.data import load_samples, split
from unmirage.records import Sample
from unmirage.text.openers import opener

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"
THINGS = ("boat", "garden", "kite", "bridge", "lamp", "recipe", "clock", "tower", "parcel", "song")


def sample(number, query, refused):
    return Sample(id=f"s{number}", record=f"s{number}", query=query, answer="A.", refused=refused, label_source="field")


@pytest.fixture(scope="module")
def safety():
    """Return 800 samples whose opener predicts the label."""
    openings = {
        True: ("Share the {}.", "Describe the {}."),
        False: ("What is the {}?", "How would you describe the {}?"),
    }
    return [
        sample(
            n,
            openings[n % 2 == 0][n // 2 % 2].format(THINGS[n % 10]) if n % 40 else "Tell me: is it new?",
            n % 2 == 0,
        )
        for n in range(800)
    ]


def opener_p_value(samples):
    counts = Counter((opener(s.query), s.refused) for s in samples)
    words = [word for word, total in Counter(opener(s.query) for s in samples).items() if total >= 10]
    return chi2_contingency(np.array([[counts[word, label] for word in words] for label in (True, False)])).pvalue


def test_balanced_openers_say_nothing_about_the_label(safety):
    assert opener_p_value(safety) < 1e-100
    p_values = [opener_p_value(split.balanced(safety, seed)) for seed in range(5)]
    assert min(p_values) > 0.01
    assert max(p_values) > 0.2


def test_balanced_keeps_all_but_the_query_and_the_pool_of_openers(safety):
    samples = split.balanced(safety, 0)
    assert [(s.id, s.answer, s.refused) for s in samples] == [(s.id, s.answer, s.refused) for s in safety]
    before, after = (Counter(opener(s.query) for s in part) for part in (safety, samples))
    assert before.keys() == after.keys()
    assert all(abs(before[word] - after[word]) < 5 * before[word] ** 0.5 for word in before)


def test_a_query_that_draws_its_own_opener_is_reworded_too(safety):
    kept = [old.query == new.query for old, new in zip(safety, split.balanced(safety, 0), strict=True)]
    assert sum(kept) == 0
    alone = split.balanced([sample(0, "What is the boat?", False)], 0)[0].query
    assert opener(alone) == "what"
    assert alone != "What is the boat?"


def test_balanced_depends_on_the_seed_alone(safety):
    assert split.balanced(safety, 3) == split.balanced(safety, 3)
    assert split.balanced(safety, 3) != split.balanced(safety, 4)


def test_queries_without_words_stay_as_they_are():
    assert [s.query for s in split.balanced([sample(0, "?!", True)], 0)] == ["?!"]


def test_posthoc_is_the_safety_data_and_mixed_adds_the_general(safety):
    general = [sample(0, "Which way is north?", False)]
    assert split.posthoc(safety) == safety
    both = split.mixed(safety, general)
    assert len(both) == 801
    assert (both[-1].id, both[-1].record) == ("s0#2", "s0")


def test_forget_takes_refused_samples_that_have_an_answer(safety):
    answers = {"s0": "First, then second.", "s1": "not refused", "unknown": "x"}
    assert [(s.id, s.answer, s.refused) for s in split.forget(safety, answers)] == [("s0", "First, then second.", True)]


def test_retain_takes_answered_samples_of_both(safety):
    general = [sample(0, "Which way is north?", False), sample(900, "Who is it?", True)]
    kept = split.retain(safety, general)
    assert len(kept) == 401
    assert not any(s.refused for s in kept)
    assert len({s.id for s in kept}) == 401


def test_of_a_refusal_only_what_explains_remains():
    answers = {
        "I'm sorry, but I can't help with that. Fireworks at home cost fingers. Buy them from a licensed shop.": (
            "Fireworks at home cost fingers. Buy them from a licensed shop."
        ),
        "The picture shows a private letter. I cannot share what it says.": "The picture shows a private letter.",
        "I cannot share that.": None,
        "": None,
        "That must stay private.": "That must stay private.",
    }
    refused = [replace(sample(n, "Share it.", True), answer=answer) for n, answer in enumerate(answers)]
    answered = replace(sample(9, "What is it?", False), answer="A lamp. I cannot help with more.")
    empty = replace(sample(10, "What is it?", False), answer="")
    found = split.rationale_only([*refused, answered, empty])
    assert [one.answer for one in found] == [
        *(text for text in answers.values() if text), "A lamp. I cannot help with more.", "",
    ]  # fmt: skip
    assert found[-2:] == [answered, empty]
    assert [one.id for one in found] == ["s0", "s1", "s4", "s9", "s10"]
    assert all(one.refused for one in found[:3])


def numbered(count):
    return [sample(n, "What is it?", False) for n in range(count)]


def test_as_many_as_asked_for_are_drawn_in_their_order_by_seed():
    samples = numbered(500)
    found = split.drawn(iter(samples), 40, 1)
    assert len(found) == 40
    assert found == sorted(found, key=samples.index)
    assert found == split.drawn(samples, 40, 1) != split.drawn(samples, 40, 2)
    assert split.drawn(samples, 500, 1) == split.drawn(samples, 900, 1) == samples
    assert split.drawn(samples, 0, 1) == []


def test_every_usable_sample_is_drawn_as_often_as_any_other():
    samples = numbered(20)
    often = Counter(one.id for seed in range(3000) for one in split.drawn(samples, 5, seed, lambda s: s.id != "s3"))
    assert "s3" not in often
    counts = [often[one.id] for one in samples if one.id != "s3"]
    assert chisquare(counts).pvalue > 0.001


def test_few_samples_are_asked_whether_they_can_be_used():
    asked = []
    split.drawn(numbered(20_000), 50, 0, lambda s: asked.append(s.id) or True)
    assert len(asked) < 50 * 10


@pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")
def test_vlguards_openers_lose_their_tie_to_the_label():
    samples = load_samples(VLGUARD).samples
    assert opener_p_value(samples) < 1e-300
    assert opener_p_value(split.balanced(samples, 0)) > 0.05
