"""`--thinking`: recorded where it was set, the same in training and evaluation, and sent to servers."""

import json
import shutil

import pytest
import yaml

import unmirage as um
from unmirage.align.estimate.skeleton import Skeleton
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.templates import render_prompt
from unmirage.run import existing_run
from unmirage.testbed.vlm import CHAT_TEMPLATE
from unmirage.workflows.models import asked_identity, load_vlm

SWITCH = "{% if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}{% endif %}"
FEW = ("--max-new-tokens", "4", "--limit", "6", "--word", "jailbreak=what", "--word", "over-prudence=share")
STEP = ("--steps", "1", "--batch-size", "4", "--learning-rate", "1e-3")


def with_template(tiny, folder, more):
    shutil.copytree(tiny.model, folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("'ASSISTANT:' }}", "'ASSISTANT:' }}" + more))
    return folder


@pytest.fixture
def model(tiny, tmp_path):
    """Return a model whose chat template has the switch."""
    return with_template(tiny, tmp_path / "base", SWITCH)


def test_training_and_attack_agree_or_say_so(unmirage, tiny, model, tmp_path):
    out, test = tmp_path / "sft", tiny.data / "test.json"
    code, _, err = unmirage(
        "align", model, "--train", tiny.data / "safety.json", "--out", out, *STEP, "--thinking", "off"
    )
    assert code == 0, err
    assert json.loads((out / "unmirage_align.json").read_text())["settings"]["thinking"] == "off"
    assert "thinking: 'off'" in (out / "README.md").read_text()
    assert "set enable_thinking" not in (out / "chat_template.jinja").read_text()

    code, _, err = unmirage("attack", out, test, "--out", tmp_path / "same", *FEW, "--thinking", "off")
    assert (code, "trained with" in err) == (0, False), err
    assert yaml.safe_load((tmp_path / "same" / "config.yaml").read_text())["thinking"] == "off"

    note = "sft: trained with thinking off, evaluated with auto; its prompts differ from those of the training"
    code, _, err = unmirage("attack", out, test, "--out", tmp_path / "other", *FEW)
    assert code == 0
    assert note in " ".join(err.split())
    assert "thinking" not in yaml.safe_load((tmp_path / "other" / "config.yaml").read_text())
    assert existing_run(tmp_path / "other").store().model_files("sft")["trained with thinking"] == "off"
    assert um.evaluate(tmp_path / "other").warnings[0] == note
    assert note not in um.evaluate(tmp_path / "same").warnings

    code, _, err = unmirage("attack", out, test, "--out", tmp_path / "other", *FEW, "--thinking", "off")
    assert code == 2
    assert "thinking" in err

    # The same prompts are no reason to warn: the template has nothing for "on" that "auto" lacks.
    settings = json.loads((out / "unmirage_align.json").read_text())
    (out / "unmirage_align.json").write_text(json.dumps({"settings": settings["settings"] | {"thinking": "on"}}))
    assert asked_identity(HuggingFaceVLM.load(out)).get("trained with thinking") is None
    assert asked_identity(HuggingFaceVLM.load(out, thinking="off")).get("trained with thinking") == "on"


def test_auto_leaves_no_trace(unmirage, tiny, model, tmp_path):
    out = tmp_path / "sft"
    code, _, err = unmirage("align", model, "--train", tiny.data / "safety.json", "--out", out, *STEP)
    assert code == 0, err
    assert "thinking" not in json.loads((out / "unmirage_align.json").read_text())["settings"]
    assert "thinking" not in asked_identity(um.load_model(out))


def test_the_plan_of_a_training_shows_its_prompts(unmirage, tiny, model):
    for thinking in ("off", "on"):
        code, stdout, err = unmirage(
            "align", model, "--train", tiny.data / "safety.json", *STEP, "--dry-run", "--json", "--thinking", thinking
        )
        assert code == 0, err
        assert ("ASSISTANT:<think></think>" in stdout) is (thinking == "off")
    vlm = um.load_model(model, thinking="off")
    for thinking, switched in (("auto", True), ("off", True), ("on", False)):
        prompt = render_prompt(Skeleton.of(vlm, thinking).processor, Conversation("Name it."))
        assert prompt.endswith("<think></think>") is switched
    assert vlm.processor.chat_template.count("set enable_thinking") == 1


def test_stress_asks_as_the_run_did(unmirage, tiny, model, tmp_path):
    run = tmp_path / "run"
    assert unmirage("attack", model, tiny.data / "test.json", "--out", run, *FEW, "--thinking", "off")[0] == 0
    code, _, err = unmirage("stress", model, run, "--temperature", "1")
    assert code == 0, err
    made = existing_run(run)
    assert len(made.models) == 2
    assert {made.store().model_files(name)["thinking"] for name in made.models} == {"off"}
    code, _, err = unmirage("stress", model, run, "--temperature", "1", "--thinking", "on")
    assert (code, err) == (2, "unmirage: --thinking on: this run uses off; leave this option out\n")


def test_responses_that_end_inside_their_thoughts_are_counted(unmirage, tiny, tmp_path):
    model = with_template(tiny, tmp_path / "base", "{{ '<think>\\n' }}")
    code, _, err = unmirage("attack", model, tiny.data / "test.json", "--out", tmp_path / "run", *FEW)
    assert code == 0
    responses = existing_run(tmp_path / "run").store().responses("base")
    assert all(not one.text and one.thoughts for one in responses)
    assert (
        f"{len(responses)} of {len(responses)} responses of base ended inside their thoughts and have no answer; raise "
        "--max-new-tokens, or use --thinking off" in " ".join(err.split())
    )


def test_a_server_passes_the_switch_to_its_template():
    extra = {"top_p": 1, "chat_template_kwargs": {"x": 2}}
    vlm = load_vlm("endpoint:http://localhost:1/v1#m", None, {"extra": extra, "concurrency": 3}, thinking="off")
    settings = vlm._chat.settings
    assert settings.extra == {"top_p": 1, "chat_template_kwargs": {"x": 2, "enable_thinking": False}}
    assert settings.concurrency == 3
    assert asked_identity(vlm)["thinking"] == "off"
    vlm = load_vlm("endpoint:http://localhost:1/v1#m", thinking="on")
    assert vlm._chat.settings.extra == {"chat_template_kwargs": {"enable_thinking": True}}
    assert load_vlm("endpoint:http://localhost:1/v1#m")._chat.settings.extra == {}
    with pytest.raises(UserError, match="--thinking on: OpenAI's own server has no chat template to switch"):
        load_vlm("endpoint:https://api.openai.com/v1#gpt-5", thinking="on")
    with pytest.raises(UserError, match="unknown value of --thinking 'of'; valid: auto, off, on"):
        load_vlm("endpoint:http://localhost:1/v1#m", thinking="of")


def test_a_loaded_model_has_its_setting(tiny, model, tmp_path):
    vlm = um.load_model(model, thinking="off")
    words = {"jailbreak": "what", "over-prudence": "share"}
    given = {"words": words, "limit": 6, "max_new_tokens": 4}
    run = um.attack(vlm, tiny.data / "test.json", out=tmp_path / "run", **given)
    assert run.config()["thinking"] == "off"
    with pytest.raises(UserError, match="thinking: the model is already loaded; pass it to load_model"):
        um.attack(vlm, tiny.data / "test.json", out=tmp_path / "other", thinking="on", **given)
