"""The shapes of gpu.py: full-size models, and tiny ones that have the same families and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import random_llava
import random_qwen

from unmirage.models import HuggingFaceVLM

LLAVA, QWEN, LLAVA_13B = "llava-1.5-7b", "qwen2.5-vl-7b", "llava-1.5-13b"
Shape = tuple[Callable[..., HuggingFaceVLM], dict[str, Any]]

FULL: dict[str, Shape] = {
    LLAVA: (random_llava.make_vlm, random_llava.SHAPE_7B),
    QWEN: (random_qwen.make_vlm, random_qwen.SHAPE_7B),
    LLAVA_13B: (
        random_llava.make_vlm,
        random_llava.SHAPE_7B
        | {
            "text": {
                "hidden_size": 5120,
                "intermediate_size": 13824,
                "num_hidden_layers": 40,
                "num_attention_heads": 40,
            }
        },
    ),
}
# As many layers as the recipes name.
_TINY_LLAVA: dict[str, Any] = {
    "vision": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
    "text": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 20, "num_attention_heads": 2},
    "image_size": 56,
    "vocab_size": 1280,
}
TINY: dict[str, Shape] = {
    LLAVA: (random_llava.make_vlm, _TINY_LLAVA),
    LLAVA_13B: (random_llava.make_vlm, _TINY_LLAVA),
    QWEN: (
        random_qwen.make_vlm,
        {
            "vision": {
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_heads": 2,
                "out_hidden_size": 56,
                "window_size": 112,
                "fullatt_block_indexes": [1],
            },
            "text": {
                "hidden_size": 56,
                "intermediate_size": 128,
                "num_hidden_layers": 8,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 5, 5]},
            },
            "image_size": 56,
            "vocab_size": 1280,
        },
    ),
}
