"""LLaVA-1.5, LLaVA-NeXT, LLaVA-OneVision and VipLLaVA: a tower, a projector, a decoder."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
    LlavaProcessor,
    MistralConfig,
    Qwen2Config,
    SiglipVisionConfig,
    VipLlavaConfig,
    VipLlavaForConditionalGeneration,
)

DECODER = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
PINPOINTS = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]  # (height, width), in tiles of 16 x 16


def special_ids(tokenizer: Any) -> dict[str, Any]:
    """Return the ids that a decoder's config names."""
    return {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("pad", "bos", "eos")}


def llava_1_5() -> tuple[Any, Any]:
    """CLIP and Llama; every picture becomes 32 x 32 pixels and 16 tokens."""
    tokenizer = make_tokenizer(["<image>"], pad="<pad>", bos="<s>", eos="</s>", named={"image_token": "<image>"})
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=turns("USER: ", "<image>\n", " ", "ASSISTANT:", "ASSISTANT: ", "</s>"),
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=32, patch_size=8, projection_dim=32),
        text_config=LlamaConfig(**DECODER, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    return fill(LlavaForConditionalGeneration(config), tokenizer, ["</s>"]), processor


def llava_next() -> tuple[Any, Any]:
    """CLIP and Mistral; a picture is the whole and up to four tiles of it, each of 16 x 16 pixels and 4 tokens."""
    tokenizer = make_tokenizer(["<image>"], pad="<pad>", bos="<s>", eos="</s>", named={"image_token": "<image>"})
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}, image_grid_pinpoints=PINPOINTS
        ),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=turns("[INST] ", "<image>\n", " [/INST]", "", " ", "</s>"),
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=16, patch_size=8, projection_dim=32),
        text_config=MistralConfig(**DECODER, vocab_size=len(tokenizer), sliding_window=None, **special_ids(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=4,
    )
    return fill(LlavaNextForConditionalGeneration(config), tokenizer, ["</s>"]), processor


def llava_onevision() -> tuple[Any, Any]:
    """SigLIP and Qwen2; tiles like LLaVA-NeXT's, but no class token and no start token."""
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<image>", "<video>"],
        pad="<|endoftext|>",
        eos="<|im_end|>",
        named={"image_token": "<image>", "video_token": "<video>"},
    )
    processor = WITHOUT_VIDEO["llava-onevision"](
        image_processor=LlavaOnevisionImageProcessorPil(
            size={"height": 16, "width": 16}, image_grid_pinpoints=PINPOINTS
        ),
        tokenizer=tokenizer,
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_9",
        # An answered turn has a blank before the line break, and so does not start with its own prompt: as on the hub.
        chat_template=turns(
            "<|im_start|>user ", "<image>\n", "<|im_end|>", "<|im_start|>assistant\n", "<|im_start|>assistant \n",
            "<|im_end|>",
        ),
    )  # fmt: skip
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**TOWER, image_size=16, patch_size=8, vision_use_head=False),
        text_config=Qwen2Config(
            **DECODER, vocab_size=len(tokenizer), tie_word_embeddings=True, **special_ids(tokenizer)
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=PINPOINTS,
        vision_aspect_ratio="anyres_max_9",
        tie_word_embeddings=True,
    )
    return fill(LlavaOnevisionForConditionalGeneration(config), tokenizer, ["<|im_end|>"]), processor


def vipllava() -> tuple[Any, Any]:
    """VipLLaVA: its projector reads five layers of the tower; its turns have no end token in the template."""
    tokenizer = make_tokenizer(["<image>"], pad="<pad>", bos="<s>", eos="</s>", named={"image_token": "<image>"})
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=turns("###Human: ", "<image>\n", "", "###Assistant:", "###Assistant: ", ""),
    )
    config = VipLlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER, image_size=32, patch_size=8, projection_dim=32),
        text_config=LlamaConfig(**DECODER, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=[-1, -2, 0, 1],
        image_seq_length=16,
    )
    return fill(VipLlavaForConditionalGeneration(config), tokenizer, ["</s>"], seed=2), processor
