"""PaliGemma and Gemma3: a SigLIP tower, and pictures (or whole prompts) that are read in both directions."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Gemma3TextConfig,
    GemmaConfig,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
)

SIDE = 32
WINDOW = 16  # shorter than any prompt with a picture


def gemma3() -> tuple[Any, Any]:
    """Gemma3: sliding windows in two of three layers; its turns do not end with the tokenizer's own end token."""
    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    tokenizer = make_tokenizer(
        ["<start_of_turn>", "<end_of_turn>", *named.values()], pad="<pad>", bos="<bos>", eos="<eos>", named=named
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template="{{ bos_token }}" + turns(
            "<start_of_turn>user\n", "<start_of_image>", "<end_of_turn>\n",
            "<start_of_turn>model\n", "<start_of_turn>model\n", "<end_of_turn>\n",
        ),
    )  # fmt: skip
    text = Gemma3TextConfig(
        **DECODER, vocab_size=len(tokenizer), head_dim=12, query_pre_attn_scalar=12, sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], **special_ids(tokenizer),
    )  # fmt: skip
    config = Gemma3Config(
        vision_config=SiglipVisionConfig(**TOWER, image_size=SIDE, patch_size=8, vision_use_head=False),
        text_config=text,
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
    return fill(Gemma3ForConditionalGeneration(config), tokenizer, ["<eos>", "<end_of_turn>"]), processor


def paligemma() -> tuple[Any, Any]:
    """PaliGemma, which has no chat: its processor puts `<bos>` between picture and query, and a line break after."""
    tokenizer = make_tokenizer(["<image>"], pad="<pad>", bos="<bos>", eos="<eos>", named={"image_token": "<image>"})
    image_processor = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    image_processor.image_seq_length = 16
    processor = PaliGemmaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        chat_template=turns("", "<image>", "", "", "", "<eos>"),
    )
    config = PaliGemmaConfig(
        vision_config=SiglipVisionConfig(**TOWER, image_size=SIDE, patch_size=8, vision_use_head=False),
        text_config=GemmaConfig(**DECODER, head_dim=12, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        image_token_index=tokenizer.image_token_id,
        vocab_size=len(tokenizer),
        projection_dim=DECODER["hidden_size"],
        hidden_size=DECODER["hidden_size"],
    )
    return fill(PaliGemmaForConditionalGeneration(config), tokenizer, ["<eos>"]), processor
