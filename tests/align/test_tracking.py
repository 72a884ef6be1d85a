"""Trackers: what they are told, that a failing one ends no training, and that none is asked for by default."""

import json
import logging
import os
import sys

import pytest
from tests.align.runs import data_for, loaded

from unmirage.align import AlignConfig, align
from unmirage.align.tracking import TRACKERS, check_trackers, metrics_of, stay_local
from unmirage.errors import UserError

# A package as `tensorboardX`, which writes what it is told to a file in its log directory.
WRITER = """
import json, os

class SummaryWriter:
    def __init__(self, log_dir):
        os.makedirs(log_dir, exist_ok=True)
        self._path = os.path.join(log_dir, "told.jsonl")
        print("run started")

    def add_text(self, name, text):
        self.add_scalar(name, text, None)

    def add_scalar(self, name, value, step):
        if os.environ.get("TRACKER_FAILS_AT") == str(step):
            raise ConnectionError("the disk of the tracker\\nis full")
        with open(self._path, "a") as file:
            file.write(json.dumps([step, name, value]) + "\\n")

    def flush(self):
        pass

    def close(self):
        self.add_scalar("closed", True, None)
"""
FAST = {"learning_rate": 1e-3, "batch_size": 2, "steps": 3, "warmup": 0.0, "schedule": "linear"}


@pytest.fixture
def writer(tmp_path, monkeypatch):
    """Let `tensorboardX` be a package that writes JSON, and `wandb` one that cannot be imported."""
    for name, text in {"tensorboardX": WRITER, "wandb": "raise RuntimeError('no such library')"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(TRACKERS, "tensorboard", (("tensorboardX",), "tensorboard"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    yield
    sys.modules.pop("tensorboardX", None)
    sys.modules.pop("wandb", None)


def ran(tiny, work, **options):
    config = AlignConfig.model_validate(FAST | {"method": {"name": "npo"}})
    return align(loaded(tiny), data_for(tiny, config.method, 4), config, None, work, **options)


def test_each_step_is_told(tiny, tmp_path, writer, capsys):
    result = ran(tiny, tmp_path / "work", report_to=["tensorboard"])
    assert capsys.readouterr().out == ""
    lines = (tmp_path / "work" / "tensorboard" / "told.jsonl").read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    for number, parts in enumerate(result.parts, start=1):
        found = {name: value for step, name, value in told if step == number and not name.startswith("train/train_")}
        assert {f"train/loss_{name}": value for name, value in parts.items()}.items() <= found.items()
        assert found["train/loss"] == sum(parts.values())
        assert found["train/learning_rate"] == pytest.approx(1e-3 * (1 - (number - 1) / 3))
        assert found["train/grad_norm"] > 0
    names = {name for _, name, _ in told}
    assert not {"train/epoch", "train/train_loss", "train/total_flos"} & names
    (settings,) = (json.loads(value) for step, name, value in told if name == "model_config")
    assert settings["method"]["name"] == "npo"
    assert settings["steps"] == 3
    assert told[-1] == [None, "closed", True]


def test_a_tracker_that_fails_ends_no_training(tiny, tmp_path, writer, monkeypatch, caplog):
    monkeypatch.setenv("TRACKER_FAILS_AT", "2")
    with caplog.at_level(logging.WARNING, "unmirage"):
        result = ran(tiny, tmp_path / "work", report_to=["tensorboard", "wandb"])
    assert result.steps == 3
    assert [record.getMessage() for record in caplog.records] == [
        "tracker 'wandb': failed and is switched off: no such library",
        "tracker 'tensorboard': failed and is switched off: the disk of the tracker is full",
    ]
    lines = (tmp_path / "work" / "tensorboard" / "told.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)[0] for line in lines} == {None, 1}


def test_trackers_change_no_weight_and_none_is_told_by_default(tiny, tmp_path, writer):
    told, silent = ran(tiny, None, report_to=["wandb"]), ran(tiny, tmp_path / "work")
    assert told.parts == silent.parts
    assert not (tmp_path / "work" / "tensorboard").exists()


def test_a_tracker_that_cannot_be_used_is_named_before_anything_is_loaded(unmirage, tmp_path, monkeypatch):
    monkeypatch.setattr("unmirage.align.tracking.find_spec", lambda _: None)
    command = ("align", tmp_path / "no-model", "--retain", tmp_path / "no.json", "--out", tmp_path / "out")
    for extra in ((), ("--dry-run",)):
        code, out, err = unmirage(*command, "--report-to", "mlflow", *extra)
        assert (code, out) == (2, "")
        assert err == "unmirage: tracker 'mlflow': is not installed; pip install mlflow\n"
    code, _, err = unmirage(*command, "--report-to", "wanbd")
    assert code == 2
    assert err.startswith("unmirage: unknown tracker 'wanbd'; valid: mlflow, tensorboard, trackio, wandb. Did you mean")
    assert sorted(tmp_path.iterdir()) == []


def test_trackers_are_checked_by_name(monkeypatch):
    monkeypatch.setattr("unmirage.align.tracking.find_spec", lambda name: name if name != "mlflow" else None)
    assert check_trackers(["wandb", "trackio", "wandb"]) == ("wandb", "trackio")
    with pytest.raises(UserError, match="pip install mlflow"):
        check_trackers(["wandb", "mlflow"])


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "offline"), ({"WANDB_MODE": "online"}, "online"), ({"WANDB_API_KEY": "key"}, None)],
)
def test_wandb_stays_offline_unless_the_environment_says_otherwise(monkeypatch, before, after):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    stay_local("wandb")
    assert os.environ.get("WANDB_MODE") == after
    assert os.environ["WANDB_PROJECT"] == "mine"
    os.environ.pop("WANDB_MODE", None)


def test_metrics_without_a_gradient_norm():
    assert metrics_of({"forget": 1.0, "retain": 0.5}, 1e-3, None) == {
        "loss": 1.5, "loss_forget": 1.0, "loss_retain": 0.5, "learning_rate": 1e-3,
    }  # fmt: skip
