"""Read the config.json of an original LLaVA checkpoint; unsupported settings are errors that name the field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import LlamaConfig

from unmirage.errors import UserError, one_line
from unmirage.run.files import read_object

_MODEL_TYPES = ("llava", "llava_llama")
_ARCHITECTURE = "LlavaLlamaForCausalLM"
_PROJECTORS = {"mlp2x_gelu": "gelu", "linear": "linear"}  # name: activation between its two layers
_FEATURES = {"patch": "default", "cls_patch": "full"}
_PICTURES = {"pad": True, "square": False}  # name: whether images are padded to squares
# Settings of the decoder. The file also holds training settings and those of the parts that LLaVA adds.
_DECODER = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "rope_theta", "rope_scaling", "rope_parameters", "attention_bias", "mlp_bias", "bos_token_id", "eos_token_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OriginalConfig:
    """Settings of an original checkpoint.

    Attributes:
        decoder: config of the language model, with the checkpoint's vocabulary size.
        layer: layer of the tower whose output the projector reads.
        features: "default" (patches) or "full" (with the class token).
        projector: "mlp2x_gelu" or "linear".
        pad_to_square: whether images are padded to squares rather than cropped.
    """

    decoder: LlamaConfig
    tower: str
    layer: int
    features: str
    projector: str
    activation: str
    pad_to_square: bool


def read_config(folder: Path) -> OriginalConfig:
    """Return the settings in `config.json`; an invalid one raises a `UserError` that names the field."""
    file = folder / "config.json"
    config = read_object(file)
    _check_layout(file, config)
    projector = _one_of(file, config, "mm_projector_type", "linear", _PROJECTORS)
    layer = config.get("mm_vision_select_layer", -2)
    if not isinstance(layer, int):
        raise UserError(f"{file}: mm_vision_select_layer is {layer!r}; valid: an integer")
    return OriginalConfig(
        decoder=_decoder(file, config),
        tower=str(config.get("mm_vision_tower", config.get("vision_tower", ""))),
        layer=layer,
        features=_FEATURES[_one_of(file, config, "mm_vision_select_feature", "patch", _FEATURES)],
        projector=projector,
        activation=_PROJECTORS[projector],
        pad_to_square=_PICTURES[_one_of(file, config, "image_aspect_ratio", "square", _PICTURES)],
    )


def _check_layout(file: Path, config: dict[str, Any]) -> None:
    kind, architectures = config.get("model_type"), config.get("architectures") or [_ARCHITECTURE]
    if "text_config" in config or "LlavaForConditionalGeneration" in architectures:
        raise UserError(f"{file}: already in the Hugging Face layout; use {file.parent} without conversion")
    if kind not in _MODEL_TYPES:
        raise UserError(f"{file}: model_type is {kind!r}; valid: {', '.join(_MODEL_TYPES)}")
    if architectures != [_ARCHITECTURE]:
        raise UserError(f"{file}: architectures is {architectures!r}; valid: ['{_ARCHITECTURE}']")
    if config.get("quantization_config"):
        raise UserError(f"{file}: quantization_config: the weights are quantized; use the unquantized checkpoint")
    if config.get("mm_use_im_start_end"):
        raise UserError(
            f"{file}: mm_use_im_start_end is true, which Hugging Face processors do not support; valid: false"
        )
    if config.get("tie_word_embeddings"):
        raise UserError(f"{file}: tie_word_embeddings is true, which LLaVA on Llama does not support; valid: false")


def _one_of(file: Path, config: dict[str, Any], field: str, default: str, valid: dict[str, Any]) -> str:
    value = config.get(field) or default
    if value not in valid:
        hint = "; LLaVA-1.6 is on the hub as llava-hf/llava-v1.6-*" if str(value).startswith("anyres") else ""
        raise UserError(f"{file}: {field} is {value!r}; valid: {', '.join(valid)}{hint}")
    return str(value)


def _decoder(file: Path, config: dict[str, Any]) -> LlamaConfig:
    try:
        return LlamaConfig(**{key: config[key] for key in _DECODER if config.get(key) is not None})
    except (StrictDataclassError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"{file}: {one_line(error, 200)}") from None
