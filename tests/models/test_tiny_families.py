"""The tiny models are worth testing with: whole families, in which pictures and words matter and padding does not."""

import torch
from tests.models.tiny_families import QUERIES, pictures
from transformers import AutoModelForImageTextToText

from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts

NEW = 10
OF_ONE_SIZE = {
    "llava-1.5", "gemma3", "paligemma", "gemma3n", "mllama", "deepseek-vl", "deepseek-vl-hybrid", "idefics2",
    "vipllava",
}  # fmt: skip


@torch.inference_mode()
def _answers(family, queries, images):
    """Return each row's new tokens, up to the first end."""
    batch = encode_prompts(family.processor, list(map(Conversation.about, queries, images)))
    ids = family.model.generate(**batch, do_sample=False, max_new_tokens=NEW)[:, batch["input_ids"].shape[1] :]
    ends = family.model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return [row[: next((at for at, token in enumerate(row) if token in ends), len(row))] for row in ids.tolist()]


@torch.inference_mode()
def _last_logits(family, queries, images):
    batch = encode_prompts(family.processor, list(map(Conversation.about, queries, images)))
    return family.model(**batch).logits[:, -1]


def test_a_padded_batch_answers_as_each_alone(family):
    images = pictures(len(QUERIES))
    together = _answers(family, QUERIES, images)
    assert together == [_answers(family, [query], [image])[0] for query, image in zip(QUERIES, images, strict=True)]
    lengths = encode_prompts(family.processor, list(map(Conversation.about, QUERIES, images)))["attention_mask"].sum(
        dim=1
    )
    assert len(set(lengths.tolist())) > 2


def test_answers_differ_between_queries_and_pictures_and_are_words(family):
    answers = _answers(family, QUERIES * 2, pictures(2 * len(QUERIES)))
    assert len({tuple(answer) for answer in answers}) >= 7
    assert len({token for answer in answers for token in answer}) >= 12
    assert all(family.processor.tokenizer.decode(answer).isascii() for answer in answers)


def test_some_answers_end_and_some_do_not(family):
    images = pictures(40)
    answers = _answers(family, [QUERIES[number % len(QUERIES)] for number in range(40)], images)
    assert {len(answer) == NEW for answer in answers} == {True, False}


def test_the_picture_matters(family):
    logits = _last_logits(family, QUERIES[:1] * 4, pictures(4, (48, 48)))
    assert ((logits[1:] - logits[0]).abs().amax(dim=1) > 0.1).all()


def test_one_word_matters(family):
    queries = [f"{opener} is shown in this picture?" for opener in ("What", "Share", "Who")]
    logits = _last_logits(family, queries, pictures(1) * 3)
    assert ((logits[1:] - logits[0]).abs().amax(dim=1) > 0.1).all()


def test_built_again_it_is_the_same(family):
    again = family.fresh().model.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in family.model.state_dict().items())


def test_saved_equals_reloaded(family, tmp_path):
    family.vlm.save(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32).eval()
    processor = family.load_processor(tmp_path)
    asked = list(map(Conversation.about, QUERIES, pictures(len(QUERIES))))
    batch = encode_prompts(family.processor, asked)
    again = encode_prompts(processor, asked)
    assert batch.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in batch.items())
    with torch.inference_mode():
        assert torch.equal(model(**batch).logits, family.model(**batch).logits)
    assert model.generation_config.eos_token_id == family.model.generation_config.eos_token_id
    assert type(model) is type(family.model)


def test_pictures_of_different_sizes_are_different_numbers_of_tokens(family):
    batches = [encode_prompts(family.processor, [Conversation.about("Name it.", image)]) for image in pictures(4)]
    counts = {int((batch["input_ids"] == family.model.config.image_token_id).sum()) for batch in batches}
    assert (len(counts) > 1) == (family.name not in OF_ONE_SIZE)


def test_a_prompt_starts_once(family):
    ids = encode_prompts(family.processor, [Conversation.about("Name it.", *pictures(1))])["input_ids"]
    start = family.processor.tokenizer.bos_token_id
    assert ids[0].tolist().count(start) == (start is not None)


def test_the_folder_has_the_same_pictures(family_images):
    assert [family_images.open(f"{number}.png") for number in range(10)] == pictures(10)


def test_it_is_tiny(family):
    assert sum(parameter.numel() for parameter in family.model.parameters()) < 300_000
