"""Progress without a terminal, with a clock of ours: the exact lines; on a terminal, what stands below the bars."""

import io

import pytest
from rich.console import Console

from unmirage.cli import progress as module
from unmirage.cli.progress import StageProgress, duration, rate_text, unit_of
from unmirage.run.progress import followed, in_stage, note, prefixed, shows_notes


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def shown(monkeypatch):
    """Return a function that plays reports at given times, and returns the lines on stderr."""

    def play(steps, terminal=False, **options):
        text, clock = io.StringIO(), Clock()
        console = Console(file=text, force_terminal=terminal, width=100, highlight=False)
        monkeypatch.setattr(module, "err", console)
        with StageProgress(clock=clock, **options) as progress:
            for at, *step in steps:
                clock.now = at
                (progress.note if isinstance(step[1], str) else progress)(*step)
        return text.getvalue() if terminal else text.getvalue().splitlines()

    return play


def test_a_line_every_30_seconds_has_numbers_rate_and_time_left(shown):
    # A batch of 16 every 10 s.
    steps = [(10.0 * batch, "ask llava", 16 * batch + one, 1600) for batch in range(100) for one in range(1, 17)]
    lines = shown(steps)
    assert lines[:2] == [
        "ask llava: 49/1,600 queries (3 %), 1.6/s, 16 min left",
        "ask llava: 97/1,600 queries (6 %), 1.6/s, 16 min left",
    ]
    assert lines[-2] == "ask llava: 1,585/1,600 queries (99 %), 1.6/s, 9 s left"
    assert lines[-1] == "ask llava: 1,600 queries in 16 min"
    assert len(lines) == 34


def test_a_training_shows_loss_learning_rate_and_time_left(shown):
    steps = []
    for step in range(1, 101):
        steps += [(step * 10.0, "align npo", f"loss {2 / step:.4g}, learning rate 1e-05")]
        steps += [(step * 10.0, "align npo", step, 100)]
    lines = shown(steps)
    assert lines[0] == "align npo: 4/100 steps (4 %), 0.1/s, 16 min left; loss 0.5, learning rate 1e-05"
    assert lines[-1] == "align npo: 100 steps in 16 min; loss 0.02, learning rate 1e-05"


def test_a_quick_command_prints_nothing_and_a_slow_one_says_where_it_is(shown):
    assert shown([(0.0, "judge npo", 1, 9), (1.0, "judge npo", 9, 9)], lines=False) == []
    slow = [(40.0 * done, "judge npo", done, 3) for done in range(1, 4)]
    assert shown(slow, lines=False) == [
        "judge npo: 2/3 responses (67 %), 90/h, 40 s left",
        "judge npo: 3 responses in 80 s",
    ]


def test_stages_that_run_at_the_same_time_have_their_own_lines(shown):
    steps = [(time, name, 1 + time, 100) for time in range(40) for name in ("a: align", "b: align")]
    assert shown(steps) == [
        "a: align: 31/100 steps (31 %), 1/s, 69 s left",
        "b: align: 31/100 steps (31 %), 1/s, 69 s left",
    ]


def test_a_stage_may_repeat_have_no_step_or_a_total_that_changes(shown):
    assert shown([(0.0, "read a.json", 5, 5), (9.0, "read a.json", 5, 5)]) == ["read a.json: 5 in 0 s"] * 2
    assert shown([(0.0, "ask m", 0, 0)]) == ["ask m: 0 queries in 0 s"]
    fewer = [(0.0, "ask m", 1, 90), (31.0, "ask m", 32, 60), (40.0, "ask m", 41, 41)]
    assert shown(fewer) == ["ask m: 32/60 queries (53 %), 1/s, 28 s left", "ask m: 41 queries in 40 s"]


def test_nothing_done_since_the_first_report_has_no_rate(shown):
    assert shown([(0.0, "ask m", 1, 9), (30.0, "ask m", 1, 9)]) == ["ask m: 1/9 queries (11 %)"]


def test_a_terminal_shows_the_unit_and_the_note_of_a_running_stage(shown):
    text = shown([(0.0, "ask m", "so far, by phrases: ASR 5 → 90 %"), (0.0, "ask m", 1, 2)], terminal=True)
    assert "1/2 queries" in text
    assert "ask m: so far, by phrases: ASR 5 → 90 %" in text
    assert "in 0 s" not in text  # lines are for logs


@pytest.mark.parametrize(
    ("stage", "unit"),
    [
        ("ask npo", "queries"),
        ("world 1: npo: attack", "queries"),
        ("align out", "steps"),
        ("caching reference outputs out", "rows"),
        ("train tower", "steps"),
        ("judge llava", "responses"),
        ("read data.json", ""),
    ],
)
def test_what_a_stage_counts(stage, unit):
    assert unit_of(stage) == unit


def test_durations_and_rates_have_units_that_fit():
    assert [duration(seconds) for seconds in (0.4, 89, 90, 3569, 3600, 11_100)] == [
        "0 s", "89 s", "2 min", "59 min", "1 h 00 min", "3 h 05 min",
    ]  # fmt: skip
    assert [rate_text(rate) for rate in (0.01, 0.1, 2.345, 1234.5)] == ["36/h", "0.1/s", "2.35/s", "1,234/s"]


def test_notes_pass_through_renamed_stages_and_are_dropped_where_nobody_shows_them():
    seen = []

    class Shown:
        def __call__(self, *step):
            seen.append(step)

        def note(self, *told):
            seen.append(told)

    told = in_stage(prefixed(followed(Shown(), "npo"), "world 1"), "align")
    assert shows_notes(told)
    told.note("loss 1")
    told(1, 2)
    assert seen == [("world 1: align npo", "loss 1"), ("world 1: align npo", 1, 2)]
    plain = in_stage(prefixed(lambda *step: seen.append(step), "base"), "align")
    assert not shows_notes(plain)
    plain.note("loss 1")
    note(None, "align", "loss 1")
    assert len(seen) == 2
    assert not shows_notes(None)
