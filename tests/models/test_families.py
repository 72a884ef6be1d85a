"""Where the parts of a VLM are found by name."""

import pytest
import torch

from unmirage.models.families import decoder_depth, image_positions, part_of, set_trainable


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.vision_tower.encoder.layers.0.mlp.fc1.weight", "vision"),
        ("model.multi_modal_projector.linear_1.weight", "projector"),
        ("model.language_model.layers.0.mlp.down_proj.weight", "language"),
        ("lm_head.weight", "language"),
        ("model.visual.blocks.0.attn.qkv.weight", "vision"),
        ("model.visual.merger.mlp.0.weight", "projector"),
        ("model.connector.modality_projection.proj.weight", "projector"),
        ("model.text_model.layers.0.self_attn.q_proj.weight", "language"),
    ],
)
def test_part_of(name: str, part: str) -> None:
    assert part_of(name) == part


def test_unknown_parameter_is_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"'model.audio_tower.conv' belongs to no known part"):
        part_of("model.audio_tower.conv")


def test_every_parameter_of_the_tiny_model_has_a_part(tiny) -> None:
    model = tiny.load().model
    set_trainable(model, ("projector",))
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable
    assert all(name.startswith("model.multi_modal_projector.") for name in trainable)
    assert decoder_depth(model) == 4


def test_image_positions_are_the_image_tokens(tiny) -> None:
    vlm = tiny.load()
    ids = torch.tensor([[1, vlm.processor.image_token_id, 5]])
    assert image_positions(vlm.model, ids).tolist() == [[False, True, False]]
