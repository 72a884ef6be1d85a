"""Map tensor names of LLaVA's own code to those of `llava-hf` checkpoints on the hub."""

from __future__ import annotations

EMBEDDINGS = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"
TOWER = "vision_tower.vision_model."
PROJECTOR = "multi_modal_projector."

# Original prefix: hub prefix. A linear projector becomes the first of the hub model's two layers.
_PREFIXES = {
    "model.embed_tokens.": "language_model.model.embed_tokens.",
    "model.layers.": "language_model.model.layers.",
    "model.norm.": "language_model.model.norm.",
    "lm_head.": "language_model.lm_head.",
    "model.mm_projector.0.": "multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "multi_modal_projector.linear_2.",
    "model.mm_projector.weight": "multi_modal_projector.linear_1.weight",
    "model.mm_projector.bias": "multi_modal_projector.linear_1.bias",
    "model.vision_tower.vision_tower.vision_model.": TOWER,
}
# Buffers that a model computes itself.
_DERIVED = (".rotary_emb.inv_freq", ".embeddings.position_ids")
# `transformers` uses other names for these parts in memory than on the hub, and changes them between versions.
_IN_MEMORY = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.vision_tower.vision_model.": TOWER,
    "model.vision_tower.": TOWER,
    "model.multi_modal_projector.": "multi_modal_projector.",
}


def is_derived(name: str) -> bool:
    """Return whether a tensor is a buffer that old checkpoints store and no model needs."""
    return name.endswith(_DERIVED)


def hub_name(original: str) -> str | None:
    """Return the hub name of an original checkpoint's tensor; None if LLaVA has no such tensor."""
    return _renamed(original, _PREFIXES)


def hub_name_in_memory(parameter: str) -> str:
    """Return the hub name of a parameter of `LlavaForConditionalGeneration`."""
    name = _renamed(parameter, _IN_MEMORY)
    assert name is not None, f"LLaVA has an unknown parameter {parameter}"
    return name


def tower_name(name: str) -> str | None:
    """Return the LLaVA name of a CLIP checkpoint's tensor; None if it is not part of the vision tower."""
    if name.startswith("vision_model."):
        return TOWER + name.removeprefix("vision_model.")
    # Newer versions of `transformers` save a separate tower without the prefix.
    bare = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")
    return TOWER + name if name.startswith(bare) else None


def _renamed(name: str, prefixes: dict[str, str]) -> str | None:
    for prefix, new in prefixes.items():
        if name.startswith(prefix):
            return new + name.removeprefix(prefix)
    return None
