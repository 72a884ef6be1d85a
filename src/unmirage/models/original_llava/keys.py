"""Names of tensors: those of LLaVA's own code in, those of `llava-hf` checkpoints on the hub out. Strings only."""

from __future__ import annotations

EMBEDDINGS = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"
TOWER = "vision_tower.vision_model."
PROJECTOR = "multi_modal_projector."

# Original prefix: prefix on the hub. A linear projector is the first of the two that the hub's model has.
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
# What a model works out by itself.
_DERIVED = (".rotary_emb.inv_freq", ".embeddings.position_ids")
# `transformers` calls the same parts by names that differ from those of the hub, and between its versions.
_IN_MEMORY = {
    "model.language_model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
    "model.vision_tower.vision_model.": TOWER,
    "model.vision_tower.": TOWER,
    "model.multi_modal_projector.": "multi_modal_projector.",
}


def is_derived(name: str) -> bool:
    """Tell a buffer that old checkpoints hold and no model needs."""
    return name.endswith(_DERIVED)


def hub_name(original: str) -> str | None:
    """Return what a tensor of an original checkpoint is called on the hub; None for one that LLaVA does not have."""
    return _renamed(original, _PREFIXES)


def hub_name_in_memory(parameter: str) -> str:
    """Return what a parameter of a `LlavaForConditionalGeneration` is called on the hub."""
    name = _renamed(parameter, _IN_MEMORY)
    assert name is not None, f"LLaVA has a parameter {parameter} that we do not know"
    return name


def tower_name(name: str) -> str | None:
    """Return what a tensor of a CLIP checkpoint is called in LLaVA's; None where it is not of the vision tower."""
    if name.startswith("vision_model."):
        return TOWER + name.removeprefix("vision_model.")
    # Newer versions of `transformers` save a tower by itself without the prefix.
    bare = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")
    return TOWER + name if name.startswith(bare) else None


def _renamed(name: str, prefixes: dict[str, str]) -> str | None:
    for prefix, new in prefixes.items():
        if name.startswith(prefix):
            return new + name.removeprefix(prefix)
    return None
