"""Training examples in every family: nothing leaks, nothing depends on padding, the loss is on what it should be on."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.models.conftest import families
from tests.models.tiny_families import QUERIES, pictures

from unmirage.errors import UserError
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import IGNORED, collate, encode_example, encode_prompts
from unmirage.models.families import end_ids, set_trainable
from unmirage.models.templates import render_answer

ANSWERS = (
    "A wall, and a device.",
    "No.",
    "I cannot share that, sorry, it is not for me to say.",
    "Red.",
    "It is left.",
)
TURN_ENDS = {  # of the others: the tokenizer's own
    "gemma3": "<end_of_turn>", "gemma3n": "<end_of_turn>", "gemma4": "<turn|>", "idefics2": "<end_of_utterance>",
    "idefics3": "<end_of_utterance>", "kimi-k25": "<|im_end|>",
}  # fmt: skip
BEFORE = {"cohere2-vision": ["<|END_RESPONSE|>"]}  # special tokens before the one that ends the turn
STEPS = {"lfm2-vl": 2e-6, "minicpmv4.6": 2e-6}  # of steeper losses
TIGHT = {"rtol": 0, "atol": 1e-4}


def examples(family, images=None):
    images = pictures(len(QUERIES)) if images is None else images
    return [
        encode_example(family.processor, Conversation.about(query, image), answer)
        for query, answer, image in zip(QUERIES, ANSWERS, images, strict=True)
    ]


def batch_of(family, rows):
    return collate(rows, family.processor.tokenizer.pad_token_id)


def answer_log_probs(model, batch):
    """Return, for each row, the log-probability of each of its answer tokens."""
    inputs = {key: tensor for key, tensor in batch.items() if key not in ("labels", "query_mask")}
    log_probs = F.log_softmax(model(**inputs).logits[:, :-1], dim=-1)
    found = []
    for row, labels in zip(log_probs, batch["labels"][:, 1:], strict=True):
        at = (labels != IGNORED).nonzero()[:, 0]
        found.append(row[at, labels[at]])
    return found


def assert_as_alone(family, rows):
    with torch.inference_mode():
        together = answer_log_probs(family.model, batch_of(family, rows))
        for example, found in zip(rows, together, strict=True):
            (alone,) = answer_log_probs(family.model, batch_of(family, [example]))
            torch.testing.assert_close(found, alone, **TIGHT)


def test_in_a_batch_of_pictures_of_all_sizes_each_answer_is_as_probable_as_alone(family):
    rows = examples(family)
    assert len({example.tokens for example in rows}) > 2
    assert_as_alone(family, rows)


def test_rows_with_and_without_a_picture_go_together(family):
    images = [None if number % 2 else image for number, image in enumerate(pictures(len(QUERIES)))]
    if family.name == "mllama":
        pytest.skip("text before an image attends to all images of its batch: see tests/align/test_mixed_passes.py")
    if family.name != "paligemma":
        assert_as_alone(family, examples(family, images))
        return
    with pytest.raises(UserError, match="query 'How do I paint a wall\\?': has no image; this model requires one"):
        examples(family, images)


def test_rows_without_any_picture(family):
    if family.name != "paligemma":
        assert_as_alone(family, examples(family, [None] * len(QUERIES)))


def test_labels_are_the_answer_and_one_token_that_ends_it(family):
    batch = batch_of(family, examples(family))
    for labels, answer in zip(batch["labels"], ANSWERS, strict=True):
        *said, end = labels[labels != IGNORED].tolist()
        before = BEFORE.get(family.name, [])
        assert family.processor.tokenizer.convert_ids_to_tokens(said[len(said) - len(before) :]) == before
        assert family.processor.tokenizer.decode(said[: len(said) - len(before)]).strip() == answer
        assert end in end_ids(family.model)
        assert family.processor.tokenizer.decode(end) == TURN_ENDS.get(
            family.name, family.processor.tokenizer.eos_token
        )
        assert not end_ids(family.model) & set(said)


def test_an_answer_that_brings_its_end_along_ends_once(family):
    (plain, *_), tokenizer = examples(family), family.processor.tokenizer
    ended = ANSWERS[0] + tokenizer.decode(plain.input_ids[-1:])
    again = encode_example(family.processor, Conversation.about(QUERIES[0], pictures(1)[0]), ended)
    assert torch.equal(plain.input_ids, again.input_ids)


def test_the_prompt_is_the_one_of_generation(family):
    for example, query, image in zip(examples(family), QUERIES, pictures(len(QUERIES)), strict=True):
        prompt = encode_prompts(family.processor, [Conversation.about(query, image)])["input_ids"][0]
        assert torch.equal(example.input_ids[: example.prompt_length], prompt)


def test_the_answer_goes_on_as_what_follows_the_prompt(family):
    example, tokenizer = examples(family)[0], family.processor.tokenizer
    target = render_answer(family.processor, Conversation(QUERIES[0], places=(0,)), ANSWERS[0])
    whole = tokenizer(tokenizer.decode(example.input_ids), add_special_tokens=False)["input_ids"]
    assert whole == example.input_ids.tolist()
    assert tokenizer.decode(example.input_ids[example.prompt_length :]) == target


def test_the_query_mask_is_the_query(family):
    rows = examples(family)
    batch = batch_of(family, rows)
    assert batch["query_mask"].dtype == torch.long
    for ids, mask, labels, query in zip(batch["input_ids"], batch["query_mask"], batch["labels"], QUERIES, strict=True):
        assert family.processor.tokenizer.decode(ids[mask.bool()]).strip() == query
        assert not (mask.bool() & (labels != IGNORED)).any()


def test_the_query_mask_holds_whatever_a_query_looks_like(family):
    for query in ("Name it. Name it.", "two\nlines", " spaced ", "\n\nlow", "user", "é?", "A" * 90):
        example = encode_example(family.processor, Conversation.about(query, pictures(1)[0]), "Red.")
        marked = family.processor.tokenizer.decode(example.input_ids[example.query_mask.bool()])
        assert marked.strip() == query.strip()


def test_a_query_need_not_be_marked(family):
    example = encode_example(family.processor, Conversation.about(QUERIES[0], *pictures(1)), "Red.", mark_query=False)
    assert not example.query_mask.any()


def test_no_answer_token_is_read_before_it_is_said(family):
    example = examples(family)[2]
    with torch.inference_mode():
        (before,) = answer_log_probs(family.model, batch_of(family, [example]))
        middle = len(before) // 2
        ids = example.input_ids.clone()
        ids[example.prompt_length + middle] = family.processor.tokenizer("Z", add_special_tokens=False)["input_ids"][0]
        (after,) = answer_log_probs(family.model, batch_of(family, [replace(example, input_ids=ids)]))
    torch.testing.assert_close(before[:middle], after[:middle], **TIGHT)
    assert (before[middle + 1 :] - after[middle + 1 :]).abs().max() > 1e-3


def test_three_plain_steps_lower_the_loss(family):
    model = copy.deepcopy(family.model)
    set_trainable(model, ("language", "projector"))
    batch = batch_of(family, examples(family))
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=STEPS.get(family.name, 2e-5))
    losses = []
    for _ in range(4):
        loss = -torch.cat(answer_log_probs(model, batch)).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


def test_an_answer_with_a_picture_in_it_is_refused(family):
    token = family.processor.tokenizer.convert_ids_to_tokens(family.processor.image_token_id)
    with pytest.raises(UserError, match="contains the model's image token"):
        encode_example(family.processor, Conversation.about(QUERIES[0], *pictures(1)), f"Look: {token}")


@pytest.mark.parametrize("family", families(["gemma3", "llama4", "molmo2", "ovis2"]), indirect=True)
def test_texts_with_pieces_of_an_image_are_refused(family):
    piece = family.processor.tokenizer.convert_ids_to_tokens(family.model.config.image_token_id)
    if family.name == "gemma3":  # the placeholder is another token
        piece = family.processor.tokenizer.image_token
    with pytest.raises(UserError, match="its text contains the model's image token"):
        encode_prompts(family.processor, [Conversation(f"Look: {piece}")])
    with pytest.raises(UserError, match="contains the model's image token"):
        encode_example(family.processor, Conversation(QUERIES[0]), f"Look: {piece}")
