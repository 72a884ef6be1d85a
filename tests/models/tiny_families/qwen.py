"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: pictures of any size, positions in three dimensions."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

PATCH = 8  # and 2 x 2 patches become one token: one for every 16 x 16 pixels
MARKS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
ENDS = ["<|im_end|>", "<|endoftext|>"]
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"


def qwen2_vl() -> tuple[Any, Any]:
    """Qwen2-VL."""
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 48, "num_heads": 2, "patch_size": PATCH}
    return build(Qwen2VLConfig, Qwen2VLForConditionalGeneration, "qwen2-vl", vision, rope([2, 2, 2]))


def qwen2_5_vl() -> tuple[Any, Any]:
    """Qwen2.5-VL: the tower looks through windows of 2 x 2 tokens in its first layer."""
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": PATCH,
        "out_hidden_size": 48, "window_size": 32, "fullatt_block_indexes": [1],
    }  # fmt: skip
    return build(Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, "qwen2.5-vl", vision, rope([2, 2, 2]))


def qwen3_vl() -> tuple[Any, Any]:
    """Qwen3-VL: the first decoder layers get features from the tower's layers too."""
    vision = {
        "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": PATCH,
        "out_hidden_size": 48, "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1],
    }  # fmt: skip
    axes = rope([2, 2, 2], mrope_interleaved=True)
    return build(
        Qwen3VLConfig, Qwen3VLForConditionalGeneration, "qwen3-vl", vision, {**axes, "head_dim": 12}, system=""
    )


def rope(section: list[int], **more: Any) -> dict[str, Any]:
    """Return the settings of positions whose three axes have these numbers of frequencies."""
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": section, **more}}


def build(
    config_class: Any, model_class: Any, family: str, vision: dict[str, Any], text: dict[str, Any],
    system: str = SYSTEM, start: str = "", seed: int = 1,
) -> tuple[Any, Any]:  # fmt: skip
    """Return a model and a processor; every answer begins with `start`."""
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", *MARKS.values()],
        pad="<|endoftext|>",
        eos="<|im_end|>",
        named={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    )
    template = turns(
        "<|im_start|>user\n", "<|vision_start|><|image_pad|><|vision_end|>", "<|im_end|>\n",
        f"<|im_start|>assistant\n{start}", f"<|im_start|>assistant\n{start}", "<|im_end|>\n",
    )  # fmt: skip
    processor = WITHOUT_VIDEO[family](
        image_processor=Qwen2VLImageProcessorPil(
            patch_size=PATCH, merge_size=2, size={"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
        ),
        tokenizer=tokenizer,
        chat_template=system + template,
    )
    config = config_class(
        vision_config=vision,
        text_config={**DECODER, **text, "vocab_size": len(tokenizer), **special_ids(tokenizer)},
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in MARKS.items()},
    )
    return fill(model_class(config), tokenizer, ENDS, seed=seed), processor
