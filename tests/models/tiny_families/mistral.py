"""Mistral Small 3.1: a Pixtral tower, whose images keep their proportions; a token ends every row of patches."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import LIBRARY_PIXELS
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from transformers import (
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    MistralConfig,
    PixtralImageProcessorPil,
    PixtralVisionConfig,
)


def mistral3() -> tuple[Any, Any]:
    """Mistral 3: patches of 8 x 8 pixels, of which 2 x 2 become one token."""
    tokenizer = make_tokenizer(
        ["[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"], pad="<pad>", bos="<s>", eos="</s>"
    )
    processor = LIBRARY_PIXELS["mistral3"](
        image_processor=PixtralImageProcessorPil(size={"longest_edge": 64}, patch_size={"height": 16, "width": 16}),
        tokenizer=tokenizer,
        patch_size=8,
        spatial_merge_size=2,
        chat_template="<s>" + turns("[INST]", "[IMG]", "[/INST]", "", "", "</s>"),
    )
    config = Mistral3Config(
        vision_config=PixtralVisionConfig(**TOWER, image_size=64, patch_size=8),
        text_config=MistralConfig(
            **DECODER, head_dim=12, vocab_size=len(tokenizer), sliding_window=None, **special_ids(tokenizer)
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        tie_word_embeddings=False,
    )
    return fill(Mistral3ForConditionalGeneration(config), tokenizer, ["</s>"]), processor
