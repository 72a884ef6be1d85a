"""Mistakes of users, each with its exit code and the words that name the fix, in one line."""

import shlex
import shutil

import pytest
import torch
from safetensors.torch import save_file

from unmirage.attack import AttackConfig
from unmirage.records import Kind, Query, Response, Sample
from unmirage.run import open_run
from unmirage.run.files import write_json_atomic

ALIGN = "align model --method sft --train data/base.json --out new"
ATTACK = "attack model data/test.json --out new"
WORDS = "--word jailbreak=what --word over-prudence=share"

# Command, exit code, and words of the message.
TABLE = [
    # Commands, options and their values.
    ("evalute run", 2, "Did you mean 'evaluate'?"),
    ("study methds", 2, "Did you mean 'methods'?"),
    ("audit", 2, "Missing argument 'data' (`unmirage audit --help` has all options)"),
    (f"{ATTACK} --shot 3", 2, "No such option: --shot (Possible options: --out, --shots)"),
    (f"{ATTACK} --shots three", 2, "'--shots': Input should be a valid integer"),
    (f"{ATTACK} --shots 0", 2, "'--shots': Input should be greater than or equal to 1"),
    ("attack model data/test.json", 2, "--out: missing; name the run directory or pass --dry-run"),
    (f"{ATTACK} --kind jailbrake", 2, "Did you mean 'jailbreak'?"),
    (f"{ATTACK} {WORDS} --position frist", 2, "'first', 'middle' or 'last', got 'frist'"),
    (f"{ATTACK} {WORDS} --dtype float61", 2, "unknown dtype 'float61'; valid: auto, bfloat16, float32"),
    (f"{ATTACK} {WORDS} --device gpu", 2, "device 'gpu': is unknown; valid: auto, cpu, cuda"),
    (f"{ATTACK} {WORDS} --thinking yes", 2, "valid: auto, off, on"),
    (f"{ATTACK} {WORDS} --rewriter rulez", 2, "Did you mean 'rules'?"),
    (f"{ATTACK} {WORDS} --wordings fre", 2, "Did you mean 'free'?"),
    (f"{ALIGN} --save adaptor", 2, "valid: merged, adapter"),
    (f"{ALIGN} --report-to wanbd", 2, "Did you mean 'wandb'?"),
    ("stress model run", 2, "nothing to do; add --relearn KIND=FILE, --int8"),
    ("stress model run --int8 --samples many", 2, "expected whole numbers separated by commas"),
    ("evaluate run --ensemble majorty", 2, "Did you mean 'majority'?"),
    ("export run --to inspct", 2, "Did you mean 'inspect'?"),
    ("demo --arms sft-post", 2, "Did you mean 'sft-posthoc'?"),
    ("schema audti", 2, "Did you mean 'audit'?"),
    # Options that would have no effect.
    (f"{ALIGN} --steps 5 --epochs 1", 2, "--epochs: has no effect with --steps; leave one of them out"),
    (f"{ALIGN} --epochs 1 --set steps=5", 2, "--epochs: has no effect with --steps"),
    (f"{ALIGN} --epochs 1 --config five-steps.yaml", 2, "the config sets steps; set steps to null there"),
    ("evaluate run --limit 3", 2, "--limit: needs --suite NAME; add it, or leave this option out"),
    ("evaluate run --device cpu", 2, "--device: needs --suite NAME"),
    ("evaluate run --junit gate.xml", 2, "--junit: needs at least one --fail-if; add one"),
    # Words.
    (f"{ATTACK} --word jailbrake=what", 2, "Did you mean 'jailbreak'?"),
    (f"{ATTACK} --word what", 2, "expected KIND=WORD"),
    (f"{ATTACK} --queries jailbreak=data/tset.json", 2, "no such file. Did you mean 'data/test.json'?"),
    # Settings.
    (f"{ALIGN} --set lr=1", 2, "setting 'lr': unknown; did you mean 'learning_rate'?"),
    (f"{ALIGN} --set learing_rate=1", 2, "did you mean 'learning_rate'?"),
    (f"{ALIGN} --set per_device_train_batch_size=1", 2, "did you mean 'batch_size'?"),
    (f"{ALIGN} --set lora_r=8", 2, "did you mean 'lora.rank'?"),
    (f"{ALIGN} --set rslora=true", 2, "did you mean 'lora.rslora'?"),
    (f"{ALIGN} --method npo --set beta=1", 2, "did you mean 'method.beta'?"),
    (f"{ALIGN} --method npo --set method.betaa=1", 2, "did you mean 'method.beta'?"),
    (f"{ALIGN} --set zzz=1", 2, "setting 'zzz': unknown; valid: method, learning_rate, batch_size"),
    (f"{ALIGN} --set steps=many", 2, "should be a valid integer"),
    (f"{ALIGN} --set steps", 2, "expected KEY=VALUE, such as method.beta=0.2"),
    ("align model --method nop --train data/base.json --out new", 2, "Did you mean 'npo'?"),
    # Files and folders.
    ("attack model data/tset.json --out new", 2, "no such file. Did you mean 'data/test.json'?"),
    ("audit ys-zong/VLGuard", 2, "for a dataset of the hub, write hf:ys-zong/VLGuard"),
    ("audit data", 2, "is a folder; name the data file in it"),
    ("audit data/test.json --format vlgaurd", 2, "Did you mean 'vlguard'?"),
    ("audit data/test.json --label ansewr", 2, "Did you mean 'answer'?"),
    ("audit data/test.json --columns query=quer", 2, "has no column 'quer' for 'query'"),
    (
        "audit data/test.json --images nowhere",
        2,
        "--images nowhere: no such folder; name the folder of the image files",
    ),
    (f"{ATTACK} --images nowhere", 2, "--images nowhere: no such folder"),
    (f"{ALIGN} --images nowhere", 2, "--images nowhere: no such folder"),
    (f"{ATTACK} --audit nowhere.json", 2, "no such file; create it with `unmirage audit DATA --json`"),
    (f"{ALIGN} --config five-stesp.yaml", 2, "Did you mean 'five-steps.yaml'?"),
    ("align model --method npo --out new", 2, "no data; add --retain FILE"),
    ("align model --method sft --train data/base.json --out model", 2, "exists; name a new directory with --out"),
    ("judge nowhere.jsonl --out new", 2, "nowhere.jsonl: no such file"),
    # Models.
    ("attack modle data/test.json --out new", 2, "no such folder, nor a hub model of that name"),
    ("attack modle data/test.json --out new", 2, "Did you mean 'model'?"),
    (f"attack owner/modle data/test.json --out new {WORDS}", 2, "no such folder, nor a hub model of that name"),
    ("search modle data/test.json --out new.json", 2, "Did you mean 'model'?"),
    (f"attack text-only data/test.json --out new {WORDS}", 2, "text-only model (llama); a VLM is needed"),
    ("align text-only --method sft --train data/base.json --out new --dry-run", 2, "a VLM is needed"),
    (f"attack 'no tokenizer' data/test.json --out new {WORDS}", 2, "tokenizer.json is missing; copy it"),
    (f"attack endpoint:localhost data/test.json --out new {WORDS}", 2, "valid: endpoint:URL#model-name"),
    (f"attack endpoint:http://localhost:1/v1 data/test.json --out new {WORDS}", 2, "model name is missing"),
    ("graft smollm2-135n --out new", 2, "Did you mean 'smollm2-135m'?"),
    # Arguments that are swapped, or of another kind.
    ("attack data/test.json model --out new", 2, "Are the arguments swapped?"),
    ("attack model model --out new", 2, "is the directory of a model; name a data file"),
    ("align data/base.json --method sft --train model --out new", 2, "Are the arguments swapped?"),
    ("stress run model --int8", 2, "Are the arguments swapped?"),
    (f"attack run data/test.json --out new {WORDS}", 2, "it is a run directory"),
    ("evaluate model", 2, "not a run directory, but the directory of a model; create one with `unmirage attack`"),
    (f"attack model data/test.json --out model {WORDS}", 2, "exists and is not a run directory; name a new one"),
    # Runs.
    ("evaluate rum", 2, "Did you mean 'run'?"),
    ("report rum", 2, "no such run; give run directories, or one file of `unmirage audit --json`. Did you mean 'run'?"),
    ("report run", 2, "write it with `unmirage evaluate run`"),
    ("report 'my run'", 2, "write it with `unmirage evaluate 'my run'`"),
    ("export run", 2, "write it with `unmirage evaluate run`"),
    ("stress model run --relearn forgt=data/base.json", 2, "Did you mean 'forget'?"),
    # Judges and gates.
    ("evaluate run --judge phrase", 2, "Did you mean 'phrases'?"),
    ("evaluate run --judge exact:nowhere.json", 2, "nowhere.json: no such file"),
    ("evaluate run --reference nobody", 2, "--reference nobody: the run has no responses of this model; valid: npo"),
    ("evaluate run --calibration nowhere.json", 2, "create one with `unmirage calibrate`"),
    ("calibrate phrases --labels xtest", 2, "Did you mean 'xstest'?"),
    ("evaluate run --fail-if 'asr.after>30%'", 2, "Write a percentage as a share: 'asr.after>0.3'"),
    ("evaluate run --fail-if 'asr.after>30'", 2, "did you mean 0.3?"),
    ("evaluate run --fail-if 'asr.afer>0.3'", 2, "Did you mean 'asr.after'?"),
    ("evaluate run --fail-if 'asr.after>>0.3'", 2, "valid: NAME>NUMBER with >, >=, < or <="),
    ("audit data/test.json --fail-if 'informednes>0.2'", 2, "Did you mean 'informedness'?"),
    # Suites.
    ("evaluate model --suite mosbench --out new", 2, "Did you mean 'mossbench'?"),
    ("evaluate model --suite mossbench", 2, "--out: missing; name the run directory"),
    ("evaluate model --suite mossbench --data nowhere --out new", 2, "nowhere: no such file or folder"),
]


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """Return a folder with data, models and runs that are not judged."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "data").symlink_to(tiny.data)
    (folder / "model").symlink_to(tiny.model)
    shutil.copytree(tiny.model, folder / "no tokenizer", ignore=shutil.ignore_patterns("tokenizer.json"))
    (folder / "text-only").mkdir()
    write_json_atomic(
        folder / "text-only" / "config.json", {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    )
    save_file({"weight": torch.zeros(1)}, folder / "text-only" / "model.safetensors", {"format": "pt"})
    (folder / "five-steps.yaml").write_text("steps: 5\n", encoding="utf-8")
    for name in ("run", "my run"):
        make_run(folder / name)
    return folder


def make_run(path):
    attack = AttackConfig(jailbreak_word="what", over_prudence_word="share")
    asked = Query(id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="What is it?", image=None, unsafe=True)
    config = {"data": "data/test.json", "images": ".", "seed": 0, "max_new_tokens": 8}
    with open_run(path, config | {"attack": attack.model_dump(mode="json")}) as run, run.store() as store:
        store.add_samples([Sample(id="s", record="s", query=asked.text, answer="", refused=True, label_source="field")])
        store.add_queries([asked])
        store.add_responses([Response(query_id="q", model="npo", text="You need tin.", tokens=4)])


@pytest.mark.parametrize(("command", "status", "words"), TABLE, ids=[command for command, *_ in TABLE])
def test_a_mistake_gives_one_line_that_names_the_fix(unmirage, place, monkeypatch, command, status, words):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    code, out, err = unmirage(*shlex.split(command))
    assert (code, out) == (status, ""), err
    assert [line for line in err.splitlines() if line.startswith("unmirage: ")] == err.splitlines()[-1:], err
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err
    assert sorted(place.iterdir()) == before  # nothing that blocks the corrected command


def test_the_next_command_has_the_path_as_one_word(unmirage, place, monkeypatch):
    monkeypatch.chdir(place)
    shutil.copytree("my run", "their run")
    code, _, err = unmirage("evaluate", "their run")
    shutil.rmtree("their run")
    assert code == 0, err
    assert err.splitlines()[-1] == "Next: unmirage report 'their run'"


def test_epochs_and_steps_of_the_api(unmirage, tiny, tmp_path):
    import unmirage as um

    with pytest.raises(um.UserError, match=r"^epochs: has no effect with steps; leave one of them out$"):
        um.align(tiny.model, "sft", retain=tiny.data / "base.json", out=tmp_path / "new", steps=5, epochs=1)
