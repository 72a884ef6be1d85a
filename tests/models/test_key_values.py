"""Shared prefixes of decoders that keep states, windows or experts: token for token what `generate` gives."""

import pytest
import torch
from tests.models.tiny_types import END
from tests.models.tiny_types import tiny as tiny_type
from transformers import DynamicCache

from unmirage.models import scoring
from unmirage.models.families import why_not_shared
from unmirage.models.greedy import generate, greedy
from unmirage.models.key_values import KeyValues, why_not_cached
from unmirage.models.prompts import Prompts

TOKENS = 12
PREFIXES, SUFFIXES = (9, 5, 9), ((3, 6, 1), (4,), (3, 2))


def prompts() -> Prompts:
    """Return six prompts in three groups, of different lengths, so that prefixes and suffixes are padded."""
    draws = torch.Generator().manual_seed(3)
    rows = [(group, length) for group, lengths in enumerate(SUFFIXES) for length in lengths]
    heads, tails = (
        [torch.randint(3, 99, (length,), generator=draws) for length in lengths]
        for lengths in (PREFIXES, [length for _, length in rows])
    )
    (ids, mask), (suffix, suffix_mask) = padded(heads), padded(tails)
    return Prompts({"input_ids": ids, "attention_mask": mask}, suffix, suffix_mask, torch.tensor([g for g, _ in rows]))


def padded(rows):
    widest = max(map(len, rows))
    ids = torch.stack([torch.cat([row.new_zeros(widest - len(row)), row]) for row in rows])
    return ids, torch.stack([(torch.arange(widest) >= widest - len(row)).long() for row in rows])


def alone(model, prompts) -> list[list[int]]:
    found = []
    for row in range(len(prompts.group)):
        ids = prompts.ids(row)[None]
        whole = Prompts(
            {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, ids[:, :0], ids[:, :0], torch.zeros(1).long()
        )
        found.append(generate(model, whole, TOKENS)[0].tolist())
    return found


@pytest.mark.parametrize("kind", ["qwen3_5", "qwen3_5_moe", "minicpmv4_6", "lfm2_vl", "gemma4", "llama4", "kimi_k25"])
def test_shared_prefixes_give_the_same_tokens(kind) -> None:
    model = tiny_type(kind)
    assert why_not_shared(model) == ""
    wanted = alone(model, prompts())
    assert len({tuple(row) for row in wanted}) == 6
    assert [row.tolist() for row in greedy(model, prompts(), TOKENS)] == wanted
    model.generation_config.eos_token_id = [END, wanted[0][2], wanted[3][4]]  # rows end at different times
    shorter = alone(model, prompts())
    assert len({len(row) for row in shorter}) > 1
    assert [row.tolist() for row in greedy(model, prompts(), TOKENS)] == shorter


def test_what_only_the_library_can_do_has_a_reason() -> None:
    assert why_not_shared(tiny_type("mllama")) == "its layers attend to the image apart from the text"
    model = tiny_type("deepseek_vl")
    model.config.is_encoder_decoder = True
    assert why_not_shared(model) == "it has an encoder and a decoder"


def test_an_unknown_layer_is_named(monkeypatch) -> None:
    from transformers.cache_utils import DYNAMIC_LAYER_TYPE_MAPPING, DynamicLayer

    class OddLayer(DynamicLayer):
        pass

    monkeypatch.setitem(DYNAMIC_LAYER_TYPE_MAPPING, "full_attention", OddLayer)
    model = tiny_type("qwen3_5")
    assert why_not_cached(model) == "its layers keep a cache of an unknown kind (OddLayer)"
    monkeypatch.delitem(DYNAMIC_LAYER_TYPE_MAPPING, "full_attention")
    assert why_not_cached(model).startswith("the library has no cache for its layers (KeyError")


def test_a_taken_cache_is_a_copy() -> None:
    model, ids = tiny_type("qwen3_5"), torch.tensor([[5, 6, 7], [8, 9, 10]])
    cache = KeyValues.of(model)
    with torch.inference_mode():
        model(input_ids=ids, past_key_values=cache, use_cache=True)
        before = [one.clone() for one in states(cache)]
        other = cache.taken(torch.tensor([1, 0, 1]))
        model(input_ids=ids[:, :1].repeat(2, 1)[:3], past_key_values=other, use_cache=True)
    assert all(map(torch.equal, before, states(cache)))
    assert {len(one) for one in states(other)} == {3}


def states(cache):
    return [
        one
        for layer in cache.layers
        for one in (
            (layer.keys, layer.values)
            if hasattr(layer, "keys")
            else (*layer.conv_states.values(), *layer.recurrent_states.values())
        )
    ]


@pytest.mark.parametrize("kind", ["qwen3_5", "lfm2_vl", "llama4"])
def test_beginnings_of_responses_have_the_probability_of_one_pass(kind) -> None:
    model, sequences = tiny_type(kind), [(5, 6, 7), (5, 8), (9, 4), (9, 11)]
    ids, mask = padded([torch.tensor([3, 4, 5, 6, 7]), torch.tensor([8, 9, 10])])
    batch = {"input_ids": ids, "attention_mask": mask}
    with torch.no_grad():
        found = scoring.sequence_log_probs(model, batch, sequences)
        whole = torch.stack([chain(model, batch, one) for one in sequences], dim=1)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-4)
    embedded = model.get_input_embeddings().weight
    scoring.sequence_log_probs(model, batch, sequences).sum().backward()
    assert embedded.grad.abs().max() > 0


def chain(model, batch, ids):
    log_probs = scoring._whole(model, batch, ids[:-1])
    return sum(log_probs[:, place, token] for place, token in enumerate(ids))


def test_the_librarys_cache_has_the_layers_that_ours_replace() -> None:
    model = tiny_type("gemma4")
    ours, theirs = KeyValues.of(model), DynamicCache(config=model.config.get_text_config())
    assert [type(one).__name__ for one in theirs.layers] == [
        "DynamicSlidingWindowLayer", "DynamicLayer", "DynamicSlidingWindowLayer", "DynamicLayer", "DummyLayer",
        "DummyLayer",
    ]  # fmt: skip
    assert [type(one).__name__ for one in ours.layers] == ["RoomyLayer"] * 4 + ["SharedLayer"] * 2
