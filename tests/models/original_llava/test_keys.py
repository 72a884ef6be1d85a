"""Names of tensors, old and new."""

import pytest

from unmirage.models.original_llava.adapter import hub_name, hub_name_in_memory, is_derived, tower_name

LAYER = "layers.31.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("original", "hub"),
    [
        (f"model.{LAYER}", f"language_model.model.{LAYER}"),
        ("model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
        ("model.norm.weight", "language_model.model.norm.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.mm_projector.0.weight", "multi_modal_projector.linear_1.weight"),
        ("model.mm_projector.2.bias", "multi_modal_projector.linear_2.bias"),
        ("model.mm_projector.bias", "multi_modal_projector.linear_1.bias"),
        (
            "model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias",
            "vision_tower.vision_model.pre_layrnorm.bias",
        ),
        ("model.image_newline", None),
        ("model.vision_resampler.query", None),
        ("transformer.wte.weight", None),
    ],
)
def test_hub_names(original, hub):
    assert hub_name(original) == hub


@pytest.mark.parametrize(
    ("parameter", "hub"),
    [
        (f"model.language_model.{LAYER}", f"language_model.model.{LAYER}"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.vision_tower.encoder.layers.0.mlp.fc1.bias", "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"),
        ("model.vision_tower.vision_model.post_layernorm.bias", "vision_tower.vision_model.post_layernorm.bias"),
        ("model.multi_modal_projector.linear_2.bias", "multi_modal_projector.linear_2.bias"),
    ],
)
def test_names_in_memory(parameter, hub):
    assert hub_name_in_memory(parameter) == hub


def test_names_of_a_tower_alone():
    assert (
        tower_name("vision_model.embeddings.class_embedding") == "vision_tower.vision_model.embeddings.class_embedding"
    )
    assert tower_name("encoder.layers.0.mlp.fc1.bias") == "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"
    assert tower_name("text_model.encoder.layers.0.mlp.fc1.bias") is None
    assert tower_name("visual_projection.weight") is None


def test_buffers_that_a_model_works_out():
    assert is_derived("model.layers.0.self_attn.rotary_emb.inv_freq")
    assert is_derived("vision_model.embeddings.position_ids")
    assert not is_derived("vision_model.embeddings.position_embedding.weight")
