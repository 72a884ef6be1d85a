"""Facts about single model families that their structure does not tell (`structure.py`): inputs, positions, sharing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin

from unmirage.models.discovery import inputs_of
from unmirage.models.key_values import why_not_cached
from unmirage.models.logits import output_layer, output_logits
from unmirage.models.structure import (
    decoder,
    decoder_depth,
    decoder_layers,
    down_projections,
    embedding_count,
    final_norm,
    forward_errors,
    inner,
    last_hidden,
    lora_targets,
    part_of,
    set_part_names,
    set_trainable,
    structure_of,
    towers,
    vision_stack,
)

__all__ = [
    "ATTENTION_OUT", "FIRST_NORMS", "MLP_OUT", "SEPARATORS",
    "add_end", "answer_marks", "attention_reach", "decoder", "decoder_depth", "decoder_layers", "down_projections",
    "embedding_count", "end_ids", "final_norm", "forward_errors", "image_deltas", "inner",
    "joined_pictures", "last_hidden", "longer_apart", "lora_targets", "marks_tokens", "output_layer",
    "output_logits", "part_of", "per_token", "placeholder", "positions", "rows_apart", "set_part_names",
    "set_trainable", "structure_of", "towers", "vision_layer", "vision_output", "vision_stack",
    "why_not_shared", "why_unsupported",
]  # fmt: skip

# Families tested to give one tensor a picture (tiles, tokens, width), of which the projector reads one layer. The
# features of others (packed patches, several outputs) are computed in every step.
_ONE_OUTPUT = frozenset(
    {"llava", "llava_next", "llava_onevision", "internvl", "idefics3", "smolvlm", "gemma3", "paligemma"}
)


def vision_output(model: Any) -> nn.Module | None:
    """Return the module whose output is the image features before the projector; None if they cannot be cached."""
    found = towers(model)
    # Qwen-VL merges features (and Qwen3 feeds them to decoder layers) inside this one module.
    if len(found) != 1 or structure_of(model).inside or model.config.model_type not in _ONE_OUTPUT:
        return None
    return found[0]


def vision_layer(model: Any) -> Any:
    """Return which outputs of `vision_output` the projector reads: one layer or several; None for the last one.

    In InternVL, -1 is the tower's output after its last norm; in LLaVA it is the last layer, before that norm.
    """
    layer = getattr(model.config, "vision_feature_layer", None)
    return None if model.config.model_type == "internvl" and layer == -1 else layer


# Last names of the modules that end the attention and the MLP of a layer, and of the norms before the attention.
ATTENTION_OUT = frozenset({"o_proj", "out_proj", "proj", "dense", "projection_layer", "wo", "c_proj"})
MLP_OUT = frozenset({"down_proj", "fc2", "linear_fc2", "w2", "ff_out", "dense_4h_to_h"})
FIRST_NORMS = frozenset(
    {"input_layernorm", "layer_norm1", "norm1", "attention_norm", "layernorm_before", "operator_norm"}
)

# What a processor may put between the image's last special token and the query: Gemma3 an empty line, Idefics 2 a
# space, unless the query begins with one.
SEPARATORS = ("", "\n\n", "\n", " ")


def _is_paligemma(processor: Any) -> bool:
    return any(kind.__name__ == "PaliGemmaProcessor" for kind in type(processor).__mro__)


def why_unsupported(processor: Any, pictures: int, *, plain: bool) -> str:
    """Return why the family cannot be asked with this number of pictures; "" if it can.

    Args:
        plain: the conversation is one turn, with at most one picture, which is before the text.
    """
    if not _is_paligemma(processor):
        return ""
    if not pictures:
        return "has no image; this model requires one in every query"
    return "" if plain else "has several pictures or turns; this model takes one picture and one turn"


def placeholder(processor: Any, prompt: str) -> str | None:
    """Return the text of an image in a rendered prompt; None if the processor does not tell."""
    # Chat templates write either; Gemma 3's writes the token that begins an image.
    names = [getattr(processor, name, None) for name in ("image_token", "boi_token")]
    tokens = [str(name) for name in names if name]
    return max(tokens, key=prompt.count) if tokens else None


# Llama 3.2 Vision's: (rows, tokens, images, tiles), which tiles of which image each token attends to.
_APART = "cross_attention_mask"


def marks_tokens(key: str) -> bool:
    """Return whether the processor's output under this key has one number per token."""
    return key.endswith("token_type_ids")


def answer_marks(processor: Any, key: str, marks: Tensor, tokens: int) -> Tensor:
    """Return what follows the prompt's `marks` (1, prompt tokens, ...) for response tokens (see `per_token`).

    Usually token type 0 is text. In PaliGemma, 0 is the prefix, whose tokens all attend to each other: a response with
    that type would see its own next tokens. A response attends to the images that the end of the prompt attends to.
    """
    if key == _APART:
        return marks[:, -1:].expand(-1, tokens, *marks.shape[2:])
    return marks.new_full((1, tokens), 1 if _is_paligemma(processor) else 0)


def longer_apart(inputs: Mapping[str, Tensor], tokens: int) -> dict[str, Tensor]:
    """Return what `inputs` say about images apart from the text, for this many more tokens; {} in other families."""
    marks = inputs.get(_APART)
    if marks is None:
        return {}
    return {_APART: torch.cat([marks, marks[:, -1:].expand(-1, tokens, *marks.shape[2:])], dim=1)}


def per_token(key: str) -> bool:
    """Return whether the processor's output under this key covers the tokens: one number or more for each."""
    return marks_tokens(key) or key == _APART


# Outputs whose tiles, height and width may vary. Models find the real pixels by `image_sizes` (LLaVA) or by
# `pixel_attention_mask`, or ignore tiles of zeros (Idefics3).
_SIZED = frozenset({"pixel_values", "pixel_attention_mask"})


def joined_pictures(rows: Sequence[Mapping[str, Tensor]], tokens: int) -> dict[str, Tensor]:
    """Return the processor's outputs about images for several rows as one batch: (sum of n, ...) from (n, ...) each.

    Images with fewer tiles than others are padded with zeros.

    Args:
        rows: outputs of each row; rows without an image have none.
        tokens: width of the batch.
    """
    keys = sorted({key for row in rows for key in row if not marks_tokens(key)})
    if _APART in keys:
        return _joined_apart(rows, keys, tokens)
    return {key: _joined(key, [row for row in rows if key in row]) for key in keys}


def _joined(key: str, rows: Sequence[Mapping[str, Tensor]]) -> Tensor:
    tensors = [row[key] for row in rows]
    if key == "pixel_values" and "target_sizes" in rows[0]:
        return torch.cat(tensors, dim=-1)  # MiniCPM-V: (1, channels, patch, pixels of all images)
    if key == "image_token_pooling":  # Molmo 2: numbers of patches, counted through the batch
        before = [0, *accumulate(row["pixel_values"].shape[:2].numel() for row in rows)]
        tensors = [torch.where(one >= 0, one + start, one) for one, start in zip(tensors, before, strict=False)]
    if key in _SIZED and len({tensor.shape[1:] for tensor in tensors}) > 1:
        sizes = [max(lengths) for lengths in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
        tensors = [_filled(tensor, sizes) for tensor in tensors]
    return torch.cat(tensors)


def _joined_apart(rows: Sequence[Mapping[str, Tensor]], keys: Sequence[str], tokens: int) -> dict[str, Tensor]:
    """Return one entry per row, also for rows with fewer images or none, which attend to no image."""
    found: dict[str, Tensor] = {}
    for key in keys:
        like = next(row[key] for row in rows if key in row)
        sizes, place = [*like.shape[1:]], 1 if key == _APART else 0
        sizes[place] = max(row[key].shape[1 + place] for row in rows if key in row)
        if key == _APART:
            sizes[0] = tokens
        nothing = like.new_zeros((1, *sizes))
        found[key] = torch.cat([_filled(row[key], sizes) if key in row else nothing for row in rows])
    return found


def _filled(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [size - length for size, length in zip(sizes, tensor.shape[1:], strict=True)]
    return F.pad(tensor, [amount for size in reversed(missing) for amount in (0, size)])


def rows_apart(inputs: Mapping[str, Tensor]) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Return rows and inputs of the forward passes that a batch needs; usually one, of all rows.

    In Llama 3.2 Vision, tokens that see no image (text before the first one, rows without any) attend to all images of
    the batch alike, even to padding. Rows with equally many images therefore go together.
    """
    every = torch.arange(len(inputs["input_ids"]), device=inputs["input_ids"].device)
    if _APART not in inputs:
        return [(every, dict(inputs))]
    counts = inputs[_APART].flatten(3).any(dim=3).any(dim=1).sum(dim=1)
    passes = []
    for count in sorted(set(counts.tolist())):
        chosen = (counts == count).nonzero()[:, 0]
        part = {key: tensor.index_select(0, chosen) for key, tensor in inputs.items()}
        for key in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask", _APART):
            if not count:
                del part[key]
            else:
                part[key] = part[key][:, :, :count] if key == _APART else part[key][:, :count]
        passes.append((chosen, part))
    return passes


# Generation settings that change greedy decoding, each with the value that has no effect.
_UNPLAIN = {
    "num_beams": 1, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0,
    "min_length": 0, "min_new_tokens": None, "bad_words_ids": None, "force_words_ids": None,
    "forced_bos_token_id": None, "forced_eos_token_id": None, "suppress_tokens": None,
    "begin_suppress_tokens": None, "exponential_decay_length_penalty": None, "sequence_bias": None,
    "guidance_scale": None, "prompt_lookup_num_tokens": None,
}  # fmt: skip


# Inputs of a forward pass that only the library's own loop carries from token to token (Llama 3.2 Vision, Idefics).
_CARRIED = ("cross_attention", "image_attention_mask", "image_encoder", "perceiver", "decoder_input_ids")


def _why_plain(model: Any) -> str:
    """Return why only the library's own generation loop is right for a model; "" if ours is too."""
    if model.config.model_type in ("paligemma", "paligemma2"):
        return "every prompt token attends to the whole prompt"
    if getattr(model.config, "is_encoder_decoder", False):
        return "it has an encoder and a decoder"
    if getattr(type(model), "generate", None) is not GenerationMixin.generate:
        return "it has a generation loop of its own"
    taken = inputs_of(type(model))
    if any(name.startswith(_CARRIED) for name in taken):
        return "its layers attend to the image apart from the text"
    if not {"past_key_values", "kwargs"} & {*taken}:
        return "its forward pass takes no past_key_values"
    return why_not_cached(model)


def why_not_shared(model: Any) -> str:
    """Return why queries about one image cannot share a prompt prefix; "" if they can."""
    if reason := _why_plain(model):
        return reason
    for name, plain in _UNPLAIN.items():
        value = getattr(model.generation_config, name, None)
        if value not in (None, plain):
            return f"its generation settings have {name}={value}"
    return ""


def attention_reach(model: Any) -> int | None:
    """Return the shortest attention window or chunk of any layer, in tokens; None if all layers attend to all tokens.

    Llama 4 attends in chunks.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    reaches = [one for one in (window, getattr(config, "attention_chunk_size", None)) if one]
    return min(reaches) if reaches else None


def end_ids(model: Any) -> set[int]:
    """Return the ids of all tokens that end a response."""
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config().eos_token_id
    return set() if found is None else set(found if isinstance(found, list) else [found])


def add_end(model: Any, end: int) -> bool:
    """Let generation also stop at the token `end`, in the saved model too; return False if it already does."""
    ends = end_ids(model)
    if end in ends:
        return False
    model.generation_config.eos_token_id = [*sorted(ends), end]
    return True


def _has_axes(model: Any) -> bool:
    """Return whether the model numbers image tokens by row and column (Qwen-VL), which offsets later positions."""
    return hasattr(inner(model), "rope_deltas")


def positions(model: Any, inputs: Mapping[str, Tensor], deltas: Tensor | None = None) -> dict[str, Tensor]:
    """Return the model's position argument for `input_ids` (rows, tokens).

    Args:
        model: any VLM.
        inputs: their `attention_mask` (rows, all tokens) covers cached and new tokens.
        deltas: (rows, 1) from `image_deltas`; None if the cache is empty.
    """
    if deltas is None and _has_axes(model) and "image_grid_thw" in inputs:
        return {}  # the model computes row and column positions itself
    mask, new = inputs["attention_mask"].long(), inputs["input_ids"].shape[1]
    place = (mask.cumsum(-1) - 1).clamp(min=0)[:, -new:]
    if deltas is not None:
        place = place + deltas
    return {"position_ids": place[None].expand(3, -1, -1) if _has_axes(model) else place}


def image_deltas(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return (rows, 1): offset between positions after an image and the token count, once the image is processed."""
    if _has_axes(model) and "image_grid_thw" in inputs:
        deltas: Tensor = inner(model).rope_deltas
        return deltas.reshape(-1, 1)
    return torch.zeros_like(inputs["input_ids"][:, :1])
