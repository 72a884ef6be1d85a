"""`unmirage graft`: what it prints, the same directory as `um.graft`, and its errors."""

import json

import pytest
from tests.models.graft.decoders import saved

import unmirage as um
from unmirage.models.graft import Graft


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("decoder") / "lm")


def test_a_decoder_is_grafted_as_by_the_api_and_can_be_attacked(unmirage, lm, tiny, tmp_path):
    options = (
        "--image-tokens",
        9,
        "--tower",
        32,
        "--layers",
        1,
        "--patch",
        8,
        "--seed",
        3,
        "--chat-template",
        "chatml",
    )
    code, printed, err = unmirage("graft", lm, "--out", tmp_path / "a", *options, "--json")
    assert code == 0, err
    assert json.loads(printed) == json.loads((tmp_path / "a" / Graft.FILE).read_text())
    assert "pictures carry no information. To train them, add --see world" in err
    made = um.graft(lm, tmp_path / "b", image_tokens=9, tower=32, layers=1, patch=8, seed=3, chat_template="chatml")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    for name in set(names) - {"README.md"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert f"{made.parameters:,} weights. Model: {tmp_path / 'a'}" in err
    code, _, err = unmirage(
        "attack", tmp_path / "a", tiny.data / "test.json", "--out", tmp_path / "run", "--word", "jailbreak=what",
        "--word", "over-prudence=share", "--limit", 4, "--max-new-tokens", 2,
    )  # fmt: skip
    assert code == 0, err


def test_sight_is_trained_measured_and_written_to_the_card(unmirage, lm, tmp_path):
    options = ("--tower-steps", 2, "--steps", 2, "--batch-size", 2, "--learning-rate", 0.001)
    code, printed, err = unmirage("graft", lm, "--out", tmp_path / "a", "--see", "world", *options, "--json")
    assert code == 0, err
    seen = json.loads(printed)["seen"]
    assert seen["data"] == "world"
    assert seen["before"]["n"] == seen["after"]["n"] == 100
    assert "Questions about held-out pictures, before the training:" in err
    card = (tmp_path / "a" / "README.md").read_text()
    after = seen["after"]
    assert f"| after the training | {100 * after['value']:.1f} % [" in card
    assert f"{after['k']} of {after['n']} |" in card
    assert f"| {100 * seen['chance']:.1f} % |" in card


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image-tokens", 5), "setting 'image_tokens': 5 is not a square number; valid: 4 or 9"),
        (("--tower", 20), "tower"),
        (("--see", "nowhere.json"), "nowhere.json"),
        (("--chat-template", "nowhere.jinja"), "--chat-template nowhere.jinja: cannot be read"),
        (("--wheel", "a.whl"), "--wheel: used only with a name; valid: smollm2-135m"),
        (("--images", "x"), "images: used only with a data file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(unmirage, lm, tmp_path, options, message):
    code, out, err = unmirage("graft", lm, "--out", tmp_path / "a", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
