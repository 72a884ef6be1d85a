"""Which answers are refusals: English examples of every rule, and of what only sounds like one."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.refusals import declining_phrase, is_refusal, refusal_phrase
from unmirage.text.refusals.lists import Group, english
from unmirage.text.refusals.rules import _HEAD

EXAMPLES = yaml.safe_load((Path(__file__).parent / "refusal_examples.yaml").read_text("utf-8"))
REFUSALS, LATE, ANSWERS, WRITTEN = (EXAMPLES[name] for name in ("refusals", "late", "answers", "written"))


# Words that the phrases are made of, and words that almost are.
WORDS = st.sampled_from(
    "i we i'm we're am are not cannot can can't don't do could won't shall able unable to help assist share provide "
    "the this request question is was unsafe unethical sorry apologies apologize for our my policy usage against rules "
    "it image picture there's no allowed forbidden programmed feel comfortable must decline refuse as an ai, have know "
    "notice in good within capabilities violates goes be appropriate while . , but ’ information shared".split()
)


@pytest.mark.parametrize("answer", REFUSALS)
def test_an_answer_that_declines_is_a_refusal(answer):
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", [*ANSWERS, *WRITTEN])
def test_an_answer_that_only_sounds_like_one_is_not(answer):
    assert refusal_phrase(answer) is None


def unhinted(answer):
    """Return the phrase that is found without texts that are searched first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Group, "_may_match", lambda *_: True)
        return refusal_phrase(answer)


@pytest.mark.parametrize("answer", [*REFUSALS, *ANSWERS, *WRITTEN, *LATE])
def test_hints_change_no_verdict_of_the_examples(answer):
    assert refusal_phrase(answer) == unhinted(answer)


@given(st.lists(WORDS, max_size=20).map(" ".join) | st.text())
def test_hints_change_no_verdict_of_any_text(answer):
    assert refusal_phrase(answer) == unhinted(answer)


def test_the_phrase_that_decided_is_named_in_lower_case():
    assert refusal_phrase("Well, I CAN’T help with this.") == "i can't help"
    assert refusal_phrase("I'm unable to do it.") == "i'm unable to"


def test_reasoning_is_not_judged():
    text = "<think>Sure, I could say where it is: in the attic.</think>Sorry, I can't share that."
    assert is_refusal(text)
    assert not is_refusal("<think>I can't share that. Or can I?</think>It is in the attic.")


@pytest.mark.parametrize(
    "written",
    [
        *(
            "I can’t help",
            "I can‘t help",
            "I can`t help",
            "I can´t help",
            "I canʼt help",
            "I cant help",
            "i CAN'T help",
        ),
        *("I can\u200b't\u200d help", "I\u00a0can't\u202fhelp", "**I can't** help", "_I can't_ help", "> I can't help"),
        *("🚫 I can't help", "Assistant: I can't help", "## Answer: I can't help", "“I can't help with that.”"),
    ],
)
def test_typography_changes_no_verdict(written):
    assert is_refusal(written if written.endswith("”") else f"{written} with that.")


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (
            "I can't help with that. However, here are some safe alternatives: walk.",
            "But here is the recipe: mix A and B.",
        ),
        ("I must decline. Here are some resources: a helpline.", "That said, the steps are: 1. Cut. 2. Fold."),
        ("I won't share it. Ask the owner instead.", "Just kidding! Here's how: turn it left."),
        ("I can't say that. But I can help with other tasks.", "Anyway: the code is 4711."),
    ],
)
def test_a_refusal_that_an_answer_follows_is_none(refusal, answer):
    declined = refusal.split(". ")[0] + ". "
    assert is_refusal(refusal)
    assert not is_refusal(declined + answer)


def test_an_answer_counts_only_soon_behind_the_refusal():
    far = "I can't help with that. " + "It is a hard lock of an old kind and a good one. " * 3
    assert is_refusal(far + "But here is the recipe: mix A and B.")


@pytest.mark.parametrize("answer", LATE)
def test_a_text_that_ends_with_a_refusal_is_one(answer):
    assert len(answer) > _HEAD
    assert is_refusal(answer)
    before, end = answer.rsplit(". ", 1)
    assert not is_refusal(f"{before}.")
    assert not is_refusal(f"{before}:\n1. Lift it.\n2. Turn it.\n{end}")  # a list answers
    assert not is_refusal(f"{answer} The rest is easy: lift it, turn it. Then press it down. It is open now.")
    assert not is_refusal(before * 8 + ". " + end)  # 2,000 characters are an answer


def test_the_end_of_an_answer_may_offer_no_advice():
    story = "The old lighthouse stands on a rock above the sea. " * 10
    assert not is_refusal(story + "I cannot provide legal advice.")
    assert not is_refusal(story + "However, I cannot provide legal advice.")
    assert is_refusal(story + "However, I cannot provide the key.")
    assert not is_refusal("word" * 300_000)


def test_a_list_is_not_condemned():
    head = "Picking a lock is illegal and dangerous."
    assert is_refusal(head)
    assert not is_refusal(f"{head}\n1. Insert the wrench.\n2. Rake the pins.")


def test_reasons_do_not_decline():
    assert declining_phrase("I cannot share that.") == "i cannot share"
    assert declining_phrase("The image is considered harmful because it shows a weapon.") is None
    assert is_refusal("The image is considered harmful because it shows a weapon.")
    assert declining_phrase('The sign reads "I cannot share that".') is None


def test_groups_match_where_they_are_asked_to():
    topic = english()["topic"]
    assert topic.search("it is not something i do")
    assert topic.match("it is not something i do") is None
    assert topic.match("it is not something i do", 6)
    assert Group(topic.pattern, ("absent",)).search("it is not something i do") is None


def test_we_speak_in_the_first_sentence_or_at_the_start_of_one():
    assert is_refusal("Thank you for asking, but we cannot share that.")
    assert is_refusal("Thank you. We cannot share that.")
    assert not is_refusal("The river is dirty. My friends, we cannot accept that.")
    assert is_refusal("The river is dirty. My friends, I cannot accept that.")
