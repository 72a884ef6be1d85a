"""Idefics3 and SmolVLM: a picture is enlarged, cut into tiles named by row and column, and shown whole as well."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
)

TILE = 32  # of 4 x 4 patches, and 2 x 2 patches become one token
MARKS = [
    "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
]  # fmt: skip
SIZES = {"size": {"longest_edge": 2 * TILE}, "max_image_size": {"longest_edge": TILE}}


def idefics3() -> tuple[Any, Any]:
    """Idefics3, whose turns do not end with the tokenizer's own end token."""
    tokenizer = make_tokenizer(MARKS, pad="<pad>", bos="<|begin_of_text|>", eos="<|end_of_text|>")
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(**SIZES),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template="<|begin_of_text|>" + _template(),
    )
    config = Idefics3Config(**_parts(tokenizer))
    ends = ["<|end_of_text|>", "<end_of_utterance>"]
    return fill(Idefics3ForConditionalGeneration(config), tokenizer, ends), processor


def smolvlm() -> tuple[Any, Any]:
    """SmolVLM."""
    tokenizer = make_tokenizer(["<|im_start|>", *MARKS], pad="<|endoftext|>", eos="<end_of_utterance>")
    processor = WITHOUT_VIDEO["smolvlm"](
        image_processor=SmolVLMImageProcessorPil(**SIZES),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template="<|im_start|>" + _template(),
    )
    return fill(
        SmolVLMForConditionalGeneration(SmolVLMConfig(**_parts(tokenizer))), tokenizer, ["<end_of_utterance>"]
    ), processor


def _template() -> str:
    return turns("User:", "<image>", "<end_of_utterance>\n", "Assistant:", "Assistant: ", "<end_of_utterance>\n")


def _parts(tokenizer: Any) -> dict[str, Any]:
    return {
        "vision_config": {**TOWER, "image_size": TILE, "patch_size": 8},
        "text_config": LlamaConfig(**DECODER, vocab_size=len(tokenizer), **special_ids(tokenizer)),
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
        "scale_factor": 2,
        "pad_token_id": tokenizer.pad_token_id,
    }
