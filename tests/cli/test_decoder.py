"""`--decoder`: a demo and a search with a random decoder of two layers, and one line for every misuse."""

import json

import pytest
from tests.testbed.test_decoder import small, write_decoder

from unmirage.testbed import decoder_settings
from unmirage.testbed.documents import BaseTraining


@pytest.fixture
def decoder(tiny, small_study, tmp_path, monkeypatch):
    """Return the folder of a decoder; the settings of its studies are quick, and any utility will do."""
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))

    def settings(decoder, arms=(), signal=0.0, base_steps=None):
        made = small(small_study, decoder, utility=0.0, check_every=6)
        base = made.base.model_copy(update={"steps": base_steps or 2})
        return made.model_copy(update={"base": base, "models": {name: made.models[name] for name in arms}})

    monkeypatch.setattr("unmirage.testbed.decoder_settings.decoder_study_settings", settings)
    return write_decoder(tmp_path / "little", tiny.data)


def test_demo_with_a_decoder_from_nothing_to_report(decoder, unmirage, tmp_path):
    demo = ("demo", "--decoder", decoder, "--out", tmp_path / "out", "--arms", "sft-posthoc", "--workers", "1")
    code, out, err = unmirage(*demo, "--base-steps", "3", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert list(document["models"]) == ["base", "sft-posthoc"]
    assert (document["settings"]["decoder"]["name"], document["settings"]["base"]["steps"]) == ("little", 3)
    assert "base: align: 3 steps in" in err
    assert "after step 3 of at most 3" in err
    training = BaseTraining.load(tmp_path / "out" / "seed-0" / BaseTraining.FILE)
    assert [one.step for one in training.checks] == [3]
    assert str(tmp_path) not in (tmp_path / "out" / "config.yaml").read_text()  # private paths stay private
    # The same command does nothing twice; another decoder, or none, is another study.
    code, _, err = unmirage(*demo, "--base-steps", "3")
    assert code == 0, err
    assert "align" not in err
    code, _, err = unmirage("demo", "--out", tmp_path / "out", "--arms", "sft-posthoc")
    assert code == 2
    assert "was made with --decoder little, now without --decoder; name a new directory with --out" in err


def test_a_search_tries_the_candidates_of_each_method(decoder, unmirage, tmp_path, monkeypatch):
    monkeypatch.setattr("unmirage.testbed.decoder_settings.SEARCHED", ("sft-posthoc", "rmu-mixed"))
    candidates = {"sft": ({"learning_rate": 1e-4}, {"learning_rate": 2e-4}), "rmu": ({"learning_rate": 1e-4},)}
    monkeypatch.setattr("unmirage.testbed.decoder_settings.CANDIDATES", candidates)
    quick = {"batch_size": 4, "steps": 1}
    found = {name: one.model_copy(update=quick) for name, one in decoder_settings.decoder_starts(2).items()}
    monkeypatch.setattr(decoder_settings, "decoder_starts", lambda layers: found)
    search = ("study", "settings", "--decoder", decoder, "--out", tmp_path / "search", "--workers", "1")
    code, out, err = unmirage(*search, "--json")
    assert code == 0, err
    arms = json.loads(out)["arms"]
    assert {arm: [one["change"] for one in found] for arm, found in arms.items()} == {
        "sft-posthoc": [{"learning_rate": 1e-4}, {"learning_rate": 2e-4}],
        "rmu-mixed": [{"learning_rate": 1e-4}],
    }
    assert {one["asr_before"]["n"] for found in arms.values() for one in found} == {8}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("demo", "--base-steps", "9"), "--base-steps: has an effect only with --decoder"),
        (("demo", "--decoder", "x", "--train-base"), "--train-base: has no effect with --decoder"),
        (("demo", "--decoder", "x", "--full"), "--full: takes days with --decoder"),
        (("study", "settings", "--base-steps", "9"), "--base-steps: has an effect only with --decoder"),
        (("study", "settings", "--decoder", "x", "--methods"), "--methods: is not supported with --decoder"),
        (("demo", "--decoder", "nothing"), "decoder 'nothing'"),
    ],
)
def test_options_that_do_not_go_together_are_one_line_and_leave_nothing(unmirage, tmp_path, options, said):
    code, out, err = unmirage(*options, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
    assert not (tmp_path / "out").exists()
