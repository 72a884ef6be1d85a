"""Make a tiny random model of any image-text-to-text type of transformers, by shrinking its default configuration.

Sizes are set by the names that configurations give them, so most types need nothing of their own; `FIXES` has the rest.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

WIDTH, HEADS, HEAD, LAYERS, VOCABULARY = 32, 4, 8, 4, 640
SPREAD = 1.3  # times the root of 1 / inputs: with the library's 0.02, no word would matter in a model this narrow
LOUD = 3.0  # spread of the logits, so that rounding never decides between two tokens

# (names, value), in order: the first that matches sets the number. A function gets the default.
_RULES: list[tuple[str, int | Callable[[int], int]]] = [
    (r"(padded_|text_)?vocab(ulary)?_size(_per_layer_input)?|n_vocab", VOCABULARY),
    (r"additional_vocab_size", 8),
    (r"hidden_size_per_layer_input|laurel_rank", HEAD),
    (r"moe_intermediate_size|(moe_)?shared_expert_intermediate_size|moe_shared_expert_intermediate_size", 16),
    (r"(q_lora|kv_lora|o_lora|mlp_lora|lora|time_step|dt)_rank|(hc|index)_lora_rank", 8),
    (r"qk_rope_head_dim|qk_nope_head_dim|v_head_dim|global_head_dim|index_head_dim|mamba_head_dim", HEAD),
    (r"(attention_)?head_dim|kv_channels|qk_head_dim|resampler_head_dim|attn_head_dim|swa_head_dim", HEAD),
    (r"linear_(key|value)_head_dim|ssm_state_size|mamba_d_state|mamba_d_head", HEAD),
    (r"linear_num_key_heads", 2),
    (r"linear_num_value_heads|mamba_num_heads|mamba_n_heads", 4),
    (r"(num_key_value_heads|num_kv_heads|n_kv_heads|num_global_key_value_heads|attn_num_kv_heads)",
     lambda size: 1 if size == 1 else 2),
    (r".*(num_|n_)?(attention_heads|attn_heads|heads|_head|nhead)|n_head|n_heads|num_heads", HEADS),
    (r"(num_|n_)?(local_|routed_)?experts|moe_num_experts|num_local_experts|n_routed_experts", 4),
    (r"num_experts_per_tok(en)?|moe_topk|moe_k|top_k_experts|num_experts_per_token", 2),
    (r"n_group|topk_group|n_groups|mamba_n_groups", 1),
    (r"n_shared_experts|moe_num_shared_experts|first_k_dense_replace|moe_layer_start_index|num_hash_layers", 1),
    (r"num_hidden_layers|n_layers?|num_layers|depths?|(encoder|decoder)_layers|resampler_depth|perceiver_depth"
     r"|num_decoder_layers|num_global_layers|vt_num_hidden_layers", LAYERS),
    (r".*(intermediate_size|intermediate_size_mlp|ffn_dim|d_ff|mlp_dim|ffn_hidden_size|inner_dim|mlp_hidden_size)",
     2 * WIDTH),
    (r"patch_size|spatial_patch_size", 8),
    (r"(image|img|input|crop|window_image|base_image|tile)_size", 32),
    (r"max_(position|source_position)s?(_embeddings)?|seq_length|max_seq_len(gth)?|n_positions|model_max_length"
     r"|max_sequence_length", 512),
    (r"num_position_embeddings|num_patches", 16),
    (r"sliding_window(_size)?|attention_chunk_size|local_attention_window", 512),
    (r".*(hidden_size|hidden_dim|_dim|d_model|n_embd|embed_dim|embedding_size|emb_dim|output_dim|model_dim|width|dim)"
     r"|d_model|dim|hidden_sizes?|embed_dims?", WIDTH),
    (r"(num_)?(query|latent|image)_(tokens|length)|resampler_n_latents|num_query_tokens|num_image_tokens|n_latents", 4),
]  # fmt: skip
_COMPILED = [(re.compile(names), value) for names, value in _RULES]
# Names that look like sizes above and are not.
_KEPT = re.compile(
    r".*(rotary_dim|spatial_merge_size|temporal_patch_size|conv_kernel_dim|kernel_size|merge_size|num_channels|in_dim)"
)
_TOKEN = re.compile(r".*(_token_id|_token_index|_token|_token_ids|_patch_id|_id|_ids|_index)|.*_id")
_NAMED = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "sep_token_id": 2}
# What the rules do not tell, by type.
_VQ = {"base_channels": 32, "num_res_blocks": 1, "channel_multiplier": [1, 1], "num_embeddings": 16}
_MROPE = {"text_config": {"rope_parameters": {"mrope_section": [2, 1, 1]}}}
_INDEXER = {"index_topk": 512, "index_n_heads": 2, "index_kpool": 16}
FIXES: dict[str, dict[str, Any]] = {
    "aria": {"projector_patch_to_query_dict": {16: 4}},
    "chameleon": {"vocabulary_map": {"<image>": 3, "IMGIMGAAZ": 600}, "vq_config": _VQ},
    "cohere_compass": {"text_config": {"rope_parameters": {
        "full_attention": None, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}},
    "deepseek_ocr2": {"text_config": {
        "num_experts_per_tok": 2, "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"]}},
    "deepseek_vl_hybrid": {"high_res_vision_config": {"output_channels": 8}},
    "diffusion_gemma": {"text_config": {"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 16}},
    "dots3_note": {
        "vision_config": {"adapter_in_dim": 32, "adapter_out_dim": 32},
        "audio_config": {"adapter_input_size": 32},
        "text_config": {"per_layer_config": {2: {"head_dim": 16}, 3: {"head_dim": 16}}}},
    "emu3": {"vocabulary_map": {"<image>": 3, "<|extra_200|>": 601, "<|visual token 000000|>": 600}, "vq_config": _VQ},
    "ernie4_5_vl_moe": {"text_config": {"head_dim": 8, "rope_parameters": {"mrope_section": [1, 1, 2]}}},
    "florence2": {"vision_config": {
        "embed_dim": [16, 16, 32, 32], "num_heads": [2, 2, 4, 4], "num_groups": [2, 2, 4, 4], "depths": [1, 1, 1, 1]}},
    "glm46v": _MROPE, "glm4v": _MROPE, "glm_ocr": _MROPE, "glmga": _MROPE, "paddleocr_vl": _MROPE,
    "glm4v_moe": {"text_config": {"rope_parameters": {"mrope_section": [1, 1, 0]}}},
    "glm5_next": {"text_config": {**_INDEXER, "linear_num_heads": 2, "linear_head_dim": 8, "qk_rope_head_dim": 0}},
    "granite4_vision": {
        "downsample_rate": "1/2", "deepstack_layer_map": [[-1, 0]], "spatial_layer_map": None,
        "spatial_target_layers": [0, 1, 2, 3], "vision_config": {"hidden_size": 64}},
    "hunyuan_vl": {"text_config": {"head_dim": 8, "rope_parameters": {"xdrope_section": [1, 1, 1, 1]}}},
    "janus": {"vq_config": _VQ},
    "mistral4": {"head_dim": 16},
    "step3p7": {"text_config": {"sliding_window": 512}},
    "muse_spark": {"audio_config": {
        "hidden_sizes": [16, 16, 16, 32], "depths": [1, 1, 1, 1], "patch_sizes": [16, 6, 5, 4]}},
    "mistral_large4": {"text_config": {**_INDEXER, "kv_source_layers": [0, 1, 1, 3]}},
    "molmo2": {"adapter_config": {"vision_feature_layer": [2, 1], "text_hidden_size": WIDTH}},
    "qwen2_5_omni_thinker": {"vision_start_token_id": 602, **_MROPE},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 602},
    "qwen4_exp": {"text_config": {
        "hc_lowrank": 8, "ngram_vocab_size_base": 64, "split_ngram_parts": 2, "heads_per_ngram": 2,
        "make_ngram_vocab_size_divisible_by": 8, "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8,
        "indexer_budget": 512, "indexer_compress_ratio": 16}},
}  # fmt: skip
IMAGE = 3  # the id of the image token, in the tokenizer of the text processor


def types() -> list[str]:
    """Return all model types of `AutoModelForImageTextToText`, in order."""
    return sorted(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def tiny_config(model_type: str) -> PretrainedConfig:
    """Return the default configuration of a type, with every size made small."""
    kind = CONFIG_MAPPING[model_type]
    fix = FIXES.get(model_type, {})
    config = kind(**{name: {} for name in _missing_parts(kind())})
    shrunk = shrink(config.to_dict(), _Tokens())
    return kind.from_dict(_merged(shrunk, fix))  # type: ignore[no-any-return]


def _missing_parts(config: PretrainedConfig) -> list[str]:
    """Return the parts that a default configuration leaves out (Gemma 4 has no vision by default)."""
    return [name for name in config.sub_configs if getattr(config, name, None) is None and "audio" not in name]


class _Tokens:
    """Deals out ids for the special tokens that lie beyond the tiny vocabulary."""

    def __init__(self) -> None:
        self._given: dict[int, int] = {}

    def id_of(self, name: str, number: int) -> int:
        if name in _NAMED:
            return _NAMED[name]
        if re.fullmatch(r"(image|img)_(token|patch)_(id|index)|image_token|media_placeholder_token_id", name):
            return IMAGE
        return self._given.setdefault(number, VOCABULARY - 1 - len(self._given))


def shrink(config: Mapping[str, Any], tokens: Any = None) -> dict[str, Any]:
    """Return a configuration (as a dictionary) with small sizes; lists by layer are cut to the new depth."""
    tokens = tokens or _Tokens()
    found: dict[str, Any] = {}
    if not all(isinstance(name, str) for name in config):
        return copy.deepcopy(dict(config))
    depths = {
        value for name, value in config.items() if isinstance(value, int) and _value(name, value) == LAYERS
        and ("layer" in name or "depth" in name)
    }  # fmt: skip
    for name, value in config.items():
        if name == "per_layer_config" and value:  # what one layer has of its own: by number
            kept = {int(at): one for at, one in value.items() if int(at) < LAYERS}
            kept = kept or {LAYERS - 1: next(iter(value.values()))}
            found[name] = {at: shrink(one, tokens) for at, one in kept.items()}
        elif isinstance(value, Mapping):
            nested = name in ("id2label", "label2id") or not value
            found[name] = dict(value) if nested else shrink(value, tokens)
        elif isinstance(value, list) and value and len(value) in depths:
            found[name] = _some_of_each(value)
        elif name == "mrope_section":
            found[name] = [2, 1, 1]
        elif isinstance(value, int) and not isinstance(value, bool):
            found[name] = _number(name, value, tokens)
        elif isinstance(value, list) and _TOKEN.fullmatch(name) and all(isinstance(one, int) for one in value):
            found[name] = [tokens.id_of("", one) if one >= VOCABULARY else one for one in value]
            found[name] = [2] if name == "eos_token_id" else found[name]
        else:
            found[name] = copy.deepcopy(value)
    if "num_attention_heads" in config and config.get("num_key_value_heads") == config["num_attention_heads"]:
        found["num_key_value_heads"] = found["num_attention_heads"]
    return found


def _number(name: str, value: int, tokens: Any) -> int:
    if _TOKEN.fullmatch(name):
        return int(tokens.id_of(name, value)) if value >= VOCABULARY or name in _NAMED or "image" in name else value
    return _value(name, value)


def _value(name: str, value: int) -> int:
    if value <= 1 or _KEPT.fullmatch(name):
        return value
    for names, small in _COMPILED:
        if names.fullmatch(name):
            return small(value) if callable(small) else small
    return value


def _some_of_each(values: list[Any]) -> list[Any]:
    """Return one value for each of the remaining layers; every kind of layer keeps a place if there is room."""
    kept = values[:LAYERS]
    missing = [one for one in dict.fromkeys(map(repr, values)) if one not in map(repr, kept)]
    for place, one in zip(range(LAYERS - 1, 0, -1), missing, strict=False):
        kept[place] = next(value for value in values if repr(value) == one)
    return kept


def _merged(config: dict[str, Any], fix: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in fix.items():
        nested = isinstance(value, Mapping) and isinstance(config.get(name), dict)
        config[name] = _merged(config[name], value) if nested else copy.deepcopy(value)
    return config


def tiny_model(model_type: str, seed: int = 0) -> Any:
    """Return a model of the type with random weights, in float32."""
    config = tiny_config(model_type)
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                spread = SPREAD * (parameter.shape[0] / parameter.numel()) ** 0.5
                parameter.normal_(0.0, min(spread, 1.0), generator=generator)
        words = _embeddings(model)
        head = model.get_output_embeddings()
        if words is not None:
            words.weight.normal_(0.0, 1.0, generator=generator)
        if head is not None and (words is None or head.weight is not words.weight):
            head.weight.mul_(LOUD)
    if model.can_generate():
        model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 0
        model.generation_config.bos_token_id = 1
    return model


def _embeddings(model: Any) -> Any:
    try:
        return model.get_input_embeddings()
    except NotImplementedError:  # PP-FormulaNet does not say
        return None
