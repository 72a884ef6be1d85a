"""The vision tower of a checkpoint: config, image preprocessing, and weights from elsewhere if it has none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CLIPVisionConfig

from unmirage.errors import UserError, one_line
from unmirage.models.original_llava.adapter import is_derived, tower_name
from unmirage.models.original_llava.stored import Weights, open_weights
from unmirage.run.files import read_object

_LARGE = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "patch_size": 14, "projection_dim": 768,
}  # fmt: skip
# Published towers used to train LLaVA: if a checkpoint includes one of them, it needs no separate folder.
_KNOWN = {
    "openai/clip-vit-large-patch14": {**_LARGE, "image_size": 224},
    "openai/clip-vit-large-patch14-336": {**_LARGE, "image_size": 336},
}
_PICTURE_FIELDS = ("image_mean", "image_std", "rescale_factor", "resample")


@dataclass(frozen=True, slots=True)
class Tower:
    """A CLIP vision tower.

    Attributes:
        pictures: color and resampling settings of its preprocessor.
        weights: by hub name; empty if only the name of the tower is known.
    """

    config: CLIPVisionConfig
    pictures: dict[str, Any] = field(default_factory=dict)
    weights: Weights = field(default_factory=dict)


def known_tower(name: str) -> Tower:
    """Return the config of a published tower whose weights are in the checkpoint."""
    if name not in _KNOWN:
        raise UserError(f"unknown vision tower '{name}'; add --vision-tower FOLDER with a copy of it")
    return Tower(CLIPVisionConfig(**_KNOWN[name]))


def open_tower(folder: Path, *, from_pickle: bool) -> Tower:
    """Return the tower in a `CLIPModel` or `CLIPVisionModel` directory."""
    weights = open_weights(folder, "model", "pytorch_model", from_pickle=from_pickle)
    named = {tower_name(name): one for name, one in weights.items() if not is_derived(name)}
    preprocessor = folder / "preprocessor_config.json"
    pictures = read_object(preprocessor) if preprocessor.is_file() else {}
    return Tower(
        _config(folder / "config.json"),
        {key: pictures[key] for key in _PICTURE_FIELDS if key in pictures},
        {name: one for name, one in named.items() if name is not None},
    )


def _config(file: Path) -> CLIPVisionConfig:
    config = read_object(file)
    kind = config.get("model_type")
    if kind not in ("clip", "clip_vision_model"):
        raise UserError(f"{file}: model_type is {kind!r}; valid: clip, clip_vision_model")
    fields = config.get("vision_config") if kind == "clip" else config
    if not isinstance(fields, dict):
        raise UserError(f"{file}: vision_config is missing; use the config of a CLIPModel")
    try:
        return CLIPVisionConfig(**{key: value for key, value in fields.items() if key in _FIELDS})
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise UserError(f"{file}: {one_line(error, 200)}") from None


_FIELDS = frozenset(
    "hidden_size intermediate_size projection_dim num_hidden_layers num_attention_heads num_channels image_size "
    "patch_size hidden_act layer_norm_eps attention_dropout".split()
)
