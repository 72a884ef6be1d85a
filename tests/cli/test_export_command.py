"""`unmirage export`: logs of Inspect from a run that `unmirage evaluate` has judged."""

import sys

import pytest
from PIL import Image

from unmirage.records import Kind, Query, Response
from unmirage.run import open_run


@pytest.fixture
def run(unmirage, tmp_path):
    """Return a judged run of two models and one query with a picture."""
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    config = {
        "seed": 0,
        "attack": {"shots": 1, "jailbreak_word": "what", "over_prudence_word": "share"},
        "images": str(tmp_path),
    }
    asked = Query(id="a|plain|0", sample_id="a", kind=Kind.PLAIN, shot=0, text="What?", image="a.png", unsafe=True)
    with open_run(tmp_path / "run", config) as made, made.store() as store:
        store.add_queries([asked])
        store.add_responses(Response(query_id=asked.id, model=model, text="Sure: amber.", tokens=3) for model in "mn")
    code, _, err = unmirage("evaluate", tmp_path / "run")
    assert code == 0, err
    return tmp_path / "run"


def test_a_missing_extra_is_one_line(unmirage, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    code, out, err = unmirage("export", run)
    assert (code, out) == (2, "")
    assert "--to inspect: needs the extra 'inspect': pip install 'unmirage[inspect]'" in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "inspct"), "unknown --to 'inspct'; valid: inspect"),
        (("--format", "zip"), "unknown --format 'zip'; valid: eval, json"),
        (("--redact", "--pictures"), "--redact: excludes --pictures"),
    ],
)
def test_mistakes_are_one_line(unmirage, run, options, said):
    code, _, err = unmirage("export", run, *options)
    assert code == 2
    assert said in err
    assert not (run / "inspect").exists()


def test_a_log_for_each_model_and_what_to_do_next(unmirage, run):
    inspect_log = pytest.importorskip("inspect_ai.log")
    code, out, err = unmirage("export", run)
    assert code == 0, err
    logs = {log.eval.metadata["model"]: log for log in map(inspect_log.read_eval_log, out.split())}
    assert set(logs) == {"m", "n"}
    assert logs["m"].samples[0].output.completion == "Sure: amber."
    assert logs["m"].results.scores[0].metrics["asr.before"].value == 1.0
    assert err == f"Next: inspect view --log-dir {run / 'inspect'}\n"


def test_the_folder_the_format_and_redaction_can_be_chosen(unmirage, run, tmp_path):
    pytest.importorskip("inspect_ai")
    code, out, err = unmirage("export", run, "--out", tmp_path / "logs", "--format", "json", "--redact")
    assert code == 0, err
    texts = [path.read_text() for path in (tmp_path / "logs").iterdir()]
    assert len(texts) == len(out.split()) == 2
    assert not any("amber" in text for text in texts)


def test_pictures_that_cannot_be_read_make_it_partial(unmirage, run, tmp_path):
    pytest.importorskip("inspect_ai")
    assert unmirage("export", run, "--pictures")[0] == 0
    (tmp_path / "a.png").unlink()
    code, out, err = unmirage("export", run, "--pictures")
    assert code == 4
    assert len(out.split()) == 2
    assert "partial: 1 pictures are not in the logs; the first: image 'a.png' is not a file" in err


def test_a_run_that_is_not_judged_and_a_file_in_the_way_are_refused(unmirage, run, tmp_path):
    pytest.importorskip("inspect_ai")
    (tmp_path / "file").write_text("mine")
    code, _, err = unmirage("export", run, "--out", tmp_path / "file")
    assert code == 2
    assert "file: cannot be written" in err
    assert (tmp_path / "file").read_text() == "mine"
    (run / "results.json").unlink()
    code, _, err = unmirage("export", run)
    assert code == 2
    assert "results.json: no such file" in err
