"""Families that cut images into tiles: Cohere2-Vision, LFM2-VL, Molmo 2, Ovis 2 and MiniCPM-V 4.6."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import LIBRARY_PIXELS, WITHOUT_VIDEO, library_pixels
from tests.models.tiny_families.qwen import rope
from tests.models.tiny_families.qwen3 import SILENT, STATES
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Cohere2Config,
    Cohere2VisionConfig,
    Cohere2VisionForConditionalGeneration,
    Lfm2Config,
    Lfm2VlConfig,
    Lfm2VlForConditionalGeneration,
    MiniCPMV4_6Config,
    MiniCPMV4_6ForConditionalGeneration,
    MiniCPMV4_6ImageProcessorPil,
    Molmo2Config,
    Molmo2ForConditionalGeneration,
    Ovis2Config,
    Ovis2ForConditionalGeneration,
    Ovis2ImageProcessorPil,
    Ovis2Processor,
    Qwen2Config,
    Siglip2VisionConfig,
    SiglipVisionConfig,
)

TILE = 32
CHATML = {
    "user": "<|im_start|>user\n", "end_user": "<|im_end|>\n", "prompt": "<|im_start|>assistant\n",
    "start": "<|im_start|>assistant\n", "end": "<|im_end|>\n",
}  # fmt: skip


def cohere2_vision() -> tuple[Any, Any]:
    """Command A Vision: an answer is between two tokens of its own, and then the turn ends."""
    named = {
        "boi_token": "<|START_OF_IMG|>",
        "eoi_token": "<|END_OF_IMG|>",
        "image_token": "<|IMG_PATCH|>",
        "img_line_break_token": "<|IMG_LINE_BREAK|>",
    }
    turn, end = "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"
    tokenizer = make_tokenizer(
        [turn, "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>", *named.values()],
        pad="<PAD>", bos="<BOS_TOKEN>", eos=end, named=named,
    )  # fmt: skip
    answer = f"{turn}<|CHATBOT_TOKEN|><|START_RESPONSE|>"
    processor = LIBRARY_PIXELS["cohere2-vision"](
        image_processor=library_pixels("cohere2")(
            size={"height": TILE, "width": TILE}, min_patches=1, max_patches=4, patch_size=2
        ),
        tokenizer=tokenizer,
        chat_template="<BOS_TOKEN>"
        + turns(f"{turn}<|USER_TOKEN|>", "<|IMG_PATCH|>", end, answer, answer, f"<|END_RESPONSE|>{end}"),
    )
    config = Cohere2VisionConfig(
        vision_config=SiglipVisionConfig(**TOWER, image_size=TILE, patch_size=8, vision_use_head=False),
        text_config=Cohere2Config(
            **DECODER, vocab_size=len(tokenizer), sliding_window=512, logit_scale=0.5,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"], **special_ids(tokenizer),
        ),
        image_token_id=tokenizer.image_token_id,
        alignment_intermediate_size=64,
        tie_word_embeddings=True,
    )  # fmt: skip
    return fill(Cohere2VisionForConditionalGeneration(config), tokenizer, [end]), processor


def lfm2_vl() -> tuple[Any, Any]:
    """LFM2-VL: two of three decoder layers are short convolutions; a large image is cut into tiles."""
    named = {
        "image_token": "<image>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "image_thumbnail_token": "<|img_thumbnail|>",
    }
    places = [f"<|img_row_{row}_col_{column}|>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", *named.values(), *places],
        pad="<|pad|>", bos="<|startoftext|>", eos="<|im_end|>", named=named,
    )  # fmt: skip
    processor = LIBRARY_PIXELS["lfm2-vl"](
        image_processor=library_pixels("lfm2")(
            tile_size=TILE, size={"height": TILE, "width": TILE}, encoder_patch_size=8, min_image_tokens=2,
            max_image_tokens=4, max_tiles=4, max_pixels_tolerance=1.5,
        ),
        tokenizer=tokenizer,
        chat_template="<|startoftext|>" + turns(image="<image>", **CHATML),
    )  # fmt: skip
    config = Lfm2VlConfig(
        vision_config=Siglip2VisionConfig(**TOWER, patch_size=8, num_patches=16, vision_use_head=False),
        text_config=Lfm2Config(
            **DECODER, layer_types=["conv", "full_attention", "conv"], conv_L_cache=3, vocab_size=len(tokenizer),
            block_auto_adjust_ff_dim=False, tie_word_embeddings=True, **special_ids(tokenizer),
        ),
        image_token_id=tokenizer.image_token_id,
        projector_hidden_size=64,
        tie_word_embeddings=True,
    )  # fmt: skip
    return fill(Lfm2VlForConditionalGeneration(config), tokenizer, ["<|im_end|>"], seed=2), processor


def molmo2() -> tuple[Any, Any]:
    """Molmo 2: the whole image and overlapping tiles of it; its processor puts the start token before a prompt."""
    marks = {
        "image_start_token_id": "<im_start>", "image_end_token_id": "<im_end>", "image_patch_id": "<im_patch>",
        "low_res_image_start_token_id": "<low_res_im_start>", "frame_start_token_id": "<frame_start>",
        "frame_end_token_id": "<frame_end>",
    }  # fmt: skip
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", "<|image|>", "<|video|>", *marks.values(), "<im_col>", "<im_low>"],
        pad="<|endoftext|>", eos="<|im_end|>", named={"image_token": "<|image|>", "video_token": "<|video|>"},
    )  # fmt: skip
    tokenizer.bos_token = "<|endoftext|>"  # which the tokenizer does not add by itself
    processor = WITHOUT_VIDEO["molmo2"](
        image_processor=library_pixels("molmo2")(
            size={"height": TILE, "width": TILE}, patch_size=8, max_crops=4, overlap_margins=[1, 1]
        ),
        tokenizer=tokenizer,
        chat_template=turns(image="<|image|>", **CHATML),
    )
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    config = Molmo2Config(
        vision_config={**TOWER, **heads, "image_size": [TILE, TILE], "patch_size": 8},
        adapter_config={
            "hidden_size": 32, **heads, "intermediate_size": 64, "text_hidden_size": 48,
            "vision_feature_layer": [-1, 0],
        },
        text_config={
            **DECODER, "head_dim": 12, "vocab_size": len(tokenizer), "additional_vocab_size": 8,
            **special_ids(tokenizer),
        },
        **{name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()},
    )  # fmt: skip
    return fill(Molmo2ForConditionalGeneration(config), tokenizer, ["<|im_end|>", "<|endoftext|>"]), processor


def ovis2() -> tuple[Any, Any]:
    """Ovis 2: the tower names each place of an image by a distribution over words of its own."""
    marks = ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"]
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", "<image>", "<IMG_ATOM>", *marks], pad="<|endoftext|>", eos="<|im_end|>"
    )
    processor = Ovis2Processor(
        image_processor=Ovis2ImageProcessorPil(
            size={"height": TILE, "width": TILE}, crop_to_patches=True, max_patches=4
        ),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=turns(image="<image>\n", **CHATML),
    )
    config = Ovis2Config(
        vision_config={**TOWER, "image_size": TILE, "patch_size": 8, "vocab_size": 32, "hidden_stride": 2},
        text_config=Qwen2Config(**DECODER, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_ATOM>"),
        visual_indicator_token_ids=tokenizer.convert_tokens_to_ids(marks),
        vocab_size=len(tokenizer),
        hidden_size=DECODER["hidden_size"],
        tie_word_embeddings=False,
    )
    return fill(Ovis2ForConditionalGeneration(config), tokenizer, ["<|im_end|>", "<|endoftext|>"]), processor


def minicpmv4_6() -> tuple[Any, Any]:
    """MiniCPM-V 4.6: Qwen3.5's decoder, asked without thoughts; images are numbered and cut into slices."""
    named = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "image_start_token": "<image>",
        "image_end_token": "</image>",
        "slice_start_token": "<slice>",
        "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>",
        "image_id_end_token": "</image_id>",
    }
    tokenizer = make_tokenizer(
        ["<|im_start|>", "<|im_end|>", *named.values()], pad="<|endoftext|>", eos="<|im_end|>", named=named
    )
    processor = WITHOUT_VIDEO["minicpmv4.6"](
        image_processor=MiniCPMV4_6ImageProcessorPil(scale_resolution=TILE, patch_size=8, max_slice_nums=4),
        tokenizer=tokenizer,
        chat_template=turns(
            image="<|image_pad|>\n",
            **{**CHATML, "prompt": CHATML["prompt"] + SILENT, "start": CHATML["start"] + SILENT},
        ),
    )
    config = MiniCPMV4_6Config(
        text_config={
            "model_type": "qwen3_5_text", **DECODER, **STATES, **rope([2, 2, 2], mrope_interleaved=True,
            partial_rotary_factor=1.0), "head_dim": 12, "vocab_size": len(tokenizer), **special_ids(tokenizer),
        },
        vision_config={**TOWER, "num_hidden_layers": 3, "image_size": 64, "patch_size": 8},
        insert_layer_id=1,
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
    )  # fmt: skip
    return fill(
        MiniCPMV4_6ForConditionalGeneration(config), tokenizer, ["<|im_end|>", "<|endoftext|>"], seed=11
    ), processor
