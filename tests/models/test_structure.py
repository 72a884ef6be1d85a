"""The parts of a VLM are found from its own modules, for many model types at their published shapes."""

import pytest
import torch
from tests.models.tiny_types import tiny as tiny_type
from torch import nn
from transformers import AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from unmirage.errors import UserError
from unmirage.models.structure import (
    PARTS,
    decoder,
    decoder_layers,
    down_projections,
    final_norm,
    inner,
    lora_targets,
    part_of,
    set_part_names,
    set_trainable,
    structure_of,
    vision_stack,
)

# Model type: path of the decoder, prefixes of the projector, of the vision towers, and of what hears.
PLACES = {
    "aria": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "blip-2": (
        "language_model.model.decoder", ["qformer.", "language_projection.", "query_tokens"], ["vision_model."], [],
    ),
    "cohere2_vision": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "deepseek_vl": ("model.language_model", ["model.aligner."], ["model.vision_model."], []),
    "dots3_note": (
        "model.language_model", ["model.vision_tower.merger."], ["model.vision_tower."], ["model.audio_tower."],
    ),
    "ernie4_5_vl_moe": ("model.language_model", ["model.resampler_model."], ["model.vision_tower."], []),
    "florence2": ("model.language_model.decoder", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "fuyu": ("model.language_model", ["model.vision_embed_tokens."], [], []),
    "git": ("git.encoder", ["git.visual_projection."], ["git.image_encoder."], []),
    "glm4v": ("model.language_model", ["model.visual.merger."], ["model.visual."], []),
    "granite_docling": ("model.text_model", ["model.vision_model.connector."], ["model.vision_model."], []),
    "idefics": ("model", [], ["model.vision_model."], []),
    "idefics2": ("model.text_model", ["model.connector."], ["model.vision_model."], []),
    "janus": (
        "model.language_model",
        ["model.aligner.", "model.generation_embeddings.", "model.generation_aligner.", "model.generation_head."],
        ["model.vision_model.", "model.vqmodel."], [],
    ),
    "kimi_k25": ("model.language_model", ["model.mm_projector."], ["model.vision_tower."], []),
    "kosmos-2": ("text_model.model", ["image_to_text_projection."], ["vision_model."], []),
    "lfm2_vl": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "llama4": ("language_model.model", ["multi_modal_projector."], ["vision_model."], []),
    "llava_next": (
        "model.language_model", ["model.multi_modal_projector.", "model.image_newline"], ["model.vision_tower."], [],
    ),
    "minicpmv4_6": ("model.language_model", ["model.merger."], ["model.vision_tower."], []),
    "mistral3": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "mistral4": ("model", [], [], []),
    "mllama": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_model."], []),
    "molmo2": ("model.language_model", ["model.multi_modal_projector."], ["model.vision_tower."], []),
    "ovis2": ("model.language_model", ["model.visual_embeddings_table."], ["model.vision_tower."], []),
    "paddleocr_vl": ("model.language_model", ["model.projector."], ["model.visual."], []),
    "qwen2_5_omni_thinker": (
        "model.language_model", ["model.visual.merger."], ["model.visual."], ["model.audio_tower."],
    ),
    "qwen3_5": ("model.language_model", ["model.visual.merger."], ["model.visual."], []),
    "qwen3_vl_moe": (
        "model.language_model", ["model.visual.merger.", "model.visual.deepstack_merger_list."], ["model.visual."], [],
    ),
    "video_llama_3": ("model.language_model", ["model.projector."], ["model.vision_model."], []),
    "vision-encoder-decoder": ("decoder.bert.encoder", [], ["encoder."], []),
}  # fmt: skip


def empty(kind, **settings):
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(CONFIG_MAPPING[kind](**settings))


@pytest.mark.parametrize("kind", PLACES)
def test_every_parameter_is_where_it_is_published(kind) -> None:
    where, projector, towers, sound = PLACES[kind]
    model = empty(kind)
    assert structure_of(model).decoder == where
    assert len(decoder_layers(model)) == model.config.get_text_config(decoder=True).num_hidden_layers
    for name, _ in model.named_parameters():
        part = next(
            (
                part
                for part, prefixes in (("projector", projector), ("vision", towers), ("audio", sound))
                if name.startswith(tuple(prefixes))
            ),
            "language",
        )
        assert part_of(model, name) == part, name
    assert bool(vision_stack(model)) == bool(towers and kind != "florence2")  # which has stages of convolutions


def test_gemma_4_sees_and_hears() -> None:
    from transformers.models.gemma4.configuration_gemma4 import Gemma4AudioConfig, Gemma4VisionConfig

    model = empty("gemma4", vision_config=Gemma4VisionConfig(), audio_config=Gemma4AudioConfig())
    starts = {
        name.split(".")[1]: part_of(model, name) for name, _ in model.named_parameters() if name != "lm_head.weight"
    }
    assert starts == {
        "language_model": "language", "embed_vision": "projector", "vision_tower": "vision", "audio_tower": "audio",
        "embed_audio": "audio",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "layer", "found"),
    [
        ("qwen3_5", 2, "model.language_model.layers.1.mlp.down_proj.weight"),
        ("lfm2_vl", 1, "model.language_model.layers.0.feed_forward.w2.weight"),
        ("llama4", 1, "language_model.model.layers.0.feed_forward.down_proj.weight"),
        ("llama4", 2, r"layer 2: its MLP has no down_proj weight; valid: \[1, 3\]"),
        ("qwen3_vl_moe", 1, "layer 1: its MLP has no down_proj weight; valid: none; train 'language' instead"),
        ("kimi_k25", 5, "layer 5: the model has no such layer; valid: 1 to 4"),
    ],
)
def test_the_output_of_an_mlp_is_found_or_missed_by_name(kind, layer, found) -> None:
    model = tiny_type(kind)
    if found.startswith("layer"):
        with pytest.raises(UserError, match=found):
            down_projections(model, [layer])
    else:
        assert down_projections(model, [layer]) == [found]
        weight = model.get_parameter(found)
        assert weight.shape[0] == 32
        assert any(one is weight for one in decoder_layers(model)[layer - 1].parameters())


def test_lora_leaves_out_what_it_cannot_wrap() -> None:
    model = tiny_type("llama4")
    names = lora_targets(model, ["language", "projector"])
    linear = {name for name, one in model.named_modules() if isinstance(one, nn.Linear)}
    left = {name for name in linear - set(names) if not name.startswith("vision_model.")}
    assert left == {
        "language_model.lm_head", *(f"language_model.model.layers.{n}.feed_forward.router" for n in (1, 3)),
    }  # fmt: skip


def test_llama_4_has_no_inner_model() -> None:
    model = tiny_type("llama4")
    assert inner(model) is model
    assert decoder(model) is model.language_model.model
    assert final_norm(model) is model.language_model.model.norm
    norm = final_norm(tiny_type("lfm2_vl"))
    assert type(norm).__name__ == "Lfm2RMSNorm"


def test_a_part_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"model type 'gemma4': has no projector part .* --part-names projector=PREFIX"):
        set_trainable(tiny_type("gemma4"), ["language", "projector"])


def test_names_overrule_the_structure() -> None:
    model = tiny_type("deepseek_vl")
    set_part_names(model, {"vision": ["model.aligner.linear1"], "projector": ["model.vision_model.post_layernorm."]})
    assert part_of(model, "model.aligner.linear1.weight") == "vision"
    assert part_of(model, "model.aligner.linear2.weight") == "projector"
    set_trainable(model, ["projector"])
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert trained == {
        f"model.{name}.{kind}" for name in ("aligner.linear2", "vision_model.post_layernorm")
        for kind in ("weight", "bias")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"tower": ["model."]}, r"unknown part in part_names 'tower'; valid: audio, language, projector, vision"),
        (
            {"vision": ["model.eye."]},
            r"no parameter begins with 'model\.eye\.'; .* model\.aligner, .*model\.vision_model",
        ),
        (
            {"vision": ["model.aligner."], "projector": ["model.aligner."]},
            r"'model\.aligner\.' is given to vision and to",
        ),
    ],
)
def test_wrong_names_are_one_line(names, message) -> None:
    with pytest.raises(UserError, match=message):
        set_part_names(tiny_type("deepseek_vl"), names)


def test_an_unknown_parameter_names_the_option() -> None:
    with pytest.raises(
        UserError, match=r"'model\.ear\.weight' belongs to no part .* --part-names projector=model\.ear"
    ):
        part_of(tiny_type("deepseek_vl"), "model.ear.weight")
    assert set(PARTS) == {"language", "projector", "vision", "audio"}
