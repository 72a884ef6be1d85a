"""The headline, the verdict and the ladder say what the numbers say, and nothing else."""

from types import SimpleNamespace

import pytest

from unmirage.audit.corpus import Copies
from unmirage.audit.probes import Accuracy
from unmirage.audit.result import AuditResult, ProbeSetting
from unmirage.documents import parsed
from unmirage.report.audit_view import Shortcut, copied, measured_on, shortcut, view


def accuracy(test, baseline=0.6, low=None):
    return {"train": test, "test": test, "baseline": baseline, "low": low, "high": low and 1.0}


@pytest.fixture
def seen(full_audit):
    """Return a function that shows an audit with the given informedness (value, low) and predictability."""

    def seen(found=None, shortcut_gap=None, **rungs):
        value, low = found or (None, None)
        measured = {"value": value, "low": low, "high": value and 1.0, "sensitivity": 0.9, "specificity": 0.88}
        changed = {"informedness": measured, "predictability": rungs, "shortcut_gap": shortcut_gap}
        return view(AuditResult.read(full_audit | changed))

    return seen


@pytest.mark.parametrize(
    ("test", "low", "verdict"),
    [
        (0.9, 0.88, Shortcut.CLEAR),
        (0.9, None, Shortcut.CLEAR),
        (0.9, 0.55, Shortcut.NONE),  # chance may explain it
        (0.7, 0.65, Shortcut.SOME),
        (0.63, 0.61, Shortcut.NONE),
        (0.5, 0.45, Shortcut.NONE),
        (None, None, Shortcut.UNKNOWN),
    ],
)
def test_a_verdict_needs_a_gap_that_chance_does_not_explain(test, low, verdict):
    assert shortcut(parsed(Accuracy, accuracy(test, low=low))) is verdict


@pytest.mark.parametrize(("test", "low", "verdict"), [(0.56, 0.51, Shortcut.NONE), (0.7, 0.65, Shortcut.SOME)])
def test_a_rule_must_beat_the_majority_of_a_test_file_with_other_labels(test, low, verdict):
    # "Always answered" is right for 56 % of the test file; "always refused", the majority of the data, for 44 %.
    assert shortcut(parsed(Accuracy, accuracy(test, baseline=0.44, low=low))) is verdict


def test_the_headline_tells_a_clear_shortcut(seen):
    found = seen((0.78, 0.74), shortcut_gap=0.34, opener=accuracy(0.94))
    assert found.headline.replace("\u00a0", " ") == (
        "Whether a query is refused can be predicted from its first word alone: informedness 0.78 "
        "(0.74 to 1.00), AUC 0.93 (0.91 to 0.95)."
    )
    assert found.verdict.said == "clear shortcut"
    assert (
        found.meaning[0]
        .replace("\u00a0", " ")
        .startswith(
            "A rule that reads only the first word recognizes 90 % of the refused and 88 % of the answered queries."
        )
    )
    assert found.meaning[1].startswith("A model fine-tuned on this data can score well from the first word alone")
    assert found.meaning[2:4] == (
        "Most of it comes from “what” (0.41) and “share” (0.16).",
        "The shortcut gap is 34.0 points. It also depends on how many queries are refused.",
    )
    assert found.meaning[4].startswith("120 of 1,000 queries have a copy: another query with the same text (920 diff")
    assert " 3 texts occur both refused and answered." in found.meaning[4]


def test_one_text_with_both_labels_is_singular():
    copies = Copies(queries=2, texts=1, both_labels=1)
    result = SimpleNamespace(n=2, copies=copies)
    assert copied(result)[0].startswith(
        "2 of 2 queries have a copy: another query with the same text (1 different text). 1 text occurs both refused"
    )


def test_the_headline_speaks_of_what_tells_most(seen):
    found = seen((0.01, -0.1), shortcut_gap=0.0, opener=accuracy(0.6), template=accuracy(0.85), shape=accuracy(0.7))
    assert "from its sentence pattern with content words masked alone" in found.headline
    assert found.verdict is Shortcut.CLEAR
    assert not any("fine-tuned" in said or "Most of it" in said for said in found.meaning)
    assert found.meaning[3].replace("\u00a0", " ") == (
        "The label can also be predicted from its length, punctuation and capitals (correct for 70 %) and its sentence "
        "pattern with content words masked (correct for 85 %). None of these is what a query asks for."
    )


def test_words_that_tell_the_subject_are_no_shortcut_but_are_mentioned(seen):
    found = seen((0.02, 0.01), shortcut_gap=0.02, opener=accuracy(0.62), words_without_opener=accuracy(0.95))
    assert "cannot be predicted from its first word" in found.headline
    assert found.verdict.said == "no shortcut found"
    assert any("The other words also predict the label" in said for said in found.meaning)


def test_some_and_not_estimable(seen):
    assert "can be predicted in part from its first word" in seen((0.1, 0.01), opener=accuracy(0.6)).headline
    nothing = seen(opener=accuracy(None, None))
    assert nothing.headline == "This data does not allow an estimate of how well the first word predicts refusal."
    assert nothing.meaning[0] == "There are too few different queries, or only one label, to detect a shortcut."
    assert nothing.meaning[-1].startswith("120 of 1,000 queries have a copy")
    assert seen().verdict.said == "not estimable"


def test_rungs_are_named_in_plain_words_and_the_unknown_ones_as_they_are(full_audit):
    full_audit["predictability"]["zodiac"] = accuracy(0.6)
    names = [rung.name for rung in view(AuditResult.read(full_audit)).ladder]
    assert names[:3] == ["nothing: always the majority label", "the first word", "the first three words"]
    assert names[-1] == "zodiac"


def test_the_bar_shows_what_a_guess_gets_right_and_what_the_rule_adds(seen):
    found = seen(opener=accuracy(0.9, low=0.88), shape=accuracy(0.5), words=accuracy(0.7, None))
    bars = [rung.bar for rung in found.ladder]
    assert [(bar.plain, bar.more) for bar in bars] == [(60.0, 30.0), (50.0, 0.0), (70.0, 0.0)]
    assert [bar.majority for bar in bars] == [60.0, 60.0, None]
    assert [(bar.low, bar.high) for bar in bars] == [(88.0, 100.0), (None, None), (None, None)]


@pytest.mark.parametrize(
    ("pictures", "note"),
    [
        ({"named": 9, "missing": 9}, "no images were found"),
        ({}, "the data has no images"),
        ({"named": 9, "read": 9}, "not estimable"),
        (None, "the data has no images"),
    ],
)
def test_a_rung_without_a_figure_says_why(full_audit, pictures, note):
    rungs = view(AuditResult.read(full_audit | {"pictures": pictures})).ladder
    assert [(rung.note, rung.bar) for rung in rungs if rung.bar is None] == [(note, None)]


def test_what_counts_as_unseen_is_said():
    folds = ProbeSetting(evaluation="cross-validated", folds=5, rows=2977, sampled=True)
    assert measured_on(folds) == ("Unseen: 2,977 queries, a random sample, cross-validated with 5 folds.")
    assert measured_on(ProbeSetting(evaluation="test file", test_source="t.json", test_n=1558)) == (
        "Unseen: the queries of t.json (1,558 queries)."
    )
    assert measured_on(ProbeSetting()) == ""
