"""`unmirage align`: what it writes, what it refuses, and what it survives."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from unmirage.models import HuggingFaceVLM

COMMAND = (sys.executable, "-c", "from unmirage.cli.main import run; run()", "align")
FEW = ("--batch-size", "4", "--learning-rate", "1e-3", "--steps", "4", "--set", "save_every=2")


@pytest.fixture
def sets(tiny, tmp_path):
    """Return the files of a forget and a retain set, whose pictures lie in the tiny world's folder."""
    safety = [{**one, "answer": "You need amber, moss and tin."} for one in _rows(tiny) if one["refused"]]
    kept = [one for one in _rows(tiny) if not one["refused"]]
    files = {}
    for name, rows in (("forget", safety), ("retain", kept)):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return files


def _rows(tiny):
    return [
        {"id": s.id, "query": s.query, "answer": s.answer, "image": s.image, "refused": s.refused}
        for s in tiny.samples("safety")
    ]


def _unlearn(tiny, sets, out, *more, method="npo"):
    return (
        "align", tiny.model, "--method", method, "--forget", sets["forget"], "--retain", sets["retain"],
        "--images", tiny.data, "--out", out, *FEW, *more,
    )  # fmt: skip


def _weights(folder):
    return {name: tensor for file in folder.glob("model*.safetensors") for name, tensor in load_file(file).items()}


def _same(one, other):
    one, other = _weights(one), _weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_new_directory_is_whole_and_says_what_it_is(unmirage, tiny, sets, tmp_path):
    out = tmp_path / "npo"
    code, stdout, err = unmirage(*_unlearn(tiny, sets, out))
    assert (code, stdout) == (0, ""), err
    assert f"Next: unmirage attack {out}" in err
    assert re.search(r"^align npo: 4 steps in \d+ s; loss [\d.]+, learning rate [\de.-]+$", err, re.MULTILINE)
    made = json.loads((out / "unmirage_align.json").read_text())["settings"]
    assert (made["method"]["name"], made["steps"], made["learning_rate"]) == ("npo", 4, 0.001)
    assert HuggingFaceVLM.load(out).name == "npo"
    card = (out / "README.md").read_text()
    assert "aligned by `npo`, trained fully (language, projector), 4 steps" in card
    assert "forget.jsonl" in card
    log = [json.loads(line) for line in (tmp_path / "npo.work" / "log.jsonl").read_text().splitlines()]
    assert [one["step"] for one in log] == [1, 2, 3, 4]
    assert log[0]["parts"]["forget"] == pytest.approx(20 * 0.6931472, abs=1e-3)
    assert not list((tmp_path / "npo.work").glob("checkpoints/*"))


def test_json_holds_the_losses(unmirage, tiny, sets, tmp_path):
    code, stdout, _ = unmirage(*_unlearn(tiny, sets, tmp_path / "o", "--json", method="rmu"), "--set", "method.layer=2")
    document = json.loads(stdout)
    assert code == 0
    assert (document["steps"], document["stopped"], len(document["loss"])) == (4, "", 4)
    assert (tmp_path / "o" / "unmirage_method.safetensors").is_file()


def test_lora_is_merged_and_kept_beside(unmirage, tiny, sets, tmp_path):
    code, _, err = unmirage(*_unlearn(tiny, sets, tmp_path / "lora", "--lora", "4"))
    assert code == 0, err
    assert (tmp_path / "lora" / "adapter" / "adapter_model.safetensors").is_file()
    code, _, err = unmirage(*_unlearn(tiny, sets, tmp_path / "alone", "--lora", "4", "--save", "adapter"))
    assert code == 0, err
    assert not list((tmp_path / "alone").glob("model*.safetensors"))
    one, other = (HuggingFaceVLM.load(tmp_path / name).model.state_dict() for name in ("lora", "alone"))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-6, rtol=1e-5)


def test_unlearning_goes_on_top_of_an_adapter(unmirage, tiny, sets, tmp_path):
    adapter = tmp_path / "sft"
    code, _, err = unmirage(
        "align",
        tiny.model,
        "--train",
        tiny.data / "safety.json",
        "--out",
        adapter,
        *FEW,
        "--lora",
        "2",
        "--save",
        "adapter",
    )
    assert code == 0, err
    _, *command = _unlearn(tiny, sets, tmp_path / "top")
    code, _, err = unmirage("align", adapter, *command[1:])
    assert code == 0, err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_is_continued_to_the_same_weights(unmirage, stopped, tiny, sets, tmp_path, number):
    long = ("--steps", "30")
    code, _, err = unmirage(*_unlearn(tiny, sets, tmp_path / "whole", *long))
    assert code == 0, err
    out, log = tmp_path / "stopped", tmp_path / "stopped.work" / "log.jsonl"
    code, said = stopped("Work.record", 9, number, *_unlearn(tiny, sets, out, *long))
    assert code == (130 if number is signal.SIGINT else -number)
    assert number is not signal.SIGINT or "Run the same command again to resume" in said
    assert not out.exists()
    assert log.read_text().count("\n") == 9
    code, _, err = unmirage(*_unlearn(tiny, sets, out, *long))
    assert code == 0, err
    assert _same(out, tmp_path / "whole")
    assert log.read_text() == (tmp_path / "whole.work" / "log.jsonl").read_text()


def test_other_settings_or_data_are_refused_field_by_field(unmirage, tiny, sets, tmp_path):
    out = tmp_path / "o"
    assert unmirage(*_unlearn(tiny, sets, out))[0] == 0
    (out).rename(tmp_path / "moved")
    code, _, err = unmirage(*_unlearn(tiny, sets, out, "--seed", "7"))
    assert code == 2
    assert "seed: was 0, now 7" in err
    sets["forget"].write_text(sets["forget"].read_text() + "\n")
    code, _, err = unmirage(*_unlearn(tiny, sets, out))
    assert code == 2
    assert f"data.{sets['forget']}: was" in err


def test_two_at_once_are_refused(unmirage, tiny, sets, tmp_path):
    from unmirage.run.directory import _locked

    work = tmp_path / "o.work"
    work.mkdir()
    with _locked(work):
        code, _, err = unmirage(*_unlearn(tiny, sets, tmp_path / "o"))
    assert code == 2
    assert f"in use by another process (PID {os.getpid()})" in err


def test_divergence_keeps_the_last_good_weights(unmirage, tiny, sets, tmp_path):
    """Everything is large, and soon no number: the checkpoint before that is what comes out."""
    out = tmp_path / "o"
    wild = ("--learning-rate", "1e6", "--steps", "40", "--set", "save_every=1", "--set", "warmup=0.9",
            "--set", "max_grad_norm=1e9")  # fmt: skip
    code, _, err = unmirage(*_unlearn(tiny, sets, out, *wild, method="grad-diff"))
    assert code == 4
    assert "training diverged at step" in err
    assert "contains the last valid weights" in err
    assert "Stopped early" in (out / "README.md").read_text()
    assert all(torch.isfinite(tensor).all() for tensor in _weights(out).values())


def test_divergence_before_a_checkpoint_writes_nothing(unmirage, tiny, sets, tmp_path):
    wild = ("--learning-rate", "1e9", "--set", "max_grad_norm=1e9", "--set", "warmup=0", "--set", "save_every=50",
            "--steps", "20")  # fmt: skip
    code, _, err = unmirage(*_unlearn(tiny, sets, tmp_path / "o", *wild, method="grad-diff"))
    assert code == 2
    assert "lower learning_rate" in err
    assert not (tmp_path / "o").exists()


def test_a_full_disk_is_named_and_the_last_checkpoint_stays(tiny, sets, tmp_path):
    out = tmp_path / "o"
    # The detector of languages unpacks itself into a large temporary file, so it is loaded before the limit.
    limited = (
        "import resource, signal; from unmirage.text.refusals import is_refusal; "
        "is_refusal('You need amber, moss and tin.'); "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
        "from unmirage.cli.main import run; run()"
    )
    command = [sys.executable, "-c", limited, "align", *map(str, _unlearn(tiny, sets, out)[1:])]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode in (2, 4), done.stderr
    assert "o.work" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--out", "{tmp}/o"), "no data; add --retain FILE"),
        (("--train", "{data}/safety.json"), "--out: missing"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--method", "nop"), "Did you mean 'npo'?"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--set", "steps=0"), "setting 'steps'"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--set", "stepz=1"), "setting 'stepz'"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--save", "adaptor"), "valid: merged, adapter"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--save", "adapter"), "add --lora RANK"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--set", "trainable=[langage]"), "part 'langage'"),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--set", "trainable=['down_proj:9']"), "layer 9"),
        (("--train", "{data}/gone.json", "--out", "{tmp}/o"), "gone.json"),
        (("--retain", "{data}/safety.json", "--out", "{tmp}/o", "--method", "npo"), "needs harmful responses"),
        (
            ("--retain", "{data}/safety.json", "--forget", "{data}/safety.json", "--out", "{tmp}/o", "--method", "ga",
             "--allow", "refusals", "--allow", "benign"),
            "uses no retain set",
        ),
        (("--train", "{data}/safety.json", "--out", "{tmp}/o", "--batch-size", "4", "--set", "micro_batch_size=3"),
         "valid: 1, 2, 4"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(unmirage, tiny, tmp_path, more, message):
    named = [part.format(data=tiny.data, tmp=tmp_path) for part in more]
    code, out, err = unmirage("align", tiny.model, *named)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "o").exists()


def test_names_of_parts_overrule_the_structure_and_errors_are_one_line(unmirage, tiny, sets, tmp_path):
    plan = _unlearn(tiny, sets, tmp_path / "npo", "--dry-run", "--json", "--set", "trainable=[projector]")
    named = "vision=model.multi_modal_projector.linear_1."
    parts, moved = (
        {one["part"]: one["trainable"] for one in json.loads(unmirage(*plan, *more)[1])["parameters"]["parts"]}
        for more in ((), ("--part-names", named))
    )
    assert moved["projector"] < parts["projector"]
    assert moved["vision"] == parts["vision"] == 0
    for wrong, line in (
        ("eye=model.", "unknown part in part_names 'eye'; valid: audio, language, projector, vision"),
        ("vision=model.eye", "part_names: no parameter begins with 'model.eye'"),
        ("vision", "--part-names vision: write PART=PREFIX"),
    ):
        code, _, err = unmirage(*plan, "--part-names", wrong)
        assert code == 2
        assert line in err
        assert "Traceback" not in err


def test_a_failed_training_does_not_block_the_corrected_command(tiny, unmirage, tmp_path):
    data = tiny.data / "general.json"
    command = ["align", tiny.model, "--retain", data, "--images", tiny.data, "--out", tmp_path / "z", "--steps", 1]
    code, _, err = unmirage(*command, "--part-names", "projector=nothing.here")
    assert code == 2
    assert "nothing.here" in err
    code, _, err = unmirage(*command)
    assert code == 0, err
    assert (tmp_path / "z" / "config.json").is_file()
