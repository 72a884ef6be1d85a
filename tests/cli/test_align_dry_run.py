"""The plan on a terminal and in plain text: the tables are there, and what carries loss is marked."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from unmirage.align.estimate.result import (
    Disk,
    Estimate,
    Memory,
    Parameters,
    PartParameters,
    RenderedSample,
    StreamLengths,
    Time,
    TooLong,
)
from unmirage.cli.align_dry_run import print_estimate

SAMPLE = RenderedSample(
    "forget", "a[b]", 20, 3, (("text", "USER: "), ("image", "<image ×16>"), ("text", "Make [it]"), ("loss", " Sure"))
)
PLAN = Estimate(
    model="llava",
    method="npo",
    steps=1000,
    batch_size=4,
    positions=4096,
    parameters=Parameters.of([PartParameters("language", 6_740_000_000, 67_400_000, {"bfloat16": 6_740_000_000})]),
    lengths=(StreamLengths("forget", 100, 100, 600.4, 700, 40.0),),
    step_tflop=195.2,
    preparation_tflop=400.0,
    memory=(
        Memory(1, "single", weights=13_480_000_000, activations=9_000_000_000, optimizer_step=270_000_000),
        Memory(8, "sharded", problem="batch_size: 4 rows cannot be split evenly over 8 processes"),
    ),
    disk=(Disk("forget", "image features", 100, 236_000_000),),
    time=(Time("A100", 1, 124.8, 0.434, 0.1), Time("A100", 8, 124.8, problem="no")),
    samples=(SAMPLE,),
    too_long=(),
    assumptions=("GPUs compute in bfloat16.",),
)


def printed(plan, *, terminal):
    text = io.StringIO()
    print_estimate(plan, Console(file=text, width=140, force_terminal=terminal, highlight=False))
    return text.getvalue()


def test_plain_text_has_all_figures_and_brackets_around_the_loss():
    text = printed(PLAN, terminal=False)
    for figure in ("1.00%", "6.74 B", "67.40 M", "13.48", "22.48", "0.24", "195 TFLOP per step", "6.0 min", "32.0 min"):
        assert figure in text
    assert "8 GPUs: batch_size: 4 rows cannot be split evenly over 8 processes" in text
    assert "forget 'a[b]': 20 tokens, 3 with loss\nUSER: <image ×16>Make [it][[ Sure]]" in text
    assert "- GPUs compute in bfloat16." in text


def test_a_terminal_shows_the_loss_in_colour():
    text = printed(PLAN, terminal=True)
    assert "[[" not in text
    assert "\x1b[30;42m Sure\x1b[0m" in text or "\x1b[1;30;42m Sure\x1b[0m" in text


def test_samples_that_training_refuses_are_said_on_stderr(capsys):
    printed(replace(PLAN, too_long=(TooLong("retain", "x", 5000),)), terminal=False)
    assert "sample 'x' (retain) has 5000 tokens" in capsys.readouterr().err


@pytest.mark.parametrize("row", PLAN.memory, ids=lambda row: row.layout)
def test_the_peak_is_that_of_the_backward_pass_or_of_the_optimizer(row):
    assert row.total == row.weights + max(row.activations, row.optimizer_step)
