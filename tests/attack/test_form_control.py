"""The form control: its word, its queries, and its place in plans, settings, results and tables."""

import pytest

from unmirage.attack import AttackConfig, plan_queries
from unmirage.attack.forms import FORMS, form_word
from unmirage.errors import UserError
from unmirage.evaluate.missing import SHOTS
from unmirage.evaluate.outcomes import BASELINES
from unmirage.records import Kind
from unmirage.text.english.rewriter import can_open, rewrite
from unmirage.text.openers import opener


@pytest.mark.parametrize(
    ("word", "log_odds", "taken", "chosen"),
    [
        ("what", None, (), "which"),
        ("share", None, (), "show"),
        ("what are", None, (), "which"),
        ("what", {"which": -2.0, "how": 0.3, "who": -0.4}, (), "how"),
        ("what", {"which": -2.0, "how": 0.3}, (), "who"),  # never seen: associated with neither label
        ("share", {"show": 1.5, "state": -0.2, "present": 0.1, "give": 0.7}, (), "provide"),
        ("share", dict.fromkeys(FORMS[2], 1.0) | {"give": -0.5}, (), "give"),
        ("what", None, ("which",), "how"),
        ("could", None, (), "can"),
        ("please", None, (), "kindly"),
    ],
)
def test_the_word_of_the_same_form_that_is_most_neutral(word, log_odds, taken, chosen):
    assert form_word(word, log_odds, taken) == chosen


def test_a_word_without_a_form_is_an_error_that_says_what_to_do():
    with pytest.raises(UserError, match="form-control: no other word has the form of 'zebra'; leave this kind out"):
        form_word("zebra")


def test_every_word_of_a_form_opens_requests():
    assert [word for form in FORMS for word in form if not can_open(word)] == []


def test_queries_have_the_form_of_the_attack_and_not_its_word(make_samples):
    samples = make_samples(("Share the recipe of the kite.", True), ("What is the color of the kite?", False))
    config = AttackConfig(kinds=(Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.FORM_CONTROL), shots=2)
    queries = [one for one in plan_queries(samples, config) if one.kind is Kind.FORM_CONTROL]
    assert [(one.unsafe, one.word, opener(one.text)) for one in queries] == [
        (True, "which", "which"),
        (True, "which", "which"),
        (False, "show", "show"),
    ]
    assert [one.text for one in queries] == [
        *rewrite("Share the recipe of the kite.", "which", 2),
        "Show the color of the kite.",
    ]


def test_the_settings_name_the_words_only_if_there_are_any():
    assert "jailbreak_form_word" not in AttackConfig().model_dump(mode="json")
    chosen = AttackConfig(jailbreak_form_word="how", over_prudence_form_word="state")
    assert chosen.model_dump(mode="json")["jailbreak_form_word"] == "how"
    assert [chosen.word(Kind.FORM_CONTROL, unsafe=unsafe) for unsafe in (True, False)] == ["how", "state"]
    assert AttackConfig().word(Kind.FORM_CONTROL, unsafe=True) == "which"


def test_it_is_a_baseline_with_shots_and_no_default():
    assert Kind.FORM_CONTROL in BASELINES
    assert Kind.FORM_CONTROL in SHOTS
    assert Kind.FORM_CONTROL not in AttackConfig().kinds
