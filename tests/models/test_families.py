"""Where the parts of a VLM are found by name, in every family, with LoRA around them and without."""

import copy

import pytest
import torch
from tests.models.tiny_families import QUERIES, THOROUGH, pictures
from torch import nn

from unmirage.align.config import LoraSettings
from unmirage.align.lora import add_adapter
from unmirage.errors import UserError
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts, fed_text
from unmirage.models.families import (
    decoder,
    decoder_depth,
    decoder_layers,
    down_projections,
    joined_pictures,
    lora_targets,
    output_logits,
    part_of,
    set_trainable,
    vision_output,
)

# Where the projector is, which no two kinds of families have in one place.
PROJECTORS = {
    "model.multi_modal_projector.": (
        "llava-1.5", "llava-next", "llava-onevision", "internvl3", "internvl3.5", "gemma3", "paligemma", "mllama",
        "mistral3", "molmo2", "cohere2-vision", "lfm2-vl", "vipllava",
    ),
    "multi_modal_projector.": ("llama4",),
    "model.image_newline": ("llava-next", "llava-onevision"),
    "model.visual.merger.": (
        "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "qwen3-vl-moe", "qwen3.5", "qwen3.5-moe", "glm4v", "glm46v", "glm4v-moe",
    ),
    "model.visual.deepstack_merger_list.": ("qwen3-vl", "qwen3-vl-moe"),
    "model.connector.": ("idefics2", "idefics3", "smolvlm"),
    "model.embed_vision.": ("gemma3n", "gemma4"),
    "model.merger.": ("minicpmv4.6",),
    "model.aligner.": ("deepseek-vl", "deepseek-vl-hybrid"),
    "model.high_res_vision_alpha": ("deepseek-vl-hybrid",),
    "model.high_res_vision_neck.": ("deepseek-vl-hybrid",),
    "model.high_res_vision_proj.": ("deepseek-vl-hybrid",),
    "model.mm_projector.": ("kimi-k25",),
    "model.visual_embeddings_table.": ("ovis2",),
}  # fmt: skip
TOWERS = (
    "model.vision_tower.", "model.visual.", "model.vision_model.", "vision_model.", "model.high_res_vision_model.",
)  # fmt: skip
SOUND = ("model.audio_tower.", "model.embed_audio.")
# Linear layers of the decoder where they are not the usual seven in each of three layers. A layer of Qwen3.5 with
# linear attention has five beside its MLP; experts are no modules, but one that every token takes has three or four.
LINEAR = {
    "qwen3.5": 2 * 5 + 4 + 3 * 3, "qwen3.5-moe": 2 * 5 + 4 + 3 * 4, "qwen3-vl-moe": 3 * 4, "gemma3n": 55, "gemma4": 33,
    "llama4": 4 * 7, "mllama": 4 * 7, "minicpmv4.6": 2 * 5 + 4 + 3 * 3, "kimi-k25": 3 * 8, "glm4v": 3 * 6,
    "glm46v": 3 * 6, "lfm2-vl": 17,
}  # fmt: skip
DEPTHS = {"gemma3n": 4, "gemma4": 4, "llama4": 4, "mllama": 4}  # of the others: 3


def test_part_of(family) -> None:
    projector = tuple(prefix for prefix, families in PROJECTORS.items() if family.name in families)
    for model in (family.model, wrapped(family)[0]):
        for name, _ in model.named_parameters():
            place = {"projector": projector, "vision": TOWERS, "audio": SOUND}
            part = next((part for part, prefixes in place.items() if name.startswith(prefixes)), "language")
            assert part_of(model, name) == part, name


def test_unknown_parameter_is_not_guessed(tiny) -> None:
    with pytest.raises(
        UserError,
        match=r"model type 'llava': parameter 'model.other.conv' belongs to no part .* --part-names",
    ):
        part_of(tiny.load().model, "model.other.conv")


def test_every_parameter_of_the_tiny_model_has_a_part(tiny) -> None:
    model = tiny.load().model
    set_trainable(model, ("projector",))
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable
    assert all(name.startswith("model.multi_modal_projector.") for name in trainable)
    assert decoder_depth(model) == 4


def prompts(family):
    return encode_prompts(family.processor, list(map(Conversation.about, QUERIES, pictures(len(QUERIES)))))


def wrapped(family, parts=("language", "projector", "vision")):
    """Return the family's model with LoRA around all linear layers of these parts, and their names before."""
    model = copy.deepcopy(family.model)
    names = lora_targets(model, parts)
    add_adapter(model, LoraSettings(rank=2), names)
    return model, names


def test_every_parameter_has_a_part(family) -> None:
    model, _ = wrapped(family)
    for network in (family.model, model):
        parts = {part_of(network, name) for name, _ in network.named_parameters()}
        assert parts == {"vision", "projector", "language", *(["audio"] if family.name == "gemma3n" else [])}


def test_the_decoder_is_where_the_layers_and_the_last_norm_are(family) -> None:
    for model in (family.model, wrapped(family)[0]):
        assert decoder_layers(model) is decoder(model).layers
        assert len(decoder_layers(model)) == decoder_depth(model) == DEPTHS.get(family.name, 3)
        norm = decoder(model).embedding_norm if family.name == "lfm2-vl" else decoder(model).norm
        assert isinstance(norm, nn.Module)


@torch.inference_mode()
def test_logits_come_from_the_last_hidden_states(family) -> None:
    batch = prompts(family)
    for model in (family.model, wrapped(family)[0]):
        seen = []
        head = model.get_output_embeddings().register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # noqa: B023
        logits = model(**batch).logits
        head.remove()
        (hidden,) = seen
        made = output_logits(model, hidden[[0, 1, 2], [-1, -2, -3]])
        torch.testing.assert_close(made, logits[[0, 1, 2], [-1, -2, -3]], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_cap_on_logits_is_kept_as_the_model_keeps_it(family) -> None:
    model = copy.deepcopy(family.model)
    model.config.get_text_config().final_logit_softcapping = 2.0
    batch = prompts(family)
    logits = model(**batch).logits
    assert (logits.abs().max() <= 2) == (family.name in ("paligemma", "gemma3n", "gemma4"))
    if family.name == "llama4":
        return  # it has no module that ends at the last hidden states
    made = output_logits(model, model.model(**batch).last_hidden_state[:, -1])
    torch.testing.assert_close(made, logits[:, -1], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_the_tower_is_read_once_a_picture_or_cannot_be_parted_from_its_projector(family) -> None:
    tower = vision_output(family.model)
    known = {name for name in THOROUGH if not name.startswith("qwen")} | {"internvl3.5"}
    assert (tower is not None) == (family.name in known)
    if tower is None:
        return
    (name,) = (name for name, module in family.model.named_modules() if module is tower)
    parts = {part_of(family.model, f"{name}.{parameter}") for parameter, _ in tower.named_parameters()}
    assert parts == {"vision"}
    calls = []
    handle = tower.register_forward_hook(lambda *_: calls.append(1))
    family.model(**prompts(family))
    handle.remove()
    assert calls == [1]


def test_down_projections_are_named_by_layer(family) -> None:
    if family.name not in (*THOROUGH, "qwen3.5") and not family.name.startswith("qwen"):
        pytest.skip("the names of these are in test_structure.py")
    if family.name.endswith("-moe"):  # whose experts' output weights are one tensor a layer
        with pytest.raises(UserError, match="layer 3: its MLP has no down_proj weight; valid: none"):
            down_projections(family.model, [3])
        return
    model, _ = wrapped(family)
    plain, lora = down_projections(family.model, [3, 1]), down_projections(model, [3, 1])
    layers = decoder_layers(family.model)
    for names, network in ((plain, family.model), (lora, model)):
        parameters = dict(network.named_parameters())
        assert torch.equal(parameters[names[0]], layers[2].mlp.down_proj.weight)
        assert torch.equal(parameters[names[1]], layers[0].mlp.down_proj.weight)
    assert all(name.endswith(".down_proj.base_layer.weight") for name in lora)
    for layer in (0, 4):
        with pytest.raises(UserError, match=f"layer {layer}: the model has no such layer; valid: 1 to 3"):
            down_projections(family.model, [layer])


def test_lora_goes_around_every_linear_layer_of_a_part_but_the_head(family) -> None:
    model, names = wrapped(family)
    linear = {name for name, module in family.model.named_modules() if isinstance(module, nn.Linear)}
    others = ("lm_head", "language_model.lm_head", *SOUND)  # and routers, which choose experts
    assert set(names) == {name for name in linear if not name.startswith(others) and not name.endswith(".router")}
    assert len(set(names)) == len(names)
    around = {name.partition(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A." in name}
    assert around == set(names)
    assert lora_targets(model, ("language", "projector", "vision")) == names
    language = lora_targets(family.model, ("language",))
    assert len(language) == LINEAR.get(family.name, 3 * 7)
    assert {part_of(model, name + ".") for name in language} == {"language"}


def test_an_unknown_part_is_answered_with_the_known_ones(tiny) -> None:
    with pytest.raises(UserError, match=r"unknown part 'tower'; valid: audio, language, projector, vision"):
        lora_targets(tiny.load().model, ("tower",))


def test_only_pictures_are_filled_up() -> None:
    large, small = torch.ones(1, 2, 3), torch.full((2, 1, 2), 2.0)
    joined = joined_pictures([{"pixel_values": large}, {"pixel_values": small}], 9)["pixel_values"]
    assert joined.tolist() == [[[1, 1, 1], [1, 1, 1]], *[[[2, 2, 0], [0, 0, 0]]] * 2]
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        joined_pictures([{"image_grid_thw": large}, {"image_grid_thw": small}], 9)


def test_the_fed_text_is_tokenised_to_the_prompt(family) -> None:
    tokenizer, image_token = family.processor.tokenizer, family.model.config.image_token_id
    for query in QUERIES:
        told = Conversation.about(query, *pictures(1))
        prompt = encode_prompts(family.processor, [told])["input_ids"][0].tolist()
        fed = tokenizer(fed_text(family.processor, told), add_special_tokens=False)["input_ids"]
        assert prompt[len(prompt) - len(fed) :] == fed
        assert set(prompt[: len(prompt) - len(fed)]) <= {tokenizer.bos_token_id}
        # Without the picture itself, what follows it is the same.
        other = tokenizer(fed_text(family.processor, Conversation(query, places=(0,))), add_special_tokens=False)
        behind = other["input_ids"][len(other["input_ids"]) - other["input_ids"][::-1].index(image_token) :]
        assert prompt[-len(behind) :] == behind
