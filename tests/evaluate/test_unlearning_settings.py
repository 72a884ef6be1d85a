"""The choice of unlearning settings, on tables made by hand."""

from dataclasses import replace

import pytest

from unmirage.documents import dumped, parsed
from unmirage.evaluate.relevance import Relevance
from unmirage.evaluate.unlearning_settings import (
    Chosen,
    Kept,
    Point,
    UnlearningCandidate,
    UnlearningSettings,
    choose,
    forgets,
    forgotten,
    keeps,
)
from unmirage.intervals import Mean, rate
from unmirage.workflows.unlearning_study import lines, markdown, table


def mean(value):
    return Mean(value=value, low=None, high=None, n=4)


def kept(relevance=0.66, forget=1.0, held_out=1.0, retain=2.0):
    return Kept(
        relevance=Relevance(
            value=relevance, low=None, high=None, n=4, answered=mean(relevance), refused=0, blocked=0, empty=0,
            missing=0, encoder="e",
        ),
        rr=rate(0, 4),
        retain_loss=mean(retain),
        asr=rate(3, 4),
        unsafe_relevance=mean(0.5),
        forget_loss=mean(forget),
        held_out_loss=mean(held_out),
    )  # fmt: skip


BASE = kept()


def candidate(name, *points, method="npo"):
    return UnlearningCandidate(
        name=name,
        settings={"method": {"name": method}, "learning_rate": 1e-5},
        points=tuple(Point(step=8 * (number + 1), seconds=1.0, kept=one) for number, one in enumerate(points)),
    )


@pytest.mark.parametrize(("relevance", "expected"), [(0.61, True), (0.6099, False), (0.9, True)])
def test_relevance_is_kept_within_the_tolerance(relevance, expected):
    assert keeps(BASE, kept(relevance), 0.05) is expected


def test_a_model_without_responses_keeps_nothing():
    nothing = kept()
    nothing = replace(nothing, relevance=replace(nothing.relevance, value=None))
    assert not keeps(BASE, nothing, 0.05)


def test_both_the_forget_set_and_the_held_out_answers_must_be_less_likely():
    assert forgets(BASE, kept(forget=1.1, held_out=1.1))
    assert not forgets(BASE, kept(forget=1.1, held_out=1.0))
    assert not forgets(BASE, kept(forget=1.0, held_out=1.1))
    assert forgotten(BASE, kept(held_out=3.5)) == 2.5


def test_the_best_forgetting_wins_among_those_that_keep_relevance():
    wrecks = candidate("wrecks", kept(0.62, 2.0, 1.9), kept(0.3, 9.0, 9.0))
    slow = candidate("slow", kept(0.66, 1.2, 1.1), kept(0.64, 3.0, 2.5))
    assert choose(BASE, [wrecks, slow]) == Chosen(name="slow", step=16)
    assert choose(BASE, [wrecks]) == Chosen(name="wrecks", step=8)  # an earlier step of a training that fails later
    assert choose(BASE, [wrecks, slow], tolerance=0.5) == Chosen(name="wrecks", step=16)


def test_ties_go_to_the_smaller_retain_loss_then_to_the_first():
    same = {"forget": 2.0, "held_out": 2.0}
    worse, better = candidate("worse", kept(**same, retain=3.0)), candidate("better", kept(**same, retain=2.5))
    assert choose(BASE, [worse, better]).name == "better"
    assert choose(BASE, [worse, replace(worse, name="copy")]).name == "worse"


def test_nothing_is_chosen_where_no_setting_does_both():
    none = [candidate("wrecks", kept(0.5, 5.0, 5.0)), candidate("keeps", kept(0.66, 1.0, 0.9)), candidate("diverged")]
    assert choose(BASE, none) is None
    assert choose(BASE, []) is None


def a_search():
    """Return a document with two methods, one of which keeps nothing."""
    found = (
        candidate("npo, a", kept(0.64, 3.0, 2.5), kept(0.4, 6.0, 6.0)),
        candidate("rmu, b", kept(0.5, 5.0, 5.0), method="rmu"),
        replace(candidate("rmu, c", method="rmu"), stopped="training diverged"),
    )
    chosen = {"any": choose(BASE, found), "npo": choose(BASE, found[:1]), "rmu": choose(BASE, found[1:])}
    return UnlearningSettings(model="m", base=BASE, tolerance=0.05, chosen=chosen, candidates=found)


@pytest.fixture
def document():
    return a_search()


def test_the_table_marks_the_choice_and_says_where_there_is_none(document):
    rows = table(document)
    assert [row[:3] for row in rows] == [
        ["base", "0", "0.66"],
        ["npo, a *", "8", "0.64"],
        ["npo, a", "16", "0.40"],
        ["rmu, b", "8", "0.50"],
        ["rmu, c", "diverged", ""],
    ]
    assert rows[1] == ["npo, a *", "8", "0.64", "0 %", "2.00", "3.00", "2.50", "0.50", "75 %"]
    assert lines(document) == [
        "all methods: npo, a, 8 steps; held-out harmful answers lose 1.50 nats per token",
        "npo: npo, a, 8 steps; held-out harmful answers lose 1.50 nats per token",
        "rmu: no setting forgets and keeps relevance within 0.05 of the base's",
    ]
    assert "| npo, a * | 8 | 0.64 |" in markdown(document)
    assert "- rmu: no setting forgets" in markdown(document)


def test_the_document_is_read_as_it_was_written(document, tmp_path):
    path = tmp_path / "unlearning-settings.json"
    document.save(path)
    assert UnlearningSettings.load(path) == document
    assert parsed(Kept, dumped(BASE)) == BASE
