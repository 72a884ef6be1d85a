"""Tiny random models of new types without processors: text alone shows their decoders, caches and logits."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

VOCABULARY, IMAGE, END = 120, 100, 2
_TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "vocab_size": VOCABULARY, "max_position_embeddings": 2048,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END,
}  # fmt: skip
_VISION = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_QWEN_VISION = {
    "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 8, "out_hidden_size": 32,
    "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
}  # fmt: skip
_EXPERTS = {
    "moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2, "shared_expert_intermediate_size": 16,
}  # fmt: skip
_STATES = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4, "layer_types": ["linear_attention"] * 3 + ["full_attention"],
}  # fmt: skip
_ROPE = {
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1], "mrope_interleaved": True,
        "partial_rotary_factor": 1.0,
    }
}  # fmt: skip
_QWEN = {
    "image_token_id": IMAGE, "video_token_id": 101, "vision_start_token_id": 102, "vision_end_token_id": 103,
    "vision_config": _QWEN_VISION,
}  # fmt: skip

SETTINGS: dict[str, dict[str, Any]] = {
    "qwen3_5": {**_QWEN, "text_config": {**_TEXT, **_STATES, **_ROPE}},
    "qwen3_5_moe": {**_QWEN, "text_config": {**_TEXT, **_STATES, **_EXPERTS, **_ROPE}},
    "qwen3_vl_moe": {**_QWEN, "text_config": {**_TEXT, **_EXPERTS, **_ROPE}},
    "minicpmv4_6": {
        "text_config": {"model_type": "qwen3_5_text", **_TEXT, **_STATES, **_ROPE},
        "vision_config": _VISION,
        "image_token_id": IMAGE,
    },
    "lfm2_vl": {
        "text_config": {
            "model_type": "lfm2", **_TEXT, "layer_types": ["conv", "conv", "full_attention", "conv"], "conv_L_cache": 3,
        },
        "vision_config": _VISION,
        "image_token_id": IMAGE,
    },
    "gemma4": {
        "text_config": {
            **_TEXT, "num_hidden_layers": 6, "num_kv_shared_layers": 2, "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 8, "global_head_dim": 8, "sliding_window": 512,
            "layer_types": ["sliding_attention", "full_attention"] * 3, "final_logit_softcapping": 7.0,
        },
        "image_token_id": IMAGE,
    },
    "llama4": {
        "text_config": {
            **_TEXT, "num_local_experts": 2, "intermediate_size_mlp": 64, "interleave_moe_layer_step": 2,
            "attention_chunk_size": 512,
        },
        "vision_config": {
            **_VISION, "vision_output_dim": 32, "projector_input_dim": 32, "projector_output_dim": 32,
        },
        "image_token_index": IMAGE,
    },
    "mllama": {
        "text_config": {**_TEXT, "cross_attention_layers": [1]},
        "vision_config": {
            **_VISION, "vision_output_dim": 64, "attention_heads": 2, "num_global_layers": 1,
            "intermediate_layers_indices": [0], "supported_aspect_ratios": [[1, 1]],
        },
        "image_token_index": IMAGE,
    },
    "kimi_k25": {
        "text_config": {
            **_TEXT, "model_type": "deepseek_v3", "num_key_value_heads": 4, "n_routed_experts": 4,
            "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 16, "kv_lora_rank": 8,
            "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
            "first_k_dense_replace": 1, "n_shared_experts": 1,
        },
        "vision_config": {**_VISION, "hidden_dim": 32},
        "image_token_id": IMAGE,
    },
    "deepseek_vl": {
        "text_config": {"model_type": "llama", **_TEXT}, "vision_config": _VISION, "image_token_id": IMAGE,
    },
}  # fmt: skip


def tiny(kind: str) -> Any:
    """Return a random model of a type, in which every token matters."""
    # Tiny copies: the library adds defaults to the dictionaries that it is given.
    config = CONFIG_MAPPING[kind](
        **{key: dict(one) if isinstance(one, dict) else one for key, one in SETTINGS[kind].items()}
    )
    model = AutoModelForImageTextToText.from_config(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                spread = 0.3 if parameter.dim() == 3 else 1.3 * (parameter.shape[0] / parameter.numel()) ** 0.5
                parameter.normal_(0, spread, generator=generator)
        model.get_input_embeddings().weight.normal_(0, 1, generator=generator)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = END, 0
    return model
