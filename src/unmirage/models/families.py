"""Everything that differs between model families: where parts are found by name, positions, what can be shared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unmirage.errors import UserError, unknown

# Prefixes of parameter names, by part. LLaVA-like; Qwen-VL; Idefics3 and SmolVLM.
_PARTS: dict[str, tuple[str, ...]] = {
    "vision": ("model.vision_tower.", "model.visual.", "model.vision_model."),
    "projector": (
        "model.multi_modal_projector.",
        "model.visual.merger.",
        "model.visual.deepstack_merger_list.",
        "model.connector.",
        "model.image_newline",
    ),
    "language": ("model.language_model.", "model.text_model.", "lm_head."),
}


def part_of(parameter: str) -> str:
    """Return which part of the VLM a parameter belongs to: "vision", "projector" or "language"."""
    for part in ("projector", "vision", "language"):
        if parameter.startswith(_PARTS[part]):
            return part
    raise ValueError(f"parameter '{parameter}' belongs to no known part of a VLM")


def set_trainable(model: nn.Module, parts: Iterable[str]) -> None:
    """Let only the parameters of `parts` require gradients."""
    chosen = frozenset(parts)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) in chosen)


def lora_targets(model: nn.Module, parts: Iterable[str]) -> list[str]:
    """Return the full names of all `nn.Linear` modules of these parts, as peft's `target_modules` takes them.

    The output head is left out. Modules that LoRA has wrapped already count as what they were.

    Raises:
        UserError: there is no such part.
    """
    chosen = list(parts)
    for part in chosen:
        if part not in _PARTS:
            raise unknown("part", part, _PARTS)
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and ".lora_" not in name]
    names = [name.removesuffix(".base_layer") for name in names]
    return [name for name in names if name != "lm_head" and part_of(f"{name}.") in chosen]


def decoder(model: Any) -> nn.Module:
    """Return the text decoder: the module that has `layers` and `norm`."""
    return _child(model, "language_model", "text_model")


def decoder_layers(model: Any) -> nn.ModuleList:
    """Return the decoder layers, the first one first."""
    layers = decoder(model).layers
    assert isinstance(layers, nn.ModuleList)
    return layers


def _child(model: Any, *names: str) -> nn.Module:
    found: nn.Module | None = next((getattr(model.model, name) for name in names if hasattr(model.model, name)), None)
    if found is None:
        raise UserError(f"model '{model.config.model_type}': has none of {', '.join(names)}; it is of no known family")
    return found


def down_projections(model: Any, layers: Sequence[int]) -> list[str]:
    """Return the parameter names of the MLPs' output weights of these decoder layers, counted from 1, in order.

    Raises:
        UserError: there is no such layer, or its MLP has no single output matrix.
    """
    depth, weights = decoder_depth(model), {}
    prefix = next(name for name, module in model.named_modules() if module is decoder(model))
    for name, _ in model.named_parameters():
        # LoRA puts the weight one level deeper.
        if found := re.fullmatch(re.escape(prefix) + r"\.layers\.(\d+)\.mlp\.down_proj\.(base_layer\.)?weight", name):
            weights[int(found[1]) + 1] = name
    for layer in layers:
        if not 1 <= layer <= depth:
            raise UserError(f"layer {layer}: the model has none; valid: 1 to {depth}")
        if layer not in weights:
            raise UserError(f"layer {layer}: its MLP has no down_proj weight; valid: {sorted(weights) or 'none'}")
    return [weights[layer] for layer in layers]


def vision_output(model: Any) -> nn.Module | None:
    """Return the module that gives out the picture's features before the projector; None where it holds that too."""
    if hasattr(model.model, "visual"):
        return None  # Qwen-VL: merges, and in Qwen3 hands features to the decoder's layers, inside of one module
    return _child(model, "vision_tower", "vision_model")


def vision_layer(model: Any) -> Any:
    """Return which of the outputs of `vision_output` the projector reads: a layer, or several; None for the last one.

    InternVL takes -1 for what the tower gives out, behind its last norm; LLaVA for its last layer, before that.
    """
    layer = getattr(model.config, "vision_feature_layer", None)
    return None if model.config.model_type == "internvl" and layer == -1 else layer


# The families whose own forward pass caps logits, where their text config names a cap; Gemma3's does not.
_CAPPED = frozenset({"paligemma", "gemma3n", "gemma4"})


def output_logits(model: Any, hidden: Tensor, head: nn.Module | None = None) -> Tensor:
    """Return (n, vocabulary): the model's logits, from n of its last hidden states (n, width).

    Those are rows of `model.model(...).last_hidden_state`, so that logits need be made only where they are wanted.
    `head` is an output layer to use in place of the model's own, such as a frozen copy of it.
    """
    logits: Tensor = (model.get_output_embeddings() if head is None else head)(hidden)
    cap: float | None = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if cap is None or model.config.model_type not in _CAPPED:
        return logits
    return torch.tanh(logits / cap) * cap


def _is_paligemma(processor: Any) -> bool:
    return any(kind.__name__ == "PaliGemmaProcessor" for kind in type(processor).__mro__)


def needs_picture(processor: Any) -> bool:
    """Tell whether the family takes no query without a picture."""
    return _is_paligemma(processor)


def fed_text(processor: Any, prompt: str) -> str:
    """Return the text that the processor feeds to the tokenizer, from a rendered prompt; image tokens may be missing.

    PaliGemma's puts the start token between picture and query and a line break after it; Gemma3's puts empty lines
    around the picture.
    """
    if _is_paligemma(processor):
        pictures, token, query = prompt.rpartition("<image>")
        return f"{pictures}{token}{processor.tokenizer.bos_token}{query}\n"
    sequence, start = getattr(processor, "full_image_sequence", None), getattr(processor, "boi_token", None)
    return prompt.replace(start, sequence) if sequence and start else prompt


def marks_tokens(key: str) -> bool:
    """Tell whether what a processor returns under this key is one number a token."""
    return key.endswith("token_type_ids")


def answer_kind(processor: Any) -> int:
    """Return what marks the tokens of an answer, where a family marks tokens (`marks_tokens`).

    Everywhere 0 is text; but in PaliGemma it is the prefix, whose tokens all see each other: an answer marked so
    would be read off instead of foretold.
    """
    return 1 if _is_paligemma(processor) else 0


# What may come in different sizes: tiles, height and width. Models find what is real by `image_sizes` (LLaVA), by
# `pixel_attention_mask`, or take a tile of zeros for none (Idefics3).
_SIZED = frozenset({"pixel_values", "pixel_attention_mask"})


def joined_pictures(key: str, tensors: Sequence[Tensor]) -> Tensor:
    """Return what a processor made of several pictures as one batch: (sum of n, ...) from (n, ...) each.

    Pictures of more tiles than others make the others be filled up with zeros.
    """
    if key in _SIZED and len({tensor.shape[1:] for tensor in tensors}) > 1:
        sizes = [max(lengths) for lengths in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
        tensors = [_filled(tensor, sizes) for tensor in tensors]
    return torch.cat(list(tensors))


def _filled(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [size - length for size, length in zip(sizes, tensor.shape[1:], strict=True)]
    return F.pad(tensor, [amount for size in reversed(missing) for amount in (0, size)])


def decoder_depth(model: Any) -> int:
    """Return the number of decoder layers."""
    return int(model.config.get_text_config().num_hidden_layers)


def image_positions(model: Any, input_ids: Tensor) -> Tensor:
    """Return (batch, tokens) True where the picture's features stand in for a token."""
    image_token: int | None = getattr(model.config, "image_token_id", None)
    if image_token is None:
        return torch.zeros_like(input_ids, dtype=torch.bool)
    return input_ids == image_token


# What a model's own generation settings may hold that changes greedy answers, with the value that changes nothing.
_UNPLAIN = {
    "num_beams": 1, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0,
    "min_length": 0, "min_new_tokens": None, "bad_words_ids": None, "force_words_ids": None,
    "forced_bos_token_id": None, "forced_eos_token_id": None, "suppress_tokens": None,
    "begin_suppress_tokens": None, "exponential_decay_length_penalty": None, "sequence_bias": None,
    "guidance_scale": None, "prompt_lookup_num_tokens": None,
}  # fmt: skip


def why_not_shared(model: Any) -> str:
    """Say why prompts on one picture cannot be answered from a shared prefix; "" where they can."""
    if model.config.model_type in ("paligemma", "paligemma2"):
        return "it attends to the whole prompt from every token of it"
    for name, plain in _UNPLAIN.items():
        value = getattr(model.generation_config, name, None)
        if value not in (None, plain):
            return f"its generation settings hold {name}={value}"
    return ""


def attention_reach(model: Any) -> int | None:
    """Return how many tokens back the attention of some layer reaches; None where it reaches all."""
    config = model.config.get_text_config()
    reach: int | None = getattr(config, "sliding_window", None)
    return reach if getattr(config, "use_sliding_window", True) else None


def end_ids(model: Any) -> set[int]:
    """Return the ids of all tokens that end an answer."""
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config().eos_token_id
    return set() if found is None else set(found if isinstance(found, list) else [found])


def _has_axes(model: Any) -> bool:
    """Tell the models that number image tokens by row and column (Qwen-VL), so that text goes on at an offset."""
    return hasattr(model.model, "rope_deltas")


def positions(model: Any, inputs: Mapping[str, Tensor], deltas: Tensor | None = None) -> dict[str, Tensor]:
    """Return the argument that tells a model where each of `input_ids` (rows, tokens) stands.

    Args:
        model: any VLM.
        inputs: with the `attention_mask` (rows, all tokens) of what is cached and of what is new.
        deltas: (rows, 1) of `image_deltas`; None where nothing is cached yet.
    """
    if deltas is None and _has_axes(model) and "image_grid_thw" in inputs:
        return {}  # the model counts rows and columns by itself
    mask, new = inputs["attention_mask"].long(), inputs["input_ids"].shape[1]
    place = (mask.cumsum(-1) - 1).clamp(min=0)[:, -new:]
    if deltas is not None:
        place = place + deltas
    return {"position_ids": place[None].expand(3, -1, -1) if _has_axes(model) else place}


def image_deltas(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return (rows, 1) how far positions behind a picture are from the count of tokens, once it has been read."""
    if _has_axes(model) and "image_grid_thw" in inputs:
        deltas: Tensor = model.model.rope_deltas
        return deltas.reshape(-1, 1)
    return torch.zeros_like(inputs["input_ids"][:, :1])
