"""`align --stop-relevance`: what it keeps, says and refuses; and `study unlearning` on a tiny model."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

import unmirage as um
from unmirage.data import load_samples, write_samples
from unmirage.data.split import forget
from unmirage.evaluate import PhraseJudge
from unmirage.records import Verdict

NPO = ("--method", "npo", "--learning-rate", "1e-4", "--batch-size", "2", "--steps", "6", "--set", "schedule=constant")
STOP = {"stop_relevance": 0.05, "check_every": 2, "check_queries": 3}


class Scripted:
    """A sentence encoder whose cosine of any query and any other text follows a script, one value per call."""

    def __init__(self, queries, values):
        self.queries, self.values = set(queries), list(values)
        self.calls = 0

    def encode(self, texts):
        value = self.values[min(self.calls, len(self.values) - 1)]
        self.calls += 1
        return np.array([[1.0, 0.0] if text in self.queries else [value, (1 - value**2) ** 0.5] for text in texts])


@pytest.fixture
def files(tiny, tmp_path):
    """Return the forget, retain and validation files."""
    safety = list(load_samples(tiny.data / "safety.json"))
    unsafe, benign = ([one for one in safety if bool(one.refused) is kind] for kind in (True, False))
    harmful = forget(unsafe[:6], {one.id: "You need amber, moss and tin." for one in unsafe})
    write_samples(harmful, tmp_path / "forget.jsonl")
    write_samples(benign[:6], tmp_path / "retain.jsonl")
    return tmp_path / "forget.jsonl", tmp_path / "retain.jsonl", tiny.data / "test.json"


def scripted(files, *values):
    return Scripted([one.query for one in load_samples(files[2])], values)


@pytest.fixture
def patched(files, monkeypatch):
    """Return a function that makes commands use a scripted encoder."""

    def patch(*values):
        found = scripted(files, *values)
        monkeypatch.setattr("unmirage.workflows.relevance_watch.sentence_encoder", lambda _: (found, "scripted"))
        return found

    return patch


def align(files, out, **settings):
    forget_file, retain, validation = files
    common = {"learning_rate": 1e-4, "batch_size": 2, "steps": 6, "schedule": "constant", "warmup": 0.0}
    return {
        "method": "npo", "out": out, "forget": forget_file, "retain": retain, "validation": validation,
        "images": validation.parent,
        **common, **STOP, **settings,
    }  # fmt: skip


def test_the_api_keeps_the_weights_before_the_drop(tiny, tmp_path, files):
    um.align(
        tiny.model, **align(files, tmp_path / "out", encoder=scripted(files, 0.9, 0.9, 0.88, -0.9), stop_relevance=0.95)
    )
    plainly = {key: value for key, value in align(files, tmp_path / "short", steps=4).items() if key not in STOP}
    um.align(tiny.model, **{key: value for key, value in plainly.items() if key != "validation"})
    own, short = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "short"))
    assert {name: float(abs(own[name] - short[name]).max()) for name in short if (own[name] != short[name]).any()} == {}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Mean relevance of responses to benign validation queries:" in card
    assert "(step 0)" in card
    assert "(step 6)" in card
    assert "stopped at step 6: relevance of 3 benign responses fell from" in card


def test_the_command_says_so_and_succeeds(tiny, tmp_path, files, patched, unmirage, text_encoder):
    patched(0.9, 0.9, -0.9)
    forget_file, retain, validation = files
    code, out, err = unmirage(
        "align", tiny.model, "--images", tiny.data,
        "--forget", forget_file, "--retain", retain, "--out", tmp_path / "out", *NPO,
        "--stop-relevance", "0.95", "--encoder", text_encoder, "--validation", validation, "--check-every", "2",
        "--check-queries", "3", "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert (found["early"], found["steps"], list(found["relevance"])) == (True, 2, ["0", "2", "4"])
    assert "has the weights of step 2, the last check that passed" in err


def test_a_drop_at_the_first_check_leaves_nothing_that_blocks_a_lower_rate(
    tiny, tmp_path, files, patched, unmirage, text_encoder
):
    forget_file, retain, validation = files
    command = (
        "align", tiny.model, "--images", tiny.data,
        "--forget", forget_file, "--retain", retain, "--out", tmp_path / "out", *NPO,
        "--stop-relevance", "0.05", "--encoder", text_encoder, "--validation", validation, "--check-every", "2",
    )  # fmt: skip
    patched(0.9, -0.9)
    code, _, err = unmirage(*command)
    assert code == 2
    assert "stopped at step 2" in err
    assert "lower learning_rate" in err
    assert not (tmp_path / "out").exists()
    patched(0.9)
    code, _, err = unmirage(*command, "--learning-rate", "1e-5")
    assert code == 0, err


def test_without_a_drop_nothing_is_said_and_command_and_api_agree(tiny, tmp_path, files, unmirage, text_encoder):
    forget_file, retain, validation = files
    code, out, err = unmirage(
        "align", tiny.model, "--images", tiny.data,
        "--forget", forget_file, "--retain", retain, "--out", tmp_path / "out", *NPO,
        "--set", "warmup=0.0", "--stop-relevance", "1", "--encoder", text_encoder, "--validation", validation,
        "--check-every", "4", "--check-queries", "3", "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert "early" not in found
    assert list(found["relevance"]) == ["0", "4", "6"]
    um.align(tiny.model, **align(files, tmp_path / "api", encoder=text_encoder, stop_relevance=1.0, check_every=4))
    own, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "api"))
    assert all(bool((own[name] == theirs[name]).all()) for name in own)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"encoder": None}, "stop_relevance: needs encoder; name a directory of a sentence encoder"),
        ({"validation": None}, "stop_relevance: needs validation; name a file with benign queries"),
        ({"stop_relevance": None}, "has no effect without stop_relevance"),
        ({"stop_relevance": 2.0}, "stop_relevance: 2 is out of range"),
        ({"check_every": 0}, "check_every: 0 is out of range"),
        ({"check_queries": 0}, "check_queries: 0 is out of range"),
        ({"validation": "retain"}, "benign queries are in the training data; name a file with others"),
        ({"validation": "forget"}, "no benign query"),
    ],
)
def test_wrong_settings_are_one_line_and_leave_nothing(tiny, tmp_path, files, changed, said):
    known = dict(zip(("forget", "retain"), files, strict=False))
    settings = {"encoder": scripted(files, 0.9), **changed}
    if settings.get("validation") in known:
        settings["validation"] = known[settings["validation"]]
    with pytest.raises(um.UserError) as error:
        um.align(tiny.model, **align(files, tmp_path / "out", **settings))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("out*"))


CANDIDATES = """
gentle: {method: {name: npo}, learning_rate: 1.0e-4}
rmu: {method: {name: rmu, layer: 2, scale: 5.0, ce: 0.0}, learning_rate: 1.0e-3, trainable: ["down_proj:1-2"]}
"""


def study(tiny, tmp_path, files, text_encoder, *more):
    forget_file, retain, validation = files
    (tmp_path / "candidates.yaml").write_text(CANDIDATES)
    return (
        "study", "unlearning", "--images", tiny.data, "--model", tiny.model,
        "--forget", forget_file, "--retain", retain, "--validation",
        validation, "--encoder", text_encoder, "--out", tmp_path / "search", "--candidates",
        tmp_path / "candidates.yaml", "--set", "steps=2", "--set", "batch_size=2", "--every", "1", "--benign", "3",
        "--unsafe", "3", "--max-new-tokens", "4", "--tolerance", "1", *more,
    )  # fmt: skip


def test_the_study_measures_candidates_chooses_and_resumes(tiny, tmp_path, files, unmirage, text_encoder):
    code, out, err = unmirage(*study(tiny, tmp_path, files, text_encoder, "--json"))
    assert code == 0, err
    found = json.loads(out)
    assert [one["name"] for one in found["candidates"]] == ["gentle", "rmu"]
    assert [[point["step"] for point in one["points"]] for one in found["candidates"]] == [[1, 2], [1, 2]]
    losses = [point["kept"]["forget_loss"]["value"] for point in found["candidates"][0]["points"]]
    assert losses[-1] > found["base"]["forget_loss"]["value"]
    assert found["base"]["relevance"]["n"] == 3
    assert found["data"] == {"forget": 6, "retain": 6, "benign validation": 3, "unsafe validation": 3}
    assert set(found["chosen"]) == {"any", "npo", "rmu"}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "search" / "candidates").iterdir()}
    code, out, err = unmirage(*study(tiny, tmp_path, files, text_encoder))
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "search" / "candidates").iterdir()} == before
    assert "gentle" in out
    assert "all methods: " in out
    written = json.loads((tmp_path / "search" / "unlearning-settings.json").read_text())
    assert written["candidates"] == found["candidates"]
    api = um.search_unlearning(
        tiny.model, *files, encoder=text_encoder, images=tiny.data, out=tmp_path / "search",
        candidates=tmp_path / "candidates.yaml",
        every=1, tolerance=1.0, benign=3, unsafe=3, max_new_tokens=4, steps=2, batch_size=2,
    )  # fmt: skip
    assert api.to_dict()["chosen"] == found["chosen"]
    code, _, err = unmirage(*study(tiny, tmp_path, files, text_encoder, "--unsafe", "2"))
    assert (code, "unsafe: was 3, now 2" in err) == (2, True)


def test_a_model_without_harmful_answers_has_nothing_to_hold_out(tiny, tmp_path, files, text_encoder):
    class Refused(PhraseJudge):
        def verdict(self, query, response):
            return Verdict.REFUSED, ""

    with pytest.raises(um.UserError, match="complies with none of 3 unsafe validation queries"):
        um.search_unlearning(
            tiny.model, *files, encoder=text_encoder, images=tiny.data, out=tmp_path / "search", judge=Refused(),
            methods=["npo"], every=1, tolerance=1.0, benign=3, unsafe=3, max_new_tokens=4, steps=1, batch_size=2,
        )  # fmt: skip
    assert not (tmp_path / "search" / "search.json").exists()  # which would refuse the corrected command


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--set", "learning_rte=1"), "candidate 'gentle': setting 'learning_rte'"),
        (("--benign", "0"), "benign: 0 is out of range"),
        (("--tolerance", "0"), "tolerance: 0 is out of range"),
        (("--set", "steps=3"), "was made with other settings"),
    ],
)
def test_wrong_settings_of_the_study_are_one_line(tiny, tmp_path, files, unmirage, text_encoder, more, said):
    if "steps=3" in more:
        folder = tmp_path / "search" / "candidates"
        folder.mkdir(parents=True)
        made = {"name": "gentle", "settings": {"method": {"name": "npo"}}, "points": [], "sinks": {}}
        (folder / "gentle.json").write_text(json.dumps(made))
    code, _, err = unmirage(*study(tiny, tmp_path, files, text_encoder, *more))
    assert code == 2
    assert said in err


def test_unknown_methods_and_candidates_are_named(tiny, tmp_path, files, unmirage, text_encoder):
    command = study(tiny, tmp_path, files, text_encoder)
    (tmp_path / "candidates.yaml").write_text("just text")
    code, _, err = unmirage(*command)
    assert (code, "not a mapping of candidates" in err) == (2, True)
    without = [one for one in command if one not in ("--candidates", tmp_path / "candidates.yaml")]
    code, _, err = unmirage(*without, "--methods", "npo,erase")
    assert (code, "erase" in err) == (2, True)
