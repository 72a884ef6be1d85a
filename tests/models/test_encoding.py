"""Prompt and answer as tokens: nothing lost, nothing counted twice, padding where it belongs."""

import threading

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from unmirage.errors import UserError
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import (
    IGNORED,
    Example,
    collate,
    encode_example,
    encode_prompts,
)
from unmirage.models.fed_text import heard
from unmirage.models.templates import render_answer, render_prompt
from unmirage.testbed.vlm import CHAT_TEMPLATE

SHOWN = Conversation("What is this?", places=(0,))


def test_prompt_and_answer_join_to_the_whole_chat(tiny) -> None:
    processor = tiny.load().processor
    prompt = render_prompt(processor, SHOWN)
    answer = render_answer(processor, SHOWN, "It is red.")
    assert prompt == "USER: <image>\nWhat is this? ASSISTANT:"
    assert answer == " It is red.</s>"


def test_example_decodes_to_the_chat_and_masks_the_prompt(tiny) -> None:
    processor = tiny.load().processor
    sample = tiny.samples("general")[0]
    example = encode_example(processor, Conversation.of(sample, tiny.images.open), sample.answer)
    prompt, answer = example.input_ids[: example.prompt_length], example.input_ids[example.prompt_length :]
    decode = processor.tokenizer.decode
    assert decode(prompt).replace("<image>", "") == f"<s>USER: \n{sample.query} ASSISTANT:"
    assert decode(answer) == f" {sample.answer}</s>"
    assert int((example.input_ids == processor.image_token_id).sum()) == 4
    assert example.extras["pixel_values"].shape == (1, 3, 40, 40)


def test_text_only_example_has_no_picture(tiny) -> None:
    processor = tiny.load().processor
    example = encode_example(processor, Conversation("Say no."), "I cannot share that.")
    assert example.extras == {}
    assert processor.image_token_id not in example.input_ids


def test_collate_pads_on_the_right_and_labels_only_answers(tiny) -> None:
    processor = tiny.load().processor
    picture = tiny.images.open(tiny.samples("general")[0].image)
    short = encode_example(processor, Conversation.about("What is this?", picture), "It is red.")
    long = encode_example(
        processor, Conversation.about("What can you tell me about the place of this device?", picture), "It is red."
    )
    batch = collate([short, long], processor.tokenizer.pad_token_id)
    gap = len(long.input_ids) - len(short.input_ids)
    assert gap > 0
    assert batch["attention_mask"].sum(1).tolist() == [len(short.input_ids), len(long.input_ids)]
    assert batch["input_ids"][0, -gap:].tolist() == [processor.tokenizer.pad_token_id] * gap
    for row, example in enumerate((short, long)):
        labels = batch["labels"][row]
        assert labels[labels != IGNORED].tolist() == example.input_ids[example.prompt_length :].tolist()
    assert batch["pixel_values"].shape == (2, 3, 40, 40)


def test_prompts_are_padded_on_the_left(tiny) -> None:
    processor = tiny.load().processor
    picture = tiny.images.open(tiny.samples("general")[0].image)
    batch = encode_prompts(
        processor, [Conversation.about(text, picture) for text in ("What?", "What is the place of this device?")]
    )
    assert batch["attention_mask"][0, 0] == 0
    assert torch.all(batch["attention_mask"][:, -1] == 1)
    assert torch.equal(batch["input_ids"][0, -1], batch["input_ids"][1, -1])


# LLaVA-1.5's on the hub: no end token at all, a blank after every turn.
HUB = (
    "{% for m in messages %}{{ m['role'].upper() + ': ' }}"
    "{% for part in m['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in m['content'] if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def told_by(tiny, template: str):
    processor = tiny.load().processor
    processor.chat_template = template
    return processor


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (HUB, " It is red.</s>"),
        (CHAT_TEMPLATE.replace("{{ '</s>' }}", "{{ '</s> ' }}"), " It is red.</s>"),
        (CHAT_TEMPLATE.replace("{{ '</s>' }}", "{{ ' </s>\n' }}"), " It is red. </s>"),
        (CHAT_TEMPLATE.replace("{{ '</s>' }}", "{{ '</s><s>' }}"), " It is red.</s>"),
        (CHAT_TEMPLATE.replace("'ASSISTANT: '", "'ASSISTANT:\n'").replace("'ASSISTANT:'", "'ASSISTANT:\n'"), None),
        (CHAT_TEMPLATE.replace("'ASSISTANT: '", "'Assistant: '"), " It is red.</s>"),
    ],
    ids=["none", "blank-after", "blank-before", "two", "line-break", "another-turn"],
)
def test_an_answer_ends_once_whatever_the_template_puts_after_it(tiny, template, said) -> None:
    answer = render_answer(told_by(tiny, template), SHOWN, "It is red.")
    assert answer == (said or "It is red.</s>")


def test_a_letter_of_the_end_token_as_an_answer(tiny) -> None:
    assert render_answer(tiny.load().processor, SHOWN, "s") == " s</s>"
    assert render_answer(tiny.load().processor, SHOWN, "") == " </s>"


def test_a_model_without_any_end_token_is_refused(tiny) -> None:
    processor = told_by(tiny, HUB)
    processor.tokenizer.eos_token = None
    with pytest.raises(UserError, match="tokenizer: has no end token"):
        render_answer(processor, SHOWN, "It is red.")


def sentencepiece(processor):
    """Give the processor a tokenizer like Llama's: a space is put before whatever it is given."""
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    texts = ["USER: What is this? ASSISTANT: It is red.", "Say it. It is red."]
    trainer = trainers.BpeTrainer(special_tokens=["<pad>", "<s>", "</s>", "<image>"], show_progress=False)
    inner.train_from_iterator(texts * 4, trainer)
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )
    return processor


def test_an_answer_gets_no_space_of_its_own(tiny) -> None:
    processor = sentencepiece(tiny.load().processor)
    query, picture = "What is this?", tiny.images.open(tiny.samples("general")[0].image)
    example = encode_example(processor, Conversation.about(query, picture), "It is red.")
    tokenizer = processor.tokenizer
    tokens = tokenizer.convert_ids_to_tokens(example.input_ids.tolist())
    said = tokens[example.prompt_length :]
    assert "".join(said) == "▁It▁is▁red.</s>"
    apart = tokenizer.convert_ids_to_tokens(tokenizer(" It is red.</s>", add_special_tokens=False)["input_ids"])
    assert "".join(apart) == "▁▁It▁is▁red.</s>"
    marked = [token for token, chosen in zip(tokens, example.query_mask.tolist(), strict=True) if chosen]
    assert "".join(marked).strip("▁\n") == "What▁is▁this?"


def test_a_prompt_that_would_melt_into_the_answer_stays_as_it_is(tiny) -> None:
    processor = told_by(tiny, CHAT_TEMPLATE.replace("'ASSISTANT: '", "'ASSI'").replace("'ASSISTANT:'", "'ASSI'"))
    prompt = encode_prompts(processor, [Conversation("Say.")])["input_ids"][0]
    melted = encode_prompts(processor, [Conversation("Say. ASSISTANT:")])["input_ids"][0]
    assert not torch.equal(melted[: len(prompt)], prompt)
    example = encode_example(processor, Conversation("Say."), "STANT:")
    assert torch.equal(example.input_ids[: example.prompt_length], prompt)
    assert processor.tokenizer.decode(example.input_ids[example.prompt_length :]) == "STANT:</s>"


def test_where_the_end_of_the_prompt_is_not_known_the_answer_is_tokenised_by_itself(tiny, monkeypatch) -> None:
    processor = sentencepiece(tiny.load().processor)
    monkeypatch.setattr("unmirage.models.encoding.shortened", lambda _tokenizer, fed, _ids: f"{fed} It")
    example = encode_example(processor, Conversation("What?"), "It is red.", mark_query=False)
    apart = processor.tokenizer(" It is red.</s>", add_special_tokens=False)["input_ids"]
    assert example.input_ids[example.prompt_length :].tolist() == apart


def test_a_query_that_cannot_be_found_is_named(tiny) -> None:
    processor = told_by(tiny, CHAT_TEMPLATE.replace("{{ part['text'] }}", "{{ part['text'] | upper }}"))
    with pytest.raises(UserError, match=r"query 'Say no\.': cannot be located among the prompt's tokens; use a loss"):
        encode_example(processor, Conversation("Say no."), "No.")
    assert not encode_example(processor, Conversation("Say no."), "No.", mark_query=False).query_mask.any()


def test_nothing_is_cut_off(tiny) -> None:
    processor = tiny.load().processor
    example = encode_example(processor, Conversation("Say it. " * 300), "It is red. " * 300)
    assert example.tokens == len(example.input_ids) > processor.tokenizer.model_max_length
    assert int(example.query_mask.sum()) > 600


def test_tokens_of_the_pictures_kind_are_padded_with_zeros() -> None:
    ids = torch.tensor([5, 6, 7])
    short = Example(ids[:2], 1, {"mm_token_type_ids": torch.tensor([[1, 0]])}, ((0, 1),))
    bare = Example(ids, 2, {})
    batch = collate([short, bare], 9)
    assert batch["mm_token_type_ids"].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert batch["query_mask"].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert batch["input_ids"].tolist() == [[5, 6, 9], [5, 6, 7]]


def test_prompts_prepared_on_two_threads_leave_the_tokenizer_in_place(tiny) -> None:
    processor = tiny.load().processor
    tokenizer = processor.tokenizer
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with heard(processor):
            inside.set()
            go_on.wait(10)

    other = threading.Thread(target=first)
    other.start()
    inside.wait(10)
    threading.Timer(0.1, go_on.set).start()
    with heard(processor) as ear:  # waits for the other thread
        assert go_on.is_set()
        assert ear._tokenizer is tokenizer
    other.join()
    assert processor.tokenizer is tokenizer
