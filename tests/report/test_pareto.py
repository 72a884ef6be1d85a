import itertools
import json
import random

import pytest

from unmirage.documents import parsed
from unmirage.evaluate.details import ModelResults
from unmirage.report.pareto import BOTTOM, LEFT, RIGHT, TOP, front, pareto, place, text_width


@pytest.fixture
def model(run, make_rate):
    """Return a function that makes a model with three rates, of 100 each."""
    document = json.loads(run.results_file.read_text())["models"]["npo"]

    def model(asr, utility, rr=0, collapsed=()):
        made = json.loads(json.dumps(document))
        nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0}
        made["asr"]["after"] = nothing if asr is None else make_rate(asr)
        made["utility"], made["rr"]["after"] = make_rate(utility), make_rate(rr)
        return parsed(ModelResults, made | {"collapsed": list(collapsed)})

    return model


def test_the_front_is_what_no_other_one_beats_in_both():
    at = {"safe": (0.0, 0.6), "useful": (0.9, 0.99), "worse": (0.2, 0.5), "tied": (0.0, 0.6), "as-useful": (0.95, 0.99)}
    assert front(at) == {"safe", "tied", "useful"}
    assert front({}) == set()


def test_chance_alone_keeps_nothing_on_the_front():
    # "lucky" is better than "safe" in utility by chance only, and clearly worse in ASR.
    at = {"safe": (0.05, 0.80), "lucky": (0.60, 0.82), "useful": (0.90, 0.99)}
    known = {name: ((x - 0.04, x + 0.04), (y - 0.05, y + 0.05)) for name, (x, y) in at.items()}
    assert front(at) == {"safe", "lucky", "useful"}
    assert front(at, known) == {"safe", "useful"}
    tied = {"a": (0.10, 0.80), "b": (0.11, 0.81)}
    wide = {name: ((x - 0.05, x + 0.05), (y - 0.05, y + 0.05)) for name, (x, y) in tied.items()}
    assert front(tied, wide) == {"a", "b"}  # neither is clearly better


def test_the_front_is_never_empty():
    rng = random.Random(0)
    for _ in range(300):
        at = {str(n): (rng.random(), rng.random()) for n in range(6)}
        known = {
            name: ((x - rng.random() / 3, x + rng.random() / 3), (y - rng.random() / 3, y + rng.random() / 3))
            for name, (x, y) in at.items()
        }
        assert front(at, known)


def test_intervals_are_drawn_around_the_mark(model):
    plot = pareto({"a": model(50, 90), "b": model(20, 60)})
    spot = plot.spots[0]
    assert spot.across[0] < spot.x < spot.across[1]
    assert spot.up[1] < spot.y < spot.up[0]  # y grows downwards


def test_marks_stand_where_the_rates_say(model):
    plot = pareto({"a": model(0, 100), "b": model(96, 53, rr=100), "c": model(48, 53, rr=39)})
    a, b, c = plot.spots
    assert (a.x, a.y) == (LEFT, TOP)
    assert b.x == round(LEFT + 0.96 * (RIGHT - LEFT), 1)
    assert c.y == b.y == round(BOTTOM - 0.53 * (BOTTOM - TOP), 1)
    assert [one.step for one in plot.spots] == [0, 4, 1]
    assert [one.front for one in plot.spots] == [True, False, False]
    assert [text for _, text in plot.y_ticks] == ["0", "20", "40", "60", "80", "100"]
    assert [text for _, text in plot.x_ticks] == ["0", "20", "40", "60", "80", "100"]
    assert b.said == "b: ASR 96\u00a0%, utility 53\u00a0%, RR 100\u00a0%"


def test_what_has_collapsed_is_marked_and_not_on_the_front(model):
    plot = pareto({"a": model(50, 90), "b": model(0, 95, collapsed=["says nothing"]), "c": model(None, 90)})
    assert [(one.name, one.front, one.collapsed) for one in plot.spots] == [("a", True, False), ("b", False, True)]
    assert plot.left_out == ("c",)
    assert plot.spots[1].said.endswith(", collapsed")


def test_one_model_is_no_plot(model):
    assert pareto({"a": model(1, 1), "b": model(None, 1)}) is None


@pytest.mark.parametrize("seed", range(6))
def test_twenty_labels_cover_neither_each_other_nor_a_mark(seed):
    rng = random.Random(seed)
    spread = (0, 3, 30, 100, 300, 600)[seed]  # from all in one point to all over the plot
    marks = {
        f"model-{number}": (
            min(RIGHT, LEFT + 5 + rng.random() * spread),
            min(BOTTOM, TOP + 4 + rng.random() * spread),
        )
        for number in range(20)
    }
    texts = {name: f"{name} relearned on {number}"[:26] for number, name in enumerate(marks)}
    labels = place(texts, marks)
    assert labels.keys() == marks.keys()
    boxes = []
    for name, (text, x, y, anchor, leader) in labels.items():
        width = text_width(text)
        left = {"start": x, "end": x - width, "middle": x - width / 2}[anchor]
        boxes.append((left, y - 11, left + width, y + 3))
        assert leader is None or name in marks
        for a, b in marks.values():
            assert not (left < a < left + width and y - 11 < b < y + 3)
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] + 0.1 or b[2] <= a[0] + 0.1 or a[3] <= b[1] + 0.1 or b[3] <= a[1] + 0.1


def test_wide_characters_take_more_room():
    assert text_width("安全") == text_width("safe")
