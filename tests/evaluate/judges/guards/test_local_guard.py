"""A guard on this machine gets its prompt by its own template, or the published one; a text-only model works too."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unmirage.data.images import ImageFolder
from unmirage.errors import UserError
from unmirage.evaluate.judges import JudgeOptions, make_judge
from unmirage.evaluate.judges.guards import GUARDS, GuardJudge
from unmirage.evaluate.judges.guards.local import LocalGuard
from unmirage.evaluate.judges.llm.askers import UNREADABLE
from unmirage.models.completer import Completer
from unmirage.records import Kind, Query, Response, Verdict

TEMPLATE = "{% for turn in messages %}<{{ turn['role'] }}> {{ turn['content'] }}\n{% endfor %}<verdict>"


class Scripted:
    """Stands in for a loaded model: notes its prompts, and replies with one text."""

    name = "g"

    def __init__(self, reply):
        self.reply = reply
        self.prompts = []

    def prompt(self, turns):
        return "|".join(
            f"{turn['role']}: {[part.get('text', part['type']) for part in turn['content']]}" for turn in turns
        )

    def complete(self, prompt, pictures, max_new_tokens):
        self.prompts.append((prompt, len(pictures), max_new_tokens))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def answer(text="Mix it.", image=None):
    query = Query(id="q", sample_id="q", kind=Kind.PLAIN, shot=0, text="How?", image=image, unsafe=True)
    return query, Response(query_id="q", model="m", text=text, tokens=3)


def judged(name, model, folder, image=None):
    judge = GuardJudge(GUARDS[name], LocalGuard(model, {"w": "0"}, ImageFolder(folder)), sees=image is not None)
    (found,) = judge.judge([answer(image=image)])
    return found


def test_a_guard_without_a_template_gets_the_published_prompt(tmp_path):
    model = Scripted("Harmful request: yes\nResponse refusal: no\nHarmful response: yes")
    assert judged("wildguard", model, tmp_path).verdict is Verdict.COMPLIED
    ((prompt, pictures, most),) = model.prompts
    assert prompt.startswith("<s><|user|>\n[INST] You are a classifier")
    assert prompt.endswith("Human user:\nHow?\n\nAI assistant:\nMix it.\n\n---\n\nAnswers: [/INST]\n<|assistant|>\n")
    assert (pictures, most) == (0, 128)


def test_a_guard_with_a_template_gets_the_turns_and_its_picture_first(tiny, tmp_path):
    picture = next(path.relative_to(tiny.data).as_posix() for path in sorted(tiny.data.rglob("*.png")))
    model = Scripted("\n\nunsafe\nS2")
    assert judged("llamaguard4", model, tiny.data, picture).verdict is Verdict.COMPLIED
    assert model.prompts == [("user: ['image', 'How?']|assistant: ['Mix it.']", 1, 64)]
    model = Scripted("<think>x</think><result>Request: harmful\nResponse: harmful</result>")
    assert judged("guardreasoner-vl", model, tmp_path).verdict is Verdict.COMPLIED
    assert model.prompts[0][0].startswith('system: ["You are a classifier')


@pytest.mark.parametrize(
    ("trouble", "why"), [(ValueError("too long\nfor me"), "too long for me"), ("safe and sound", UNREADABLE)]
)
def test_what_a_local_guard_cannot_say_is_invalid(tmp_path, trouble, why):
    found = judged("llamaguard3", Scripted(trouble), tmp_path)
    assert (found.verdict, found.why) == (Verdict.INVALID, why)
    lost = judged("llamaguard4", Scripted("safe"), tmp_path, "gone.png")
    assert lost.verdict is Verdict.INVALID
    assert "gone.png" in lost.why


def test_an_untrained_vision_model_babbles_and_is_never_safe(tiny):
    picture = next(path.relative_to(tiny.data).as_posix() for path in sorted(tiny.data.rglob("*.png")))
    options = JudgeOptions(pictures=ImageFolder(tiny.data))
    judge = make_judge(f"guard:llamaguard4@local:{tiny.model}", options)
    assert judge.name == "llamaguard4: model"
    assert "model.safetensors" in judge.fingerprint
    answers = [answer(image=picture), answer()]
    assert [one.verdict for one in judge.judge(answers)] == [Verdict.INVALID] * 2


@pytest.fixture
def text_only(tiny, tmp_path):
    """Return the folder of an untrained language model without pictures."""
    tokenizer = tiny.load().processor.tokenizer
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "text")
    tokenizer.save_pretrained(tmp_path / "text")
    return tmp_path / "text"


def test_a_text_only_model_is_loaded_and_completes_its_template(text_only):
    model = Completer.load(str(text_only))
    assert not model.sees
    turns = [{"role": role, "content": [{"type": "text", "text": role.upper()}]} for role in ("user", "assistant")]
    assert model.prompt(turns) == "<user> USER\n<assistant> ASSISTANT\n<verdict>"
    text = model.complete("What is it?", [], 5)
    assert text == model.complete("What is it?", [], 5)
    assert len(model.processor(text, add_special_tokens=False)["input_ids"]) <= 6
    judge = make_judge(f"guard:qwen3guard@local:{text_only}")
    assert [one.verdict for one in judge.judge([answer()])] == [Verdict.INVALID]


def test_the_start_token_is_given_once(text_only, monkeypatch):
    model = Completer.load(str(text_only))
    start = model.processor.bos_token
    assert start
    seen = []
    monkeypatch.setattr(model.model, "generate", lambda input_ids, **_: seen.append(input_ids[0].tolist()) or input_ids)
    for prompt in ("What is it?", f"{start}What is it?"):
        assert model.complete(prompt, [], 5) == ""
    assert [ids.count(model.processor.bos_token_id) for ids in seen] == [1, 1]


def test_a_model_without_a_template_is_one_line(text_only):
    model = Completer.load(str(text_only))
    model.processor.chat_template = "{{ raise_exception('roles must alternate') }}"
    turns = [{"role": "assistant", "content": [{"type": "text", "text": "Hi."}]}]
    with pytest.raises(UserError, match="the chat template rejects the turns assistant: roles must alternate"):
        model.prompt(turns)
    model.processor.chat_template = None
    with pytest.raises(UserError, match="model 'text': has no chat template; add its"):
        model.prompt([])
    with pytest.raises(UserError, match=r"no config\.json"):
        Completer.load(str(text_only.parent))
