"""Reasoning models: the same prompt in training and evaluation, thoughts apart from answers, cut thoughts no answer."""

import json
import logging

import pytest
import torch
from tests.models.tiny_families import FAMILIES, QUERIES, pictures
from tests.models.tiny_families.text import make_tokenizer

from unmirage.align import AlignConfig, AlignData, align
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_example, encode_prompts
from unmirage.models.families import end_ids
from unmirage.models.templates import render_answer, render_prompt
from unmirage.models.thinking import Decoder, opening_of, switched
from unmirage.records import Ended, Kind, Query, Turn
from unmirage.run.model import save_model

_TEXT = "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
_IMAGES = (
    "{% for part in message['content'] if part['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% endfor %}"
)
# As in Qwen3: an empty block is before the last response, and ends the prompt if thinking is off. Past responses have
# none.
QWEN3 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    + _IMAGES
    + _TEXT
    + "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)
# As in Qwen3.5 and DeepSeek-R1: the prompt opens the reasoning, and past responses have none.
OPENING = QWEN3.replace(
    "{% if message['role'] == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}", ""
)
OPENING = OPENING[: OPENING.index("{% if enable_thinking is defined")] + "{{ '<think>\\n' }}{% endif %}"
PLAIN = OPENING.replace("{{ '<think>\\n' }}", "")
# As in DeepSeek-V3.1: another variable, false by default.
V31 = PLAIN.replace(
    "{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{{ '<|im_start|>assistant\\n' }}{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{{ '<think>' if thinking else '</think>' }}{% endif %}",
)
ASK = "<|im_start|>user\nName it.<|im_end|>\n<|im_start|>assistant\n"
EMPTY = "<think>\n\n</think>\n\n"


@pytest.fixture
def vlm():
    """Return a function that makes a tiny Qwen3-VL with a chat template."""
    model, processor = FAMILIES["qwen3-vl"]()

    def make(template=QWEN3):
        processor.chat_template = template
        return HuggingFaceVLM("m", model, processor)

    return make


def test_the_prompt_of_training_is_that_of_evaluation(vlm):
    made = vlm()
    after = {"auto": f"{EMPTY}Red.<|im_end|>", "on": f"{EMPTY}Red.<|im_end|>", "off": "Red.<|im_end|>"}
    for thinking, target in after.items():
        made.think(thinking)
        assert made.thinking == thinking
        assert render_prompt(made.processor, Conversation("Name it.")) == ASK + (EMPTY if thinking == "off" else "")
        for asked in (
            Conversation("Name it."),
            Conversation.about(QUERIES[0], *pictures(1)),
            Conversation("And now?", context=(Turn("user", "Name it."), Turn("assistant", "It."))),
        ):
            example = encode_example(made.processor, asked, "Red.")
            prompt = encode_prompts(made.processor, [asked])["input_ids"][0]
            assert torch.equal(example.input_ids[: example.prompt_length], prompt)
            assert made.processor.tokenizer.decode(example.input_ids[example.prompt_length :]) == target
            assert example.query_mask.any()


def test_settings_do_not_add_up_and_auto_is_the_models_own_template(vlm):
    made = vlm()
    for thinking in ("off", "on", "off"):
        made.think(thinking)
    assert made.own_template == QWEN3
    assert made.processor.chat_template == "{% set enable_thinking = false %}\n" + QWEN3
    assert (made.asks_alike("off"), made.asks_alike("on"), made.asks_alike("auto")) == (True, False, False)
    made.think("auto")
    assert made.processor.chat_template == QWEN3
    assert (made.asks_alike("on"), made.asks_alike("off")) == (True, False)


def test_another_name_of_the_variable_and_templates_by_name(vlm):
    made = vlm(V31)
    assert render_prompt(made.processor, Conversation("Name it.")) == f"{ASK}</think>"
    made.think("on")
    assert render_prompt(made.processor, Conversation("Name it.")) == f"{ASK}<think>"
    made.think("off")
    assert render_prompt(made.processor, Conversation("Name it.")) == f"{ASK}</think>"
    several = switched("m", made.processor, {"default": QWEN3, "tool_use": "x"}, "off")
    made.processor.chat_template = several
    assert render_prompt(made.processor, Conversation("Name it.")) == ASK + EMPTY
    assert several["tool_use"] == "{% set enable_thinking = false %}\nx"


@pytest.mark.parametrize("start", ["\n", " {% if true %}x{% endif %}"])
def test_the_variable_changes_nothing_else(vlm, start):
    made = vlm(start + QWEN3)
    before = render_prompt(made.processor, Conversation("Name it."))
    made.think("on")
    assert render_prompt(made.processor, Conversation("Name it.")) == before


def test_a_template_without_a_variable(vlm, caplog):
    caplog.set_level(logging.INFO, "unmirage")
    with pytest.raises(UserError, match=r"--thinking on: the chat template of model 'm' has no variable for it \(enab"):
        vlm(PLAIN).think("on")
    plainly = vlm(PLAIN)
    plainly.think("off")
    assert plainly.processor.chat_template == PLAIN
    assert caplog.messages == ["m: the chat template has no variable for reasoning; --thinking off changes nothing"]
    opened = vlm(OPENING)
    opened.think("on")
    assert opened.processor.chat_template == OPENING
    with pytest.raises(UserError, match=r"--thinking off: the .* model 'm' always begins with reasoning \(<think>\)"):
        opened.think("off")
    assert opened.thinking == "on"


def test_a_response_after_opened_reasoning_closes_it_first(vlm):
    processor = vlm(OPENING).processor
    assert render_prompt(processor, Conversation("Name it.")) == f"{ASK}<think>\n"
    told = {
        "Red.": "\n</think>\n\nRed.<|im_end|>",
        "<think>\nHm.\n</think>\n\nRed.": "\nHm.\n</think>\n\nRed.<|im_end|>",
        "Hm.</think>Red.": "Hm.</think>Red.<|im_end|>",
    }
    assert {answer: render_answer(processor, Conversation("Name it."), answer) for answer in told} == told


def test_what_is_saved_is_the_models_own_template(vlm, tmp_path):
    made = vlm()
    made.think("off")
    made.save_processor(tmp_path)
    assert (tmp_path / "chat_template.jinja").read_text() == QWEN3
    assert made.processor.chat_template == "{% set enable_thinking = false %}\n" + QWEN3


def queries(count=4):
    return [
        Query(id=str(n), sample_id="s", kind=Kind.PLAIN, shot=0, text=QUERIES[n], image="0.png", unsafe=False)
        for n in range(count)
    ]


@pytest.mark.parametrize("thinking", ["on", "off"])
def test_shared_prompts_give_the_responses_of_single_ones(vlm, family_images, thinking):
    made, responses = vlm(), []
    made.think(thinking)
    for config in (GenerationConfig(max_new_tokens=8), GenerationConfig(max_new_tokens=8, share_prefix=False)):
        found = made.answer(queries(), family_images, config)
        responses.append(sorted((one.query_id, one.text, one.tokens) for one in found))
    assert responses[0] == responses[1]
    assert len({text for _, text, _ in responses[0]}) > 1


def test_reasoning_that_the_prompt_opens_and_the_limit_cuts_is_no_answer(vlm, family_images):
    before = {
        one.query_id: one for one in vlm(PLAIN).answer(queries(), family_images, GenerationConfig(max_new_tokens=3))
    }
    assert all(one.text and not one.thoughts for one in before.values())
    for one in vlm(OPENING).answer(queries(), family_images, GenerationConfig(max_new_tokens=3)):
        assert (one.text, one.ended, one.tokens) == ("", Ended.LENGTH, 3)
        assert one.thoughts


def test_nothing_but_special_tokens_is_a_blank_answer(vlm):
    made = vlm(PLAIN)
    end = min(end_ids(made.model))
    pad = next(one for one in Decoder.of(made.processor).special if one not in end_ids(made.model))
    for ids, text, ended in (([pad] * 3, " ", Ended.LENGTH), ([pad, end], " ", Ended.STOP), ([end], "", Ended.STOP)):
        found = made._response(queries()[0], torch.tensor(ids), Decoder.of(made.processor))
        assert (found.text, found.ended, found.thoughts) == (text, ended, "")
    opened = vlm(OPENING)
    assert opened._response(queries()[0], torch.tensor([pad] * 3), Decoder.of(opened.processor)).text == ""


MARKS = [
    "<|channel|>",
    "<|message|>",
    "<|start|>",
    "<|end|>",
    "<|return|>",
    "[THINK]",
    "[/THINK]",
    "<|START_THINKING|>",
]
MARKS += ["<|END_THINKING|>", "<|START_TEXT|>", "<|END_TEXT|>", "<|fim_pad|>"]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("[THINK]a[/THINK]b<|fim_pad|>", "[THINK]a[/THINK]b"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_TEXT|>b<|END_TEXT|>", "<|START_THINKING|>a<|END_THINKING|>b"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|fim_pad|>",
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
        ),
        ("b<|end|><|message|> c<|fim_pad|>", "b c"),
        (" b", "b"),
    ],
)
def test_special_tokens_are_left_out_but_for_marks_of_reasoning(said, read):
    tokenizer = make_tokenizer(MARKS, pad="<pad>", eos="</s>")
    special = {at: str(token) for at, token in tokenizer.added_tokens_decoder.items()}
    ids = torch.tensor(tokenizer(said, add_special_tokens=False)["input_ids"])
    assert Decoder(tokenizer, special, "").text(ids) == read
    assert Decoder(tokenizer, special, "<think>\n").text(ids) == f"<think>\n{read}"


def test_a_trained_model_stops_where_its_targets_end(tiny, tmp_path):
    vlm = tiny.load()
    vlm.model.generation_config.eos_token_id = None
    vlm.model.config.text_config.eos_token_id = 7
    data = AlignData(retain=tiny.samples("base"), images=tiny.images)
    align(vlm, data, AlignConfig(steps=1, batch_size=2))
    end = vlm.processor.tokenizer.convert_tokens_to_ids("</s>")
    assert vlm.model.generation_config.eos_token_id == [7, end]
    save_model(tmp_path / "m", vlm, {}, {})
    assert json.loads((tmp_path / "m" / "generation_config.json").read_text())["eos_token_id"] == [7, end]


@pytest.mark.parametrize("end", ["", "{{ message['content'] }}"])
def test_a_model_that_cannot_be_trained_can_answer(vlm, end):
    made = vlm("{% for message in messages %}" + _IMAGES + _TEXT + end + "{% endfor %}")
    made.processor.tokenizer.eos_token = None
    before = made.model.generation_config.eos_token_id
    made.stop_at_end_of_turn()
    assert made.model.generation_config.eos_token_id == before


def test_every_family_stops_where_its_targets_end(family):
    fresh = family.fresh()
    before = set(end_ids(fresh.model))
    fresh.vlm.stop_at_end_of_turn()
    assert end_ids(fresh.model) == before


@pytest.mark.parametrize(("template", "opening"), [(QWEN3, ""), (OPENING, "<think>\n"), (V31, ""), (PLAIN, "")])
def test_what_opens_the_reasoning(vlm, template, opening):
    made = vlm(template)
    assert opening_of(made.processor) == opening
    assert Decoder.of(made.processor).opening == opening


def test_generation_also_ends_where_the_chat_template_ends_a_turn(tiny, tmp_path, caplog):
    caplog.set_level(logging.INFO, "unmirage")
    folder = tmp_path / "deaf"
    vlm = tiny.load()
    assert not caplog.messages
    vlm.model.generation_config.eos_token_id = 7
    vlm.save(folder)
    other = HuggingFaceVLM.load(folder)
    end = other.processor.tokenizer.convert_tokens_to_ids("</s>")
    assert other.model.generation_config.eos_token_id == [7, end]
    assert caplog.messages == [
        "deaf: responses also end at </s>, which ends them in the chat template but not in generation_config"
    ]
    other.save(tmp_path / "heard")
    assert json.loads((tmp_path / "heard" / "generation_config.json").read_text())["eos_token_id"] == [7, end]
