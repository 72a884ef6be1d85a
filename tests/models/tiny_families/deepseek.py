"""DeepSeek-VL with one tower and with two, and Kimi K2.5, whose decoder is DeepSeek's latest."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO, library_pixels
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    DeepseekV3Config,
    DeepseekVLConfig,
    DeepseekVLForConditionalGeneration,
    DeepseekVLHybridConfig,
    DeepseekVLHybridForConditionalGeneration,
    DeepseekVLHybridImageProcessorPil,
    DeepseekVLHybridProcessor,
    DeepseekVLImageProcessorPil,
    DeepseekVLProcessor,
    Kimi_K25Config,
    Kimi_K25ForConditionalGeneration,
    LlamaConfig,
    SiglipVisionConfig,
)

SIDE = 32
BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
LATENT = {
    "num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
    "moe_intermediate_size": 32, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 12, "first_k_dense_replace": 1, "n_shared_experts": 1,
}  # fmt: skip
MEDIA = {
    "image_token_id": "<|media_pad|>",
    "video_token_id": "<|kimi_k25_video_placeholder|>",
    "vision_start_token_id": "<|media_begin|>",
    "vision_end_token_id": "<|media_end|>",
}


def deepseek_vl() -> tuple[Any, Any]:
    """DeepSeek-VL 1.3B: SigLIP alone."""
    tokenizer, template = _deepseek()
    processor = DeepseekVLProcessor(
        image_processor=DeepseekVLImageProcessorPil(size={"height": SIDE, "width": SIDE}, min_size=8),
        tokenizer=tokenizer,
        chat_template=template,
        num_image_tokens=16,
    )
    config = DeepseekVLConfig(**_parts(tokenizer, patch=8))
    return fill(DeepseekVLForConditionalGeneration(config), tokenizer, [END]), processor


def deepseek_vl_hybrid() -> tuple[Any, Any]:
    """DeepSeek-VL 7B: SigLIP, and SAM on a larger copy of the image."""
    tokenizer, template = _deepseek()
    processor = DeepseekVLHybridProcessor(
        image_processor=DeepseekVLHybridImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, high_res_size={"height": 64, "width": 64}, min_size=8
        ),
        tokenizer=tokenizer,
        chat_template=template,
        num_image_tokens=4,
    )
    high = {
        "hidden_size": 32, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
        "patch_size": 16, "window_size": 2, "global_attn_indexes": [1], "mlp_dim": 64,
    }  # fmt: skip
    config = DeepseekVLHybridConfig(**_parts(tokenizer, patch=16), high_res_vision_config=high)
    return fill(DeepseekVLHybridForConditionalGeneration(config), tokenizer, [END]), processor


def kimi_k25() -> tuple[Any, Any]:
    """Kimi K2.5, asked without thoughts: latent attention, and experts in all decoder layers but the first."""
    tokenizer = make_tokenizer(
        ["<|im_user|>", "<|im_middle|>", "<|im_end|>", "<|im_assistant|>", "<|media_content|>", *MEDIA.values()],
        pad="[PAD]",
        eos="[EOS]",
        named={"image_token": "<|media_pad|>", "video_token": "<|kimi_k25_video_placeholder|>"},
    )
    start = "<|im_assistant|>assistant<|im_middle|><think></think>"
    image_processor = library_pixels("kimi")(
        patch_size=8, merge_size=2, max_patches=64, size={"max_height": 64, "max_width": 64}
    )
    processor = WITHOUT_VIDEO["kimi-k25"](
        image_processor=image_processor,
        tokenizer=tokenizer,
        chat_template=turns(
            "<|im_user|>user<|im_middle|>",
            "<|media_begin|>image<|media_content|><|media_pad|><|media_end|>\n", "<|im_end|>",
            start, start, "<|im_end|>",
        ),
    )  # fmt: skip
    vision = {
        "patch_size": 8, "pos_emb_height": 8, "pos_emb_width": 8, "num_attention_heads": 2, "num_hidden_layers": 2,
        "hidden_size": 32, "intermediate_size": 64,
    }  # fmt: skip
    config = Kimi_K25Config(
        vision_config=vision,
        text_config=DeepseekV3Config(**{**DECODER, **LATENT}, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        projection_hidden_size=32,
        tie_word_embeddings=False,
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in MEDIA.items()},
    )
    return fill(Kimi_K25ForConditionalGeneration(config), tokenizer, ["<|im_end|>", "[EOS]"]), processor


def _deepseek() -> tuple[Any, str]:
    tokenizer = make_tokenizer(
        ["<image_placeholder>"], pad="<｜▁pad▁｜>", bos=BEGIN, eos=END, named={"image_token": "<image_placeholder>"}
    )
    return tokenizer, BEGIN + turns("User: ", "<image_placeholder>", "\n\n", "Assistant:", "Assistant: ", END)


def _parts(tokenizer: Any, *, patch: int) -> dict[str, Any]:
    return {
        "vision_config": SiglipVisionConfig(**TOWER, image_size=SIDE, patch_size=patch, vision_use_head=False),
        "text_config": LlamaConfig(**DECODER, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        "image_token_id": tokenizer.image_token_id,
        "tie_word_embeddings": False,
    }
