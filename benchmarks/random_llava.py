"""Make a LLaVA of any shape with random weights and a real processor, for speed and memory benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from unmirage.models import HuggingFaceVLM
from unmirage.testbed.vlm import CHAT_TEMPLATE, make_tokenizer

PATCH = 14
# LLaVA-1.5-7B, for a GPU.
SHAPE_7B: dict[str, Any] = {
    "vision": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
    "text": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "image_size": 336,
    "vocab_size": 32064,
}


def make_vlm(name: str, sizes: Mapping[str, Any], texts: Iterable[str], device: str) -> HuggingFaceVLM:
    """Return the model, in bfloat16 on a GPU.

    Args:
        name: name of the model.
        sizes: dimensions, as in `SHAPE_7B`.
        texts: training texts of the tokenizer.
        device: "cuda" or "cpu".
    """
    tokenizer = make_tokenizer(texts)
    tokenizer.model_max_length = 4096
    pixels = sizes["image_size"]
    edge = {"height": pixels, "width": pixels}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=edge, crop_size=edge),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=pixels, patch_size=PATCH, **sizes["vision"]),
        text_config=LlamaConfig(vocab_size=sizes["vocab_size"], max_position_embeddings=4096, **sizes["text"]),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(pixels // PATCH) ** 2,
    )
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        model = LlavaForConditionalGeneration(config)
        torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return HuggingFaceVLM(name, model.eval(), processor)
