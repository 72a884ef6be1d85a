"""Prompt and answer as tokens: nothing lost, nothing counted twice, padding where it belongs."""

import torch

from unmirage.models.encoding import (
    IGNORED,
    collate,
    encode_example,
    encode_prompts,
    render_answer,
    render_prompt,
)


def test_prompt_and_answer_join_to_the_whole_chat(tiny) -> None:
    processor = tiny.load().processor
    prompt = render_prompt(processor, "What is this?", has_image=True)
    answer = render_answer(processor, "What is this?", "It is red.", has_image=True)
    assert prompt == "USER: <image>\nWhat is this? ASSISTANT:"
    assert answer == " It is red.</s>"


def test_example_decodes_to_the_chat_and_masks_the_prompt(tiny) -> None:
    processor = tiny.load().processor
    sample = tiny.samples("general")[0]
    example = encode_example(processor, sample.query, sample.answer, tiny.images.open(sample.image))
    prompt, answer = example.input_ids[: example.prompt_length], example.input_ids[example.prompt_length :]
    decode = processor.tokenizer.decode
    assert decode(prompt).replace("<image>", "") == f"<s>USER: \n{sample.query} ASSISTANT:"
    assert decode(answer) == f" {sample.answer}</s>"
    assert int((example.input_ids == processor.image_token_id).sum()) == 16
    assert example.extras["pixel_values"].shape == (1, 3, 32, 32)


def test_text_only_example_has_no_picture(tiny) -> None:
    processor = tiny.load().processor
    example = encode_example(processor, "Say no.", "I cannot share that.", None)
    assert example.extras == {}
    assert processor.image_token_id not in example.input_ids


def test_collate_pads_on_the_right_and_labels_only_answers(tiny) -> None:
    processor = tiny.load().processor
    picture = tiny.images.open(tiny.samples("general")[0].image)
    short = encode_example(processor, "What is this?", "It is red.", picture)
    long = encode_example(processor, "What can you tell me about the place of this device?", "It is red.", picture)
    batch = collate([short, long], processor.tokenizer.pad_token_id)
    gap = len(long.input_ids) - len(short.input_ids)
    assert gap > 0
    assert batch["attention_mask"].sum(1).tolist() == [len(short.input_ids), len(long.input_ids)]
    assert batch["input_ids"][0, -gap:].tolist() == [processor.tokenizer.pad_token_id] * gap
    for row, example in enumerate((short, long)):
        labels = batch["labels"][row]
        assert labels[labels != IGNORED].tolist() == example.input_ids[example.prompt_length :].tolist()
    assert batch["pixel_values"].shape == (2, 3, 32, 32)


def test_prompts_are_padded_on_the_left(tiny) -> None:
    processor = tiny.load().processor
    picture = tiny.images.open(tiny.samples("general")[0].image)
    batch = encode_prompts(processor, ["What?", "What is the place of this device?"], [picture, picture])
    assert batch["attention_mask"][0, 0] == 0
    assert torch.all(batch["attention_mask"][:, -1] == 1)
    assert torch.equal(batch["input_ids"][0, -1], batch["input_ids"][1, -1])
