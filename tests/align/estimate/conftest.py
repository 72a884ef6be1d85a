"""A wider LLaVA of the same world, and LLaVA-1.5-7B's shape without its weights."""

import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from unmirage.models import HuggingFaceVLM
from unmirage.testbed.pictures import PATCH, SIZE
from unmirage.testbed.vlm import CHAT_TEMPLATE


@pytest.fixture
def wide(tiny):
    """Return a random LLaVA of Llama's proportions, four layers of width 256."""
    processor = tiny.load().processor
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=96,
    )
    text = LlamaConfig(
        vocab_size=len(processor.tokenizer),
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=512,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        image_seq_length=(SIZE // PATCH) ** 2,
    )
    return HuggingFaceVLM("wide", LlavaForConditionalGeneration(config), processor)


@pytest.fixture
def seven_billion(tiny):
    """Return LLaVA-1.5-7B by its config, on the meta device, with the tiny world's tokenizer."""
    tokenizer = tiny.load().processor.tokenizer
    tokenizer.model_max_length = 4096
    size = {"height": 336, "width": 336}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size=size),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
        projection_dim=768,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(vocab_size=32064, max_position_embeddings=4096),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float16)
    return HuggingFaceVLM("llava-1.5-7b", model, processor)
