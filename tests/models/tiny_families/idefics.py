"""Idefics3 and SmolVLM: a picture is enlarged, cut into tiles named by row and column, and shown whole as well.

Idefics 2 shows it whole, in its own proportions, and lets a few tokens look at all of it.
"""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Idefics2Config,
    Idefics2ForConditionalGeneration,
    Idefics2ImageProcessorPil,
    Idefics2Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    MistralConfig,
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


def idefics2() -> tuple[Any, Any]:
    """Idefics 2, whose turns do not end with the tokenizer's own end token."""
    tokenizer = make_tokenizer(
        ["<fake_token_around_image>", "<image>", "<end_of_utterance>"], pad="<pad>", bos="<s>", eos="</s>"
    )
    processor = Idefics2Processor(
        image_processor=Idefics2ImageProcessorPil(
            size={"shortest_edge": TILE, "longest_edge": 2 * TILE}, do_image_splitting=False
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template="<s>" + _template(),
    )
    config = Idefics2Config(
        vision_config={**TOWER, "image_size": 2 * TILE, "patch_size": 8},
        perceiver_config={
            "hidden_size": DECODER["hidden_size"], "resampler_n_latents": 4, "resampler_depth": 1,
            "resampler_n_heads": 2, "resampler_head_dim": 16, "num_key_value_heads": 1,
        },
        text_config=MistralConfig(
            **DECODER, head_dim=12, sliding_window=None, vocab_size=len(tokenizer), **special_ids(tokenizer)
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    ends = ["</s>", "<end_of_utterance>"]
    return fill(Idefics2ForConditionalGeneration(config), tokenizer, ends), processor


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
