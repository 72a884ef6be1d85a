"""Earlier turns, system prompts and several pictures: prompts and losses are those of the processor's own template."""

import copy

import pytest
import torch
from tests.models.tiny_families import FAMILIES, pictures

from unmirage.errors import UserError
from unmirage.models.conversation import Conversation, asked_text, messages
from unmirage.models.encoding import IGNORED, collate, encode_example, encode_prompts
from unmirage.models.families import end_ids
from unmirage.models.templates import check_processor, render_prompt
from unmirage.records import Kind, Placed, Query, Turn

_PARTS = (
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ IMAGE }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
)


def _chatml(image: str, default: str) -> str:
    return (
        (
            "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ DEFAULT }}{% endif %}"
            "{{ '<|im_start|>' + message['role'] + '\n' }}"
            + _PARTS
            + "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
        )
        .replace("IMAGE", repr(image))
        .replace("DEFAULT", repr(default))
    )


# As on the hub: LLaVA puts a turn's pictures before its text, the others leave them in their places.
HUB = {
    "llava-1.5": (
        "{% for message in messages %}"
        "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
        "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
        "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] + ' ' }}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    ),
    "qwen2.5-vl": _chatml(
        "<|vision_start|><|image_pad|><|vision_end|>", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    ),
    "internvl3": _chatml("<IMG_CONTEXT>\n", ""),
    "smolvlm": (
        "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
        "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
        + _PARTS.replace("IMAGE", "'<image>'")
        + "{{ '<end_of_utterance>\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
    ),
}
IMAGE = {"type": "image"}


def text(said):
    return {"type": "text", "text": said}


RULES, SEEN = Turn("system", "Be kind. Be brief."), Turn("user", "What is it?", (Placed("0.png", 0),))
SAID, LABELS = Turn("assistant", "A red device."), "Image-1: \nImage-2: \nWhat differs?"
# name: (conversation without pictures, number of pictures, its turns written by hand)
ROWS = {
    "system": (
        Conversation("Name it.", places=(0,), context=(RULES,)),
        [("system", [text("Be kind. Be brief.")]), ("user", [IMAGE, text("Name it.")])],
    ),
    "turns": (
        Conversation("Where is it?", context=(SEEN, SAID)),
        [
            ("user", [IMAGE, text("What is it?")]),
            ("assistant", [text("A red device.")]),
            ("user", [text("Where is it?")]),
        ],
    ),
    "labelled": (
        Conversation(LABELS, places=(9, 19)),
        [("user", [text("Image-1: "), IMAGE, text("\nImage-2: "), IMAGE, text("\nWhat differs?")])],
    ),
    "two first": (Conversation("What differs?", places=(0, 0)), [("user", [IMAGE, IMAGE, text("What differs?")])]),
    "at the end": (Conversation("Name it: ", places=(9,)), [("user", [text("Name it: "), IMAGE])]),
    "all": (
        Conversation("And this?", places=(8,), context=(RULES, SEEN, SAID)),
        [
            ("system", [text("Be kind. Be brief.")]),
            ("user", [IMAGE, text("What is it?")]),
            ("assistant", [text("A red device.")]),
            ("user", [text("And this"), IMAGE, text("?")]),
        ],
    ),
    "text alone": (
        Conversation("Why?", context=(Turn("user", "Is it red?"), Turn("assistant", "No."))),
        [("user", [text("Is it red?")]), ("assistant", [text("No.")]), ("user", [text("Why?")])],
    ),
}


def with_pictures(asked):
    return Conversation(asked.text, tuple(pictures(asked.picture_count)), asked.places, asked.context)


@pytest.fixture(scope="module", params=HUB)
def family(request):
    model, processor = FAMILIES[request.param]()
    processor.chat_template = HUB[request.param]
    return request.param, model, processor


@pytest.mark.parametrize("name", ROWS)
def test_prompt_ids_and_loss_are_those_of_the_template_on_the_whole_conversation(family, name):
    kind, model, processor = family
    asked, turns = ROWS[name]
    asked = with_pictures(asked)
    whole = [{"role": role, "content": parts} for role, parts in turns]
    assert messages(asked) == whole
    answer = "It is red."
    told = processor.apply_chat_template([*whole, {"role": "assistant", "content": [text(answer)]}])
    images = [list(asked.pictures)] if asked.pictures else None
    expected = processor(text=[told], images=images, return_tensors="pt")
    ids = expected["input_ids"][0]

    example = encode_example(processor, asked, answer)
    size = example.tokens - (kind == "llava-1.5")  # whose template on the hub has no end token
    assert torch.equal(example.input_ids[:size], ids[:size])
    assert not processor.tokenizer.decode(ids[size:]).strip()
    assert int(example.input_ids[-1]) in end_ids(model)
    assert int(example.input_ids[-1]) == processor.tokenizer.eos_token_id
    carrying = example.labels != IGNORED
    assert torch.equal(example.input_ids[carrying], example.input_ids[example.prompt_length :])
    *said, _ = example.input_ids[carrying].tolist()
    assert processor.tokenizer.decode(said).strip() == answer
    if asked.pictures:
        assert torch.equal(example.extras["pixel_values"], expected["pixel_values"])
    prompt = processor.apply_chat_template(whole, add_generation_prompt=True)
    assert render_prompt(processor, asked) == prompt
    image_id = processor.image_token_id
    assert int((ids == image_id).sum()) == int((example.input_ids[:size] == image_id).sum())

    marked = example.input_ids[example.query_mask.bool()]
    assert "".join(processor.tokenizer.decode(marked).split()) == "".join(asked.text.split())
    assert image_id not in marked
    assert example.query_mask[: example.prompt_length].sum() == example.query_mask.sum()
    # Only the last user text is marked: the earlier turns are before it.
    assert len(example.query) == len(asked.texts)


def test_a_batch_of_conversations_of_all_kinds_answers_as_each_alone(family):
    _, model, processor = family
    rows = [with_pictures(asked) for asked, _ in ROWS.values()]
    examples = [encode_example(processor, one, "It is red.") for one in rows]

    def losses(batch):
        inputs = {key: tensor for key, tensor in batch.items() if key not in ("labels", "query_mask")}
        with torch.inference_mode():
            log_probs = model(**inputs).logits[:, :-1].log_softmax(dim=-1)
        labels = batch["labels"][:, 1:]
        picked = log_probs.gather(2, labels.clamp(min=0)[..., None])[..., 0]
        return (picked * (labels != IGNORED)).sum(dim=1)

    together = losses(collate(examples, processor.tokenizer.pad_token_id))
    alone = torch.cat([losses(collate([one], processor.tokenizer.pad_token_id)) for one in examples])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    assert len({round(float(loss), 4) for loss in alone}) == len(rows)


@pytest.mark.parametrize("template", [HUB["llava-1.5"].replace("!= 'system'", "!= 'nobody'"), None])
def test_a_system_turn_is_shown_or_refused_and_never_dropped(template):
    _, processor = FAMILIES["llava-1.5"]()
    asked = ROWS["system"][0]
    if template:  # a role of its own, though written like the others
        processor.chat_template = template
        assert render_prompt(processor, asked).startswith("SYSTEM: Be kind. Be brief. USER: <image>\nName it.")
    else:  # the tiny family's own template shows whatever is not the user as the assistant
        with pytest.raises(UserError, match="no system role: it shows the system prompt as the model's own words"):
            render_prompt(processor, asked)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[-1]['content'][-1]['text'] }}", "the chat template leaves out the user turn"),
        (
            "{{ raise_exception('Roles must alternate') }}",
            "the turns user, assistant, user: Roles must alternate",
        ),
        (
            "{% for message in messages | reverse %}{{ message['content'][-1]['text'] }}{% endfor %}",
            "the chat template changes the order of the turns",
        ),
    ],
)
def test_a_template_that_cannot_show_turns_is_refused_in_one_line(template, message):
    _, processor = FAMILIES["llava-1.5"]()
    processor.chat_template = template
    with pytest.raises(UserError, match=message):
        render_prompt(processor, ROWS["turns"][0])


def test_pictures_that_the_template_leaves_out_are_an_error():
    _, processor = FAMILIES["llava-1.5"]()
    once = "{% if loop.first %}{{ '<image>\n' }}{% endif %}"
    processor.chat_template = HUB["llava-1.5"].replace("{{ '<image>\n' }}", once)
    with pytest.raises(UserError, match="query 'What differs\\?': has 2 pictures, but the chat template shows 1"):
        encode_prompts(processor, [with_pictures(ROWS["two first"][0])])
    with pytest.raises(UserError, match="its text contains the model's image token '<image>'; remove it, or add"):
        encode_prompts(processor, [Conversation("What is <image> this?")])


def test_paligemma_takes_one_picture_and_one_turn():
    _, processor = FAMILIES["paligemma"]()
    for name in ("two first", "all", "at the end"):
        with pytest.raises(UserError, match="has several pictures or turns; this model takes one picture and one turn"):
            encode_prompts(processor, [with_pictures(ROWS[name][0])])


def test_a_query_as_judges_read_it():
    query = Query(
        id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="And this?", image="0.png", unsafe=True,
        images=(Placed("1.png", 8),), context=(RULES, SEEN, SAID),
    )  # fmt: skip
    assert asked_text(query) == (
        "system: Be kind. Be brief.\n\nuser: [picture 1]What is it?\n\nassistant: A red device.\n\n"
        "user: And this[picture 2]?"
    )


PRINTING = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize("dump", ["", " | tojson"])
def test_a_template_that_prints_the_list_of_parts_is_refused_at_loading(dump):
    _, processor = FAMILIES["llava-1.5"]()
    processor.chat_template = PRINTING.replace("['content'] }}", f"['content']{dump} }}}}")
    with pytest.raises(UserError, match="model 'm': its chat template prints the list of content parts"):
        check_processor("m", processor, 1000)


def test_a_model_without_a_template_or_with_too_few_embeddings_is_refused_at_loading():
    model, processor = FAMILIES["llava-1.5"]()
    size = model.get_input_embeddings().weight.shape[0]
    check_processor("m", processor, size)
    processor.tokenizer.add_tokens(["<extra>"])
    check_processor("m", processor, size + 1)
    with pytest.raises(
        UserError, match=f"model 'm': its tokenizer has token '<extra>' with id {size}, but .* {size} emb"
    ):
        check_processor("m", processor, size)
    processor.chat_template = None
    with pytest.raises(UserError, match=r"model 'm': has no chat template; add its chat_template\.jinja"):
        check_processor("m", processor, size + 1)


def test_no_family_needs_a_padding_token_of_its_own(family):
    _, model, processor = family
    processor = copy.deepcopy(processor)
    rows = [Conversation("Name it."), Conversation("What is it that you can see?")]
    expected = encode_prompts(processor, rows)
    processor.tokenizer.pad_token = None
    check_processor("m", processor, model.get_input_embeddings().weight.shape[0])
    assert processor.tokenizer.pad_token == processor.tokenizer.eos_token
    found = encode_prompts(processor, rows)
    assert torch.equal(found["attention_mask"], expected["attention_mask"])
    real = expected["attention_mask"].bool()
    assert torch.equal(found["input_ids"][real], expected["input_ids"][real])


def test_a_template_that_prints_the_list_of_a_response_is_refused_in_training():
    _, processor = FAMILIES["llava-1.5"]()
    processor.chat_template = (
        "{% for message in messages %}{% if message['role'] == 'user' %}USER: {{ message['content'][-1]['text'] }}"
        "{% else %}ASSISTANT: {{ message['content'] }}{% endif %}{% endfor %}"
    )
    check_processor("m", processor, 1000)
    with pytest.raises(UserError, match="its chat template prints the list of content parts"):
        encode_example(processor, Conversation("Name it."), "Red.")
    with pytest.raises(UserError, match="its chat template prints the list of content parts"):
        render_prompt(
            processor, Conversation("And now?", context=(Turn("user", "Name it."), Turn("assistant", "Red.")))
        )


def test_a_template_that_takes_texts_only_is_refused_at_loading():
    _, processor = FAMILIES["llava-1.5"]()
    processor.chat_template = "{% for message in messages %}{{ 'USER: ' + message['content'] }}{% endfor %}"
    with pytest.raises(UserError, match="model 'm': the chat template rejects the turns user: can only concatenate"):
        check_processor("m", processor, 1000)


def test_a_template_that_only_the_tokenizer_has_is_used():
    _, processor = FAMILIES["llava-1.5"]()
    template = processor.chat_template
    processor.chat_template, processor.tokenizer.chat_template = None, template
    check_processor("m", processor, 1000)
    assert processor.chat_template == template


def test_a_padding_token_that_is_a_pictures_is_replaced():
    _, processor = FAMILIES["llava-1.5"]()
    tokenizer = processor.tokenizer
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(processor.image_token_id)
    check_processor("m", processor, 1000)
    assert tokenizer.pad_token == tokenizer.eos_token
    rows = encode_prompts(processor, [Conversation("Name it."), Conversation("What is it that you can see?")])
    assert not (rows["input_ids"] == processor.image_token_id).any()
    tokenizer.pad_token = tokenizer.eos_token = None
    check_processor("m", processor, 1000)
    assert tokenizer.pad_token_id == 0
