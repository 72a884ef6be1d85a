"""GLM-4.1V, GLM-4.6V and GLM-4.5V (experts): images of any size, positions in three dimensions.

A turn has no end token of its own: the next turn's role ends it.
"""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Glm4vConfig,
    Glm4vForConditionalGeneration,
    Glm4vImageProcessorPil,
    Glm4vMoeConfig,
    Glm4vMoeForConditionalGeneration,
    Glm46VConfig,
    Glm46VForConditionalGeneration,
    Glm46VImageProcessorPil,
)

PATCH = 8  # and 2 x 2 patches become one token
MARKS = {
    "image_token_id": "<|image|>",
    "video_token_id": "<|video|>",
    "image_start_token_id": "<|begin_of_image|>",
    "image_end_token_id": "<|end_of_image|>",
    "video_start_token_id": "<|begin_of_video|>",
    "video_end_token_id": "<|end_of_video|>",
}
VISION = {
    "depth": 2, "hidden_size": 32, "num_heads": 2, "patch_size": PATCH, "image_size": 64, "out_hidden_size": 48,
    "intermediate_size": 64,
}  # fmt: skip
EXPERTS = {
    "moe_intermediate_size": 32, "n_routed_experts": 4, "num_experts_per_tok": 2, "first_k_dense_replace": 1,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 2, 2], "partial_rotary_factor": 1.0}
ENDS = ["<|endoftext|>", "<|user|>"]
ROLE = "<|assistant|>\n"
SILENT = f"{ROLE}<think></think>\n"  # what the later templates put before an answer without thoughts


def glm4v() -> tuple[Any, Any]:
    """GLM-4.1V."""
    return _glm(Glm4vConfig, Glm4vForConditionalGeneration, "glm4v", Glm4vImageProcessorPil, ROLE)


def glm46v() -> tuple[Any, Any]:
    """GLM-4.6V, asked without thoughts."""
    return _glm(Glm46VConfig, Glm46VForConditionalGeneration, "glm46v", Glm46VImageProcessorPil, SILENT)


def glm4v_moe() -> tuple[Any, Any]:
    """GLM-4.5V: four experts in all decoder layers but the first."""
    return _glm(Glm4vMoeConfig, Glm4vMoeForConditionalGeneration, "glm4v-moe", Glm4vImageProcessorPil, SILENT, EXPERTS)


def _glm(
    config_class: Any, model_class: Any, family: str, image_processor: Any, start: str, more: Any = None
) -> tuple[Any, Any]:
    tokenizer = make_tokenizer(
        ["[gMASK]", "<sop>", "<|user|>", "<|assistant|>", *MARKS.values()],
        pad="<|endoftext|>",
        eos="<|endoftext|>",
        named={"image_token": "<|image|>", "video_token": "<|video|>"},
    )
    processor = WITHOUT_VIDEO[family](
        image_processor=image_processor(
            patch_size=PATCH, merge_size=2, size={"shortest_edge": 2 * 16 * 16, "longest_edge": 2 * 64 * 64}
        ),
        tokenizer=tokenizer,
        chat_template="[gMASK]<sop>"
        + turns("<|user|>\n", "<|begin_of_image|><|image|><|end_of_image|>", "", start, start, ""),
    )
    text = {**DECODER, **(more or {}), "vocab_size": len(tokenizer), "rope_parameters": ROPE, **special_ids(tokenizer)}
    config = config_class(
        vision_config=VISION,
        text_config=text,
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in MARKS.items()},
    )
    return fill(model_class(config), tokenizer, ENDS), processor
