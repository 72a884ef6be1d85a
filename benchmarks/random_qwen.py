"""Make a Qwen2.5-VL of any shape with random weights and a real processor, for speed and memory benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
)

from unmirage.models import HuggingFaceVLM
from unmirage.testbed.vlm import make_tokenizer

PATCH, MERGE = 14, 2  # one token for every 28 x 28 pixels
# Qwen2.5-VL-7B, for a GPU. Images of 672 x 672 pixels have 576 tokens, as many as in LLaVA-1.5.
SHAPE_7B: dict[str, Any] = {
    "vision": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
    "text": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    },
    "image_size": 672,
    "vocab_size": 152064,
}
MARKS = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class _Processor(Qwen2_5_VLProcessor):  # type: ignore[misc]  # transformers ships no types
    """Without the part for videos, which needs torchvision."""

    @classmethod
    def get_attributes(cls) -> list[str]:
        return ["image_processor", "tokenizer"]


def make_vlm(name: str, sizes: Mapping[str, Any], texts: Iterable[str], device: str) -> HuggingFaceVLM:
    """Return the model, in bfloat16 on a GPU.

    Args:
        name: name of the model.
        sizes: dimensions, as in `SHAPE_7B`.
        texts: training texts of the tokenizer.
        device: "cuda", "cpu" or "meta".
    """
    tokenizer = _tokenizer(texts)
    pixels = sizes["image_size"] ** 2
    processor = _Processor(
        image_processor=Qwen2VLImageProcessorPil(
            patch_size=PATCH, merge_size=MERGE, size={"shortest_edge": pixels, "longest_edge": pixels}
        ),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )
    config = Qwen2_5_VLConfig(
        vision_config={"patch_size": PATCH, "spatial_merge_size": MERGE, **sizes["vision"]},
        text_config={
            "vocab_size": sizes["vocab_size"],
            "max_position_embeddings": 32768,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **sizes["text"],
        },
        tie_word_embeddings=False,
        **{mark: tokenizer.convert_tokens_to_ids(token) for mark, token in MARKS.items()},
    )
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        model = Qwen2_5_VLForConditionalGeneration(config)
        torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return HuggingFaceVLM(name, model.eval(), processor)


def _tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer with Qwen's special tokens, which puts none before a text."""
    plain = make_tokenizer(texts)
    backend = plain.backend_tokenizer
    backend.post_processor = None
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        extra_special_tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=32768,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", *MARKS.values()]})
    return tokenizer
