"""`align --eval`: loss and ASR on held-out data, the best check, and what is not measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import unmirage as um
from unmirage.align import AlignData
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.workflows.eval_watch import Evaluation, evaluation

FAST = ("--batch-size", "4", "--learning-rate", "3e-3", "--set", "schedule=constant", "--set", "warmup=0")


def command(tiny, out: Path, *more: Any) -> tuple[Any, ...]:
    return ("align", tiny.model, "--train", tiny.data / "safety.json", "--out", out, *FAST, *more)


def rows(file: Path, *records: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return file


def test_both_are_measured_and_the_best_weights_are_kept(unmirage, tiny, tmp_path: Path) -> None:
    out = tmp_path / "sft"
    own = ("--steps", "6", "--eval", tiny.data / "test.json", "--eval-every", "2", "--eval-queries", "6")
    code, stdout, err = unmirage(*command(tiny, out, *own, "--eval-metric", "loss", "--json"))
    assert code == 0, err
    document = json.loads(stdout)
    checks = document["evaluation"]
    assert list(checks) == ["0", "2", "4", "6"]
    assert all(set(one) == {"loss", "asr", "asr_plain"} for one in checks.values())
    assert checks["6"]["loss"] < 0.8 * checks["0"]["loss"]
    best = min(("2", "4", "6"), key=lambda step: checks[step]["loss"])
    assert document["steps"] == int(best)
    assert f"{out} has the weights of step {best}, the best check." in err
    card = (out / "README.md").read_text()
    assert f"the weights are those of step {best}" in card
    assert "| step | asr | asr_plain | loss |" in card
    # The model that was saved has the loss that was measured.
    found = Evaluation(file=tiny.data / "test.json", queries=6).checks(AlignData(retain=(), images=tiny.images))
    again = found.measure(HuggingFaceVLM.load(out), 0)
    assert again["loss"] == pytest.approx(checks[best]["loss"], abs=1e-4)
    assert again["asr"] == pytest.approx(checks[best]["asr"])


def test_patience_and_asr_from_python(tiny, tmp_path: Path) -> None:
    """The learning rate is too small to change a response."""
    um.align(
        tiny.model, out=tmp_path / "o", retain=tiny.data / "general.json", eval=tiny.data / "test.json", eval_every=1,
        eval_queries=3, eval_metric="asr", patience=2, steps=9, batch_size=2, learning_rate=1e-6,
    )  # fmt: skip
    work = json.loads((tmp_path / "o.work" / "evaluation.json").read_text())
    assert list(work) == ["0", "1", "2", "3"]
    assert len({(one["asr"], one["asr_plain"]) for one in work.values()}) == 1


def test_samples_that_are_trained_on_are_left_out_and_counted(tiny, tmp_path: Path, caplog) -> None:
    held = rows(
        tmp_path / "eval.jsonl",
        {"id": "a", "query": "What is this?", "answer": "A.", "refused": False, "image": "x.png"},
        {"id": "b", "query": "What is that?", "answer": "B.", "refused": False, "image": "x.png"},
        {"id": "c", "query": "What is it?", "answer": "C.", "refused": False, "image": "x.png"},
    )
    (tmp_path / "x.png").write_bytes(b"x")
    (tmp_path / "y.png").write_bytes(b"y")
    trained = rows(
        tmp_path / "train.jsonl",
        {"id": "1", "query": "what is this", "answer": "A.", "refused": False, "image": "x.png"},
        {"id": "2", "query": "What is that?", "answer": "B.", "refused": False, "image": "y.png"},
    )
    from unmirage.data import open_samples

    file = open_samples(trained)
    data = AlignData(retain=list(file), images=file.pictures)
    checks = Evaluation(file=held).checks(data)
    assert [one.id for one in checks._answered] == ["b", "c"]
    assert "left out 1 sample that are in the training data" in caplog.text
    assert "1 sample with a query of the training data, but other pictures" in caplog.text
    with pytest.raises(UserError, match="no unsafe query among the 2 samples that are not trained on, so"):
        Evaluation(file=held, metric="asr").checks(data)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--eval-every", "2"), "eval_every: has no effect without eval"),
        (("--patience", "2"), "patience: has no effect without eval"),
        (("--eval", "{data}/test.json", "--eval-every", "0"), "eval_every: 0 is out of range; valid: 1 or more"),
        (("--eval", "{data}/test.json", "--eval-metric", "rr"), "unknown eval_metric 'rr'; valid: asr, loss"),
        (("--eval", "{data}/gone.json"), "gone.json: no such file"),
        (("--eval", "{data}/safety.json"), "no sample with a response among the 0 samples that are not trained on"),
        (
            ("--eval", "{data}/test.json", "--stop-relevance", "0.1", "--encoder", "e", "--validation", "v"),
            "eval: does not work with stop_relevance; leave out one of them",
        ),
    ],
)
def test_mistakes_are_one_line(unmirage, tiny, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    given = [one.format(data=tiny.data) for one in more]
    code, _, err = unmirage(*command(tiny, tmp_path / "o", "--steps", "1", *given))
    assert code == 2
    assert message in err
    assert err.splitlines()[-1].startswith("unmirage: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_a_resumed_training_must_have_the_same_evaluation(tiny) -> None:
    one = evaluation(tiny.data / "test.json", every=2)
    other = evaluation(tiny.data / "test.json", every=3)
    assert one is not None
    assert other is not None
    assert one.identity() != other.identity()
    assert evaluation(None) is None
