"""A grafted model is its decoder on text, and a picture adds little until the projector is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.graft.decoders import chat_tokenizer, decoder
from tests.models.tiny_families import QUERIES

from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts
from unmirage.models.graft import GraftSettings, assemble

HELD = ("llama", "mistral", "qwen2", "qwen3", "gemma3")


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("kind", HELD)
def test_logits_of_text_are_exactly_the_decoder_s_also_after_saving(kind, tied, tmp_path):
    text, tokenizer = decoder(kind, tied=tied)
    rows = len(tokenizer)
    ids = tokenizer([" ".join(QUERIES)], return_tensors="pt").input_ids
    wanted = logits_of(text, ids)
    made = assemble(text, tokenizer)
    assert made.added == 1
    assert torch.equal(logits_of(made.model, ids)[..., :rows], wanted)
    HuggingFaceVLM("a", made.model, made.processor).save(tmp_path)
    loaded = HuggingFaceVLM.load(tmp_path).model
    assert type(loaded.model.language_model) is type(text.base_model)
    assert torch.equal(logits_of(loaded, ids)[..., :rows], wanted)
    assert (loaded.lm_head.weight is loaded.get_input_embeddings().weight) is tied
    assert len(loaded.get_input_embeddings().weight) == rows + 1


def test_the_new_token_is_never_the_most_likely_one():
    text, tokenizer = decoder(tied=False)
    ids = tokenizer([" ".join(QUERIES)], return_tensors="pt").input_ids
    made = assemble(text, tokenizer)
    new = tokenizer.convert_tokens_to_ids("<image>")
    logits = logits_of(made.model, ids)[0]
    torch.testing.assert_close(logits[:, new], logits[:, :new].mean(-1), rtol=1e-4, atol=1e-4)


def test_spare_embeddings_are_used_before_new_ones():
    text, tokenizer = decoder("qwen2", spare=5)
    table = text.get_input_embeddings().weight.detach().clone()
    made = assemble(text, tokenizer)
    assert made.added == 0
    assert torch.equal(made.model.get_input_embeddings().weight, table)
    assert made.model.config.image_token_id == len(table) - 5


def test_an_image_token_of_the_decoder_is_used():
    text, _ = decoder()
    tokenizer = chat_tokenizer(named={"image_token": "<image>"})
    tokenizer.add_special_tokens({"pad_token": "<|endoftext|>"})
    known = tokenizer.convert_tokens_to_ids("<image>")
    assert known is not None
    text.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    made = assemble(text, tokenizer)
    assert (made.added, made.model.config.image_token_id) == (0, known)


def test_sizes_of_tower_and_pictures():
    made = assemble(*decoder(), GraftSettings(image_tokens=9, tower=48, layers=3, patch=8))
    vision = made.model.config.vision_config
    assert (vision.hidden_size, vision.num_hidden_layers, vision.image_size, vision.patch_size) == (48, 3, 24, 8)
    batch = encode_prompts(made.processor, [Conversation.about("Name it.", Image.new("RGB", (90, 30), "red"))])
    assert batch["pixel_values"].shape == (1, 3, 24, 24)
    assert int((batch["input_ids"] == made.model.config.image_token_id).sum()) == 9
    assert logits_of_batch(made.model, batch).isfinite().all()


def logits_of_batch(model, batch):
    with torch.no_grad():
        return model(**batch).logits


@pytest.mark.parametrize("wrong", [{"image_tokens": 5}, {"tower": 20}, {"layers": 0}, {"patch": 0}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GraftSettings(**wrong)


@pytest.mark.parametrize("tower", [16, 64, 96, 272, 400, 1024])
def test_heads_divide_the_tower(tower):
    assert tower % GraftSettings(tower=tower).heads == 0


def test_all_pictures_read_nearly_alike_and_like_words():
    made = assemble(*decoder())
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    pixels = made.processor.image_processor([Image.new("RGB", (40, 40)), noise], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        black, noisy = made.model.get_image_features(pixel_values=pixels).pooler_output
    table = made.model.get_input_embeddings().weight.detach()
    words = made.processor.tokenizer(" a picture of something", add_special_tokens=False)["input_ids"]
    assert float((black - noisy).std()) < 0.03 * float(table.std())
    assert float((noisy - table[words].mean(0)).std()) < 0.03 * float(table.std())
    assert (black - noisy).abs().max() > 0, "pictures must differ, or nothing can be learned"


def test_weights_depend_on_the_seed_and_nothing_else():
    torch.manual_seed(99)
    after = torch.rand(1)
    torch.manual_seed(99)
    same = [assemble(*decoder(), GraftSettings(seed=seed)).model for seed in (0, 0, 1)]
    torch.manual_seed(99)
    assemble(*decoder())
    torch.manual_seed(99)
    assert torch.equal(torch.rand(1), after)
    states = [{key: value for key, value in one.state_dict().items() if "vision" in key} for one in same]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_generation_ends_at_the_end_of_a_turn():
    text, tokenizer = decoder()
    text.generation_config.eos_token_id = [tokenizer.pad_token_id]
    made = assemble(text, tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert made.model.generation_config.eos_token_id == [end, tokenizer.pad_token_id]
    assert made.padding == ""
    assert tokenizer.padding_side == "left"


def test_a_missing_padding_token_is_set_and_named():
    text, _ = decoder()
    tokenizer = chat_tokenizer()
    tokenizer.pad_token = None
    made = assemble(text, tokenizer)
    assert (made.padding, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")


def test_a_narrow_decoder_keeps_its_precision():
    text, tokenizer = decoder()
    made = assemble(text.to(torch.bfloat16), tokenizer)
    assert {one.dtype for one in made.model.parameters()} == {torch.bfloat16}
    assert made.model.config.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("phi", "output layer of PhiForCausalLM has a bias"),
        ("gemma2", "Gemma2ForCausalLM changes its logits after the output layer"),
    ],
)
def test_decoders_that_llava_cannot_hold_are_refused(kind, message):
    options = {"final_logit_softcapping": 1.0} if kind == "gemma2" else {}
    text, tokenizer = decoder(kind, tied=kind == "gemma2", **options)
    with pytest.raises(UserError, match=f"model 'x': .*{message}"):
        assemble(text, tokenizer, source="x")


def test_an_encoder_is_refused():
    text, tokenizer = decoder()
    for layer in text.model.layers:
        layer.self_attn.is_causal = False
    text.config._attn_implementation = "eager"
    original = text.model.forward

    def both_ways(*args, **kwargs):
        kwargs["attention_mask"] = torch.zeros(1, 1, kwargs["input_ids"].shape[1], kwargs["input_ids"].shape[1])
        return original(*args, **kwargs)

    text.model.forward = both_ways
    with pytest.raises(UserError, match="attend to later tokens"):
        assemble(text, tokenizer)


def test_random_pictures_change_few_responses():
    """A projector with ordinary weights would change most first tokens of this decoder; ours changes few."""
    made = assemble(*decoder())
    noise = np.random.default_rng(0).integers(0, 256, (8, 40, 40, 3), dtype=np.uint8)

    def first_tokens():
        found = []
        for picture in (Image.new("RGB", (40, 40)), *map(Image.fromarray, noise)):
            batch = encode_prompts(made.processor, [Conversation.about(query, picture) for query in QUERIES])
            found.append(logits_of_batch(made.model, batch)[:, -1].argmax(-1))
        black, *others = found
        return float(torch.stack([(one == black).float().mean() for one in others]).mean())

    assert first_tokens() > 0.8
    with torch.no_grad():
        made.model.model.multi_modal_projector.linear_2.weight.mul_(50)
    assert first_tokens() < 0.6
