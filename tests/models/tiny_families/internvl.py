"""InternVL3 and 3.5 as transformers has them: an InternViT and Qwen2 or 3; pictures are cut into tiles."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    Qwen2Config,
    Qwen3Config,
)

TILE = 32  # of 4 x 4 patches, and 2 x 2 patches become one token


def internvl3() -> tuple[Any, Any]:
    """InternVL3."""
    return _internvl("internvl3", Qwen2Config)


def internvl3_5() -> tuple[Any, Any]:
    """InternVL3.5."""
    return _internvl("internvl3.5", Qwen3Config, head_dim=12)


def _internvl(family: str, text_config: Any, **more: Any) -> tuple[Any, Any]:
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", *named.values()], pad="<|endoftext|>", eos="<|im_end|>", named=named
    )
    processor = WITHOUT_VIDEO[family](
        image_processor=GotOcr2ImageProcessorPil(
            size={"height": TILE, "width": TILE}, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=turns(
            "<|im_start|>user\n", "<IMG_CONTEXT>\n", "<|im_end|>\n",
            "<|im_start|>assistant\n", "<|im_start|>assistant\n", "<|im_end|>\n",
        ),
    )  # fmt: skip
    config = InternVLConfig(
        vision_config={**TOWER, "image_size": [TILE, TILE], "patch_size": [8, 8]},
        text_config=text_config(**DECODER, **more, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    return fill(InternVLForConditionalGeneration(config), tokenizer, ["<|im_end|>", "<|endoftext|>"]), processor
