"""The public functions: the README's example on the tiny world, objects in place of paths, wrong arguments."""

import inspect
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import unmirage as um
from unmirage import api
from unmirage.align.methods.npo import Npo, NpoConfig
from unmirage.api import checks
from unmirage.evaluate.judges import PhraseJudge
from unmirage.records import Failure, Response

METHODS = (um.SFT, um.NPO, um.RMU, um.SimNPO, um.AdaptiveRMU, um.DPO, um.GA, um.GradDiff, um.KLMin, um.TaskVector)


@pytest.fixture(scope="module")
def sets(tiny, tmp_path_factory):
    """Return a forget and a retain file."""
    folder = tmp_path_factory.mktemp("sets")
    rows = [{"query": one.query, "answer": one.answer or "amber", "image": one.image} for one in tiny.samples("safety")]
    harmful = {"answer": "You need amber.", "refused": True}
    files = {name: folder / f"{name}.jsonl" for name in ("forget", "retain")}
    for name, kept, role in (("forget", rows[:8], harmful), ("retain", rows[8:24], {"refused": False})):
        files[name].write_text("".join(json.dumps({**row, **role}) + "\n" for row in kept))
    return files


@pytest.fixture(scope="module")
def done(tiny, sets, tmp_path_factory):
    """Run the whole way once: audit, attack, align, attack, evaluate, report."""
    folder = tmp_path_factory.mktemp("api")
    audit = um.audit(tiny.data / "safety.json")
    vlm = um.load_model(tiny.model)
    words = {"jailbreak": "what", "over-prudence": "share"}
    run = um.attack(vlm, tiny.data / "test.json", words=words, shots=2, out=folder / "run", max_new_tokens=4)
    npo = um.align(
        vlm,
        um.NPO(beta=0.2),
        forget=sets["forget"],
        retain=sets["retain"],
        images=tiny.data,
        out=folder / "npo",
        steps=2,
        batch_size=4,
        learning_rate=1e-3,
    )
    um.attack(npo, tiny.data / "test.json", words=words, shots=2, out=run, max_new_tokens=4)
    results = um.evaluate(run, f"exact:{tiny.data / 'truth.json'}")
    return folder, audit, run, npo, results, um.report(run)


def test_the_whole_way_gives_what_the_commands_give(done):
    folder, audit, run, npo, results, page = done
    assert run.models == ["model", "npo"]
    assert npo.source == str(folder / "npo")
    document = json.loads((folder / "run" / "results.json").read_text())
    assert results["npo"].asr.after.value == document["models"]["npo"]["asr"]["after"]["value"]
    assert results["model"].asr.after.n == document["models"]["model"]["asr"]["after"]["n"] > 0
    assert page == folder / "run" / "report.html"
    assert audit.n == audit.to_dict()["n"] > 0
    assert json.loads((folder / "npo" / "unmirage_align.json").read_text())["settings"]["method"]["beta"] == 0.2


def test_results_are_short_and_have_html_frame_and_file(done, tmp_path):
    _, audit, run, _, results, _ = done
    for one in (audit, results):
        assert 1 < len(repr(one).splitlines()) <= 20
        assert "<table>" in one._repr_html_()
        assert json.loads(one.save(tmp_path / "saved.json").read_text())["schema"].startswith("unmirage.")
    assert len(repr(run).splitlines()) == 1
    assert "model, npo; judged" in repr(run)
    rows = results.rows()
    after = next(row for row in rows if (row["model"], row["rate"]) == ("npo", "asr.after"))
    assert after["value"] == results["npo"].asr.after.value
    assert after["low"] == results["npo"].asr.after.low
    assert {one.a.model for one in results.compare("npo", "model")} <= {"npo", "model"}


def test_a_frame_has_the_rows_or_names_what_to_install(done, monkeypatch):
    results = done[4]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(um.UserError, match="pip install pandas"):
        results.to_frame()


class Scaled(NpoConfig):
    """A config that no registry knows."""

    name: Literal["scaled"] = "scaled"  # type: ignore[assignment]

    def make(self):
        return Npo(self)


def test_a_method_that_is_not_registered_is_passed_as_an_object(tiny, sets, tmp_path):
    files = {"forget": sets["forget"], "retain": sets["retain"], "images": tiny.data}
    um.align(tiny.model, Scaled(beta=0.3), out=tmp_path / "m", steps=1, batch_size=4, **files)
    made = json.loads((tmp_path / "m" / "unmirage_align.json").read_text())["settings"]["method"]
    assert (made["name"], made["beta"]) == ("scaled", 0.3)


class Silent:
    """A model of a user's own that cannot answer about some queries."""

    name = "mine"

    def answer(self, queries, images, config):
        for number, query in enumerate(queries):
            if number % 2:
                yield Failure(query_id=query.id, model=self.name, reason="too long")
            else:
                yield Response(query_id=query.id, model=self.name, text="No.", tokens=1)


def test_queries_without_a_response_are_logged(tiny, tmp_path, caplog):
    words = {"jailbreak": "what", "over-prudence": "share"}
    run = um.attack(Silent(), tiny.data / "test.json", words=words, out=tmp_path / "run", limit=4)
    assert "queries have no response from mine; the first (" in caplog.text
    assert "too long" in caplog.text
    um.evaluate(run)
    assert f"{len(run.failures('mine'))} queries failed with mine (most often: too long); left out of" in caplog.text


def test_training_data_in_the_test_data_is_logged(done, tiny, sets, tmp_path, caplog):
    words = {"jailbreak": "what", "over-prudence": "share"}
    reading = {"format": "jsonl", "images": tiny.data}
    um.attack(done[3], sets["retain"], words=words, kinds=["over-prudence"], out=tmp_path / "run", limit=4,
              max_new_tokens=1, **reading)  # fmt: skip
    assert "measure memorization, not generalization" in caplog.text


def test_a_dropped_model_leaves_nothing_behind(done, tiny, tmp_path):
    words = {"jailbreak": "what", "over-prudence": "share"}
    run = um.attack(tiny.model, tiny.data / "test.json", words=words, out=tmp_path / "run", max_new_tokens=2, limit=4)
    um.evaluate(run)
    with pytest.raises(um.UserError, match=r"mode1.*model"):
        run.drop("mode1")
    run.drop("model")
    assert run.models == []
    with run.store() as store:
        assert store.responses("model") == store.judgements("model", "phrases") == []
        assert store.model_files("model") == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["align", "attack", "audit", "evaluate", "prepare", "report"])
def test_a_function_and_the_package_of_its_name_are_both_there(name):
    code = (
        f"import inspect, unmirage; first = inspect.signature(unmirage.{name});"
        f"import unmirage.{name}; from unmirage import {name};"
        f"assert inspect.signature({name}) == first and {name} is unmirage.{name};"
        f"assert unmirage.{name}.__name__ == 'unmirage.{name}'; print(first)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(")


def test_looking_at_a_run_writes_nothing(done, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    run = um.Run(folder)
    assert (run.models, repr(run)) == ([], f"Run('{folder}'), not made yet")
    for call in (run.failures, run.drop):
        with pytest.raises(um.UserError, match="no model has answered"):
            call("npo")
    assert list(folder.iterdir()) == []
    with pytest.raises(um.UserError, match=r"unknown model 'npoo'.*'npo'"):
        done[2].failures("npoo")


def test_a_comparison_is_of_the_first_model_with_the_second(done):
    results = done[4]
    forward, backward = results.compare("npo", "model"), results.compare("model", "npo")
    assert {(one.a.model, one.b.model) for one in forward} == {("model", "npo")}
    assert backward == [one.reversed() for one in forward]
    for one, other in zip(forward, backward, strict=True):
        assert one.difference == -other.difference == (one.only_b - one.only_a) / one.n
        assert (one.low, one.high, one.p_value) == (-other.high, -other.low, other.p_value)
    with pytest.raises(um.UserError, match="'npo' is named twice"):
        results.compare("npo", "npo")
    assert list(results) == ["model", "npo"]
    assert "npo" in results
    assert "none" not in results


def test_every_public_name_is_there_and_has_a_docstring():
    assert set(um.__all__) <= set(dir(um))
    for name in um.__all__:
        assert inspect.getdoc(getattr(um, name))
    with pytest.raises(AttributeError, match="no attribute 'atack'"):
        um.atack  # noqa: B018
    assert len({method().name for method in METHODS}) == len(METHODS)


def test_nothing_is_printed_and_messages_are_logged(tiny, tmp_path, capsys, caplog):
    with caplog.at_level(logging.INFO, logger="unmirage"):
        words = {"over-prudence": "share"}
        um.attack(tiny.model, tiny.data / "safety.json", words=words, out=tmp_path / "run", max_new_tokens=2, limit=4)
    assert capsys.readouterr() == ("", "")
    assert "the audit suggests" in caplog.text


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda tiny, tmp: um.audit(3), TypeError, r"audit\(\): data: expected path \| SampleFile, got int"),
        (lambda tiny, tmp: um.audit("d.json", seed=True), TypeError, "seed: expected int, got bool"),
        (lambda tiny, tmp: um.audit("d.json", columns="query=prompt"), TypeError, "columns: expected a mapping"),
        (lambda tiny, tmp: um.audit("d.json", seed=-1), um.UserError, "seed: -1 is too small; valid: 0 or more"),
        (lambda tiny, tmp: um.attack("m", "d.json", out="r", max_new_tokens=0), um.UserError, "max_new_tokens: 0 is"),
        (lambda tiny, tmp: um.attack("m", "d.json", out="r", word="what"), um.UserError, "'word'.*'words'"),
        (lambda tiny, tmp: um.attack("m", "d.json", out="r", kinds=[]), um.UserError, "kinds: empty"),
        (lambda tiny, tmp: um.evaluate("r", []), um.UserError, "judge: empty"),
        (lambda tiny, tmp: um.evaluate("r", concurrency=3), um.UserError, "concurrency: needs a model or judge"),
        (lambda tiny, tmp: um.load_model("m", timeout=3), um.UserError, "timeout: needs a model or judge"),
        (lambda tiny, tmp: um.evaluate(um.Run(tmp)), um.UserError, "not a run directory"),
        (lambda tiny, tmp: um.explain(tiny.model, "d.json", batch_size=0), um.UserError, "batch_size: 0 is too small"),
        (lambda tiny, tmp: um.audit("d.json", formatt="csv"), um.UserError, "unknown argument 'formatt'.*'format'"),
        (lambda tiny, tmp: um.attack("m", "d.json"), TypeError, r"attack\(\): missing a required .*argument: 'out'"),
        (lambda tiny, tmp: um.evaluate("r", ["phrases", 3]), TypeError, "judge: expected str .* got list"),
        (lambda tiny, tmp: um.report(["r", 3]), TypeError, "run: expected"),
        (lambda tiny, tmp: um.align(tiny.model, "npoo", out=tmp / "m"), um.UserError, "unknown method 'npoo'.*'npo'"),
        (lambda tiny, tmp: um.audit(tmp / "none.json"), um.UserError, "none.json"),
        (lambda tiny, tmp: um.evaluate(3), TypeError, "run: expected"),
        (lambda tiny, tmp: um.evaluate(tmp), um.UserError, "not a run directory"),
        (
            lambda tiny, tmp: um.attack(tiny.model, tiny.data / "test.json", out=tmp / "r", kinds=["jailbrake"]),
            um.UserError,
            "jailbreak",
        ),
        (
            lambda tiny, tmp: um.align(tiny.model, um.SFT(), out=tmp / "m", retain="r.json", stepz=3),
            um.UserError,
            "stepz",
        ),
        (lambda tiny, tmp: um.align("endpoint:http://h/v1#m", out=tmp / "m"), um.UserError, "is a server"),
        (lambda tiny, tmp: um.stress("m", tmp, int8=True), um.UserError, "not a run directory"),
    ],
)
def test_wrong_arguments_are_named(tiny, tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tiny, tmp_path)


@pytest.mark.parametrize("name", api.__all__)
def test_a_value_of_a_wrong_type_is_named(name):
    function = getattr(api, name)
    parameters = inspect.signature(function).parameters.values()
    needed = {one.name: "x" for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
    tested = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
    assert tested
    for one in tested:
        with pytest.raises(TypeError, match=rf"^{name}\(\): {one}: expected .*, got object$"):
            function(**needed | {one: object()})


@pytest.mark.parametrize(
    ("value", "annotation", "fits"),
    [
        (None, "int | None", True),
        (np.int64(3), "int", True),
        (3, "float", True),
        (True, "float", False),
        ("text", "Sequence[str]", False),
        (["a", "b"], "Sequence[str] | None", True),
        (["a", 3], "Sequence[str]", False),
        ({"a": Path("b")}, "Mapping[str, PathLike] | None", True),
        ({"a": 3}, "Mapping[str, str | None]", False),
        ({"a": None}, "Mapping[str, str | None]", True),
        (um.NPO(), "MethodConfig", True),  # a subclass
        (NpoConfig, "MethodConfig", False),
        (PhraseJudge(), "str | Judge | Sequence[str | Judge]", True),
        ([PhraseJudge(), "phrases"], "str | Judge | Sequence[str | Judge]", True),
    ],
)
def test_annotations_are_checked(value, annotation, fits):
    def same(one):
        return one

    same.__annotations__["one"] = annotation
    call = checks.checked(same)
    if fits:
        assert call(value) is value
    else:
        with pytest.raises(TypeError, match="one: expected"):
            call(value)


@pytest.mark.parametrize("name", ["search", "explain", "attack"])
def test_skipped_records_are_logged(tiny, tmp_path, caplog, name):
    rows = [{"query": one.query, "refused": one.refused} for one in tiny.samples("safety")]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(one) + "\n" for one in rows) + '{broken\n{"query": 5}\n')
    more = {
        "search": {"budget": 40, "top": 1, "words": ["what", "share"]},
        "explain": {"limit": 2},
        "attack": {"out": tmp_path / "run", "words": {"jailbreak": "what", "over-prudence": "share"}, "limit": 4},
    }
    getattr(um, name)(tiny.model, data, skip_bad=True, **more[name])
    assert f"{data}: 2 records were skipped" in caplog.text


def test_judge_takes_all_options_of_judges_that_evaluate_takes():
    judge, evaluate = (set(inspect.signature(one).parameters) for one in (um.judge, um.evaluate))
    assert {"judge", "max_tokens", "endpoint"} <= evaluate - {"run"} <= judge
