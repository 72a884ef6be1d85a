"""Llama 4, with experts and chunked attention, and Llama 3.2 Vision, whose layers attend to the image apart."""

from __future__ import annotations

from typing import Any

import torch
from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import LIBRARY_PIXELS, library_pixels
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Llama4Config,
    Llama4ForConditionalGeneration,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessorPil,
    MllamaProcessor,
)

TILE = 32
ANSWER = "<|header_start|>assistant<|header_end|>\n\n"
TURN = "<|start_header_id|>assistant<|end_header_id|>\n\n"


def llama4() -> tuple[Any, Any]:
    """Llama 4: up to four tiles and the whole image, each of 4 x 4 patches, of which 2 x 2 become one token."""
    tokenizer = make_tokenizer(
        [
            "<|header_start|>", "<|header_end|>", "<|eot|>", "<|image_start|>", "<|image_end|>", "<|image|>",
            "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>",
        ],
        pad="<|finetune_right_pad|>", bos="<|begin_of_text|>", eos="<|eot|>",
    )  # fmt: skip
    processor = LIBRARY_PIXELS["llama4"](
        image_processor=library_pixels("llama4")(size={"height": TILE, "width": TILE}, max_patches=4),
        tokenizer=tokenizer,
        patch_size=8,
        chat_template="<|begin_of_text|>"
        + turns("<|header_start|>user<|header_end|>\n\n", "<|image|>", "<|eot|>", ANSWER, ANSWER, "<|eot|>"),
    )
    config = Llama4Config(
        vision_config={
            **TOWER, "image_size": TILE, "patch_size": 8, "vision_output_dim": 32, "projector_input_dim": 32,
            "projector_output_dim": 32, "intermediate_size": 128,
        },
        text_config={
            **DECODER, "num_hidden_layers": 4, "head_dim": 12, "num_local_experts": 2, "intermediate_size_mlp": 96,
            "interleave_moe_layer_step": 2, "attention_chunk_size": 1024, "vocab_size": len(tokenizer),
            **special_ids(tokenizer),
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<|patch|>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<|image_start|>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<|image_end|>"),
    )  # fmt: skip
    return fill(Llama4ForConditionalGeneration(config), tokenizer, ["<|eot|>"]), processor


def mllama() -> tuple[Any, Any]:
    """Llama 3.2 Vision: one token marks an image, and two of four decoder layers look at its tiles."""
    tokenizer = make_tokenizer(
        ["<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>", "<|image|>"],
        pad="<|finetune_right_pad_id|>", bos="<|begin_of_text|>", eos="<|eot_id|>", named={"image_token": "<|image|>"},
    )  # fmt: skip
    processor = MllamaProcessor(
        image_processor=MllamaImageProcessorPil(size={"height": TILE, "width": TILE}),
        tokenizer=tokenizer,
        chat_template="<|begin_of_text|>"
        + turns("<|start_header_id|>user<|end_header_id|>\n\n", "<|image|>", "<|eot_id|>", TURN, TURN, "<|eot_id|>"),
    )
    config = MllamaConfig(
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "attention_heads": 2,
            "num_global_layers": 1, "vision_output_dim": 64, "image_size": TILE, "patch_size": 16,
            "intermediate_layers_indices": [0],
        },
        text_config={
            **DECODER, "num_hidden_layers": 4, "cross_attention_layers": [1, 3], "vocab_size": len(tokenizer),
            **special_ids(tokenizer),
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )  # fmt: skip
    model = fill(MllamaForConditionalGeneration(config), tokenizer, ["<|eot_id|>"], seed=2)
    with torch.no_grad():  # gates start closed, and nothing of the image would come through
        for name, parameter in model.named_parameters():
            if "gate" in name.rpartition(".")[2]:
                parameter.fill_(0.8)
    return model, processor
