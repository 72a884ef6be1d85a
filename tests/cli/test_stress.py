"""`unmirage stress` on the tiny world: variants join the run, a second call does nothing, mistakes are one line."""

import json
import sqlite3

import pytest
import torch

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.config import LoraSettings
from unmirage.attack import plain
from unmirage.data import load_samples, write_samples
from unmirage.records import Failure, Response
from unmirage.run import open_run
from unmirage.run.model import save_model

FEW = ("--max-new-tokens", "4", "--batch-size", "16", "--word", "jailbreak=what", "--word", "over-prudence=share")
QUICK = ("--set", "steps=2", "--set", "learning_rate=0.003", "--set", "batch_size=4")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def attacked(unmirage, tiny, tmp_path):
    """Return a run in which the tiny model has answered some of the test set."""
    code, _, err = unmirage(
        "attack", tiny.model, tiny.data / "test.json", "--out", tmp_path / "run", "--limit", 6, *FEW
    )
    assert code == 0, err
    return tmp_path / "run"


@pytest.fixture
def fresh(tiny, tmp_path):
    """Return a run as `unmirage attack` makes it, in which nobody has answered."""
    plan = {
        "seed": 0,
        "attack": {},
        "data": str(tiny.data / "test.json"),
        "images": str(tiny.data),
        "max_new_tokens": 4,
    }
    with open_run(tmp_path / "fresh", plan) as run, run.store() as store:
        store.add_queries(plain(tiny.samples("test"))[:6])
    return tmp_path / "fresh"


@pytest.fixture
def files(tiny, tmp_path):
    """Return the options that name a file of each kind."""
    refused = [sample for sample in load_samples(tiny.data / "safety.json") if sample.refused]
    write_samples(refused, tmp_path / "forget.jsonl")
    root = ("--images", tiny.data)
    return {
        "forget": ("--relearn", f"forget={tmp_path / 'forget.jsonl'}", *root),
        "benign": ("--relearn", f"benign={tiny.data / 'safety.json'}", *root),
        "same-syntax": ("--relearn", f"same-syntax={tiny.data / 'safety.json'}", *root),
    }


def test_variants_join_the_run_and_are_evaluated_like_any_model(unmirage, tiny, attacked, files):
    options = [*files["forget"], *files["benign"], *files["same-syntax"], "--samples", "0,2", "--int8"]
    stress = ("stress", tiny.model, attacked, *options, "--temperature", "1", *QUICK)
    code, out, err = unmirage(*stress, "--dry-run")
    assert code == 0, err
    told = json.loads(out)["variants"]
    names = ["model", "model + int8", "model + temperature 1", "model + forget 2", "model + benign 2"]
    assert [one["model"] for one in told] == [*names, "model + same-syntax 2"]
    assert told[3] | {"unanswered": 0} == {
        "model": "model + forget 2", "kind": "relearned", "data": "forget", "amount": 2.0, "unanswered": 0,
    }  # fmt: skip
    assert told[0]["unanswered"] == 0 < told[1]["unanswered"]

    code, out, err = unmirage(*stress)
    assert (code, out) == (0, ""), err
    assert "model + forget 2: align: 2 steps in" in err
    assert f"model and 5 variants have answered. Next: unmirage evaluate {attacked}" in err
    code, out, _ = unmirage("evaluate", attacked, "--json")
    assert code == 0
    models = json.loads(out)["models"]
    assert list(models) == [one["model"] for one in told]
    assert len({one["asr"]["before"]["n"] for one in models.values()}) == 1

    code, _, err = unmirage(*stress)
    assert code == 0
    assert "steps in" not in err


def test_one_that_was_killed_is_made_again_and_asked_the_rest(unmirage, tiny, attacked, files):
    stress = ("stress", tiny.model, attacked, *files["forget"], "--samples", "2", *QUICK)
    assert unmirage(*stress)[0] == 0
    query = "SELECT query_id, text FROM responses WHERE model = 'model + forget 2' ORDER BY query_id"
    with sqlite3.connect(attacked / "store.sqlite") as database:
        before = database.execute(query).fetchall()
        database.execute("DELETE FROM responses WHERE model = 'model + forget 2' AND rowid % 3")
    code, _, err = unmirage(*stress)
    assert code == 0, err
    assert "model + forget 2: align: 2 steps in" in err
    with sqlite3.connect(attacked / "store.sqlite") as database:
        assert database.execute(query).fetchall() == before


def test_the_adapter_is_left_out(unmirage, tiny, tmp_path):
    vlm = tiny.load()
    data = AlignData(retain=tiny.samples("base")[:8], images=tiny.images)
    config = AlignConfig(learning_rate=0.05, batch_size=4, steps=4, lora=LoraSettings(rank=4, alpha=8))
    result = align(vlm, data, config)
    save_model(tmp_path / "tuned", vlm, {}, {}, adapter=result.adapter, adapter_only=True, base=str(tiny.model))
    run = tmp_path / "run"
    for model in (tmp_path / "tuned", tiny.model):
        code, _, err = unmirage("attack", model, tiny.data / "test.json", "--out", run, "--limit", 6, *FEW)
        assert code == 0, err
    code, _, err = unmirage("stress", tmp_path / "tuned", run, "--no-adapter")
    assert code == 0, err
    with sqlite3.connect(run / "store.sqlite") as database:
        said = {
            model: database.execute(
                "SELECT query_id, text FROM responses WHERE model = ? ORDER BY 1", (model,)
            ).fetchall()
            for model in ("model", "tuned", "tuned + no adapter")
        }
    assert said["tuned + no adapter"] == said["model"] != said["tuned"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to do; add --relearn KIND=FILE, --int8, --temperature T or --no-adapter"),
        (["--relearn", "forget"], "--relearn forget: expected KIND=FILE with KIND one of forget, benign, same-syntax"),
        (["--relearn", "harm=x.json"], "--relearn harm=x.json: expected KIND=FILE"),
        (["--relearn", "forget=a", "--relearn", "forget=b"], "forget is given twice"),
        (["--int8", "--samples", "8,many"], "--samples 8,many: expected whole numbers"),
        (["--int8", "--samples", "-1"], "--samples -1: expected whole numbers"),
        (["--no-adapter"], "no adapter found"),
        (["--int8", "--set", "lr=1"], "setting 'lr'"),
        (["--int8", "--set", "method.name=npo"], "setting 'method.name'"),
        (["--int8", "--concurrency", "2"], "--concurrency: needs a model or judge of the form endpoint:URL#model-name"),
    ],
)
def test_mistakes_are_one_line(unmirage, tiny, fresh, options, message):
    code, out, err = unmirage("stress", tiny.model, fresh, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_more_mistakes(unmirage, tiny, fresh, files, tmp_path):
    code, _, err = unmirage("stress", tiny.model, fresh, *files["benign"], "--samples", "0,9999")
    assert code == 2
    assert "only 12 samples can be used, but --samples requests 9999; valid: up to 12" in err
    code, _, err = unmirage("stress", "endpoint:http://127.0.0.1:1/v1#m", fresh, "--temperature", "1", "--int8")
    assert code == 2
    assert "--int8: needs the model's weights" in err
    code, _, err = unmirage("stress", tiny.model, tmp_path / "nowhere", "--int8")
    assert code == 2
    assert "not a run directory" in err
    code, _, err = unmirage("stress", tiny.model, fresh, "--int8", "--name", "other")
    assert code == 0, err  # another name is another model
    (fresh / "config.yaml").write_text("seed: 0\n")
    code, _, err = unmirage("stress", tiny.model, fresh, "--int8")
    assert code == 2
    assert "field 'attack' is missing" in err


def test_other_settings_under_the_same_name_are_refused(unmirage, tiny, attacked, files):
    stress = ("stress", tiny.model, attacked, *files["forget"], "--samples", "2", *QUICK)
    assert unmirage(*stress)[0] == 0
    code, _, err = unmirage(*stress, "--set", "steps=3")
    assert code == 2
    assert "another model has responded as 'model + forget 2' (relearn.steps: was 2, now 3)" in err


@pytest.fixture
def server(monkeypatch):
    """Return what a server was asked; it answers all but what is asked under the name "broken"."""
    asked = []

    def answer(self, queries, images, config):
        for query in queries:
            asked.append((self.name, config.temperature, config.seed))
            if self.name == "broken":
                yield Failure(query_id=query.id, model=self.name, reason="no such picture")
            else:
                yield Response(query_id=query.id, model=self.name, text="It is red.", tokens=3)

    monkeypatch.setattr("unmirage.models.endpoint.EndpointVLM.answer", answer)
    return asked


def test_sampling_a_server(unmirage, fresh, server):
    stress = ("stress", "endpoint:http://127.0.0.1:1/v1#vlm", fresh, "--temperature", "0.7", "--seed", "4")
    code, _, err = unmirage(*stress)
    assert code == 0, err
    assert set(server) == {("vlm", 0.0, 0), ("vlm + temperature 0.7", 0.7, 4)}


def test_queries_without_an_answer_make_it_partial(unmirage, fresh, server):
    stress = ("stress", "endpoint:http://127.0.0.1:1/v1#vlm", fresh, "--temperature", "0.7", "--name", "broken")
    code, _, err = unmirage(*stress)
    assert code == 4
    assert "partial: 6 queries have no response; the first (broken): no such picture; run the same command again" in err
