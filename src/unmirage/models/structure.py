"""Find the parts of a VLM from its own modules: vision and audio towers, projector, language model, decoder layers.

A vision tower is a module that takes pixel values. The language model is what holds the token embeddings, and nothing
that takes pixels or sound. What is left lies between them: the projector. Some families (Qwen-VL) keep it inside the
tower. No list of families is needed, so models of later releases work as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from unmirage.errors import UserError, unknown
from unmirage.models.discovery import PIXELS, Search, Structure, head_of, inputs_of, stacks, type_of

PARTS = ("language", "projector", "vision", "audio")

_found: WeakKeyDictionary[nn.Module, Structure] = WeakKeyDictionary()


def structure_of(model: Any) -> Structure:
    """Return where the parts of a model are; found once per model.

    Raises:
        UserError: its decoder cannot be found.
    """
    if model not in _found:
        _found[model] = Search(model).structure()
    return _found[model]


def part_of(model: nn.Module, parameter: str) -> str:
    """Return which part of the VLM a parameter belongs to: "language", "projector", "vision" or "audio".

    Raises:
        UserError: none could be found; the message names the option that says it.
    """
    named: Mapping[str, str] = getattr(model, "_part_names", {})
    for prefixes in (named, structure_of(model).prefixes):
        fitting = [prefix for prefix in prefixes if (parameter + ".").startswith(prefix)]
        if fitting:
            return prefixes[max(fitting, key=len)]
    start = ".".join(parameter.split(".")[:2])
    raise UserError(
        f"model type '{type_of(model)}': parameter '{parameter}' belongs to no part that could be found; "
        f"name it with --part-names projector={start} (part_names in YAML; parts: {', '.join(PARTS)})"
    )


def set_part_names(model: Any, names: Mapping[str, Sequence[str]]) -> None:
    """Say which parameters belong to a part, by prefixes of their names, where the model's structure does not tell.

    Raises:
        UserError: a part is unknown, or no parameter has a prefix.
    """
    parameters = [name for name, _ in model.named_parameters()]
    found: dict[str, str] = {}
    for part, prefixes in names.items():
        if part not in PARTS:
            raise unknown("part in part_names", part, PARTS)
        for prefix in prefixes:
            if not prefix or not any(name.startswith(prefix) for name in parameters):
                tops = sorted({".".join(name.split(".")[:2]) for name in parameters})
                raise UserError(
                    f"part_names: no parameter begins with '{prefix}'; the model's begin with {', '.join(tops[:12])}"
                )
            if found.setdefault(prefix, part) != part:
                raise UserError(f"part_names: '{prefix}' is given to {found[prefix]} and to {part}; name one part")
    model._part_names = found


def set_trainable(model: nn.Module, parts: Iterable[str]) -> None:
    """Let only the parameters of `parts` require gradients.

    Raises:
        UserError: a part is unknown, or the model has none.
    """
    chosen = frozenset(_known(model, parts))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(model, name) in chosen)


def lora_targets(model: nn.Module, parts: Iterable[str]) -> list[str]:
    """Return the full names of all `nn.Linear` modules of these parts, in the form of peft's `target_modules`.

    The output head is left out, and routers of experts that are no plain product. Modules that LoRA already wraps are
    listed under their original names.

    Raises:
        UserError: a part is unknown, or the model has none.
    """
    chosen = _known(model, parts)
    heads = [name for name, module in model.named_modules() if module is head_of(model)]
    names = [name for name, module in model.named_modules() if _is_linear(module) and ".lora_" not in name]
    names = [name.removesuffix(".base_layer") for name in names]
    return [name for name in names if name not in heads and part_of(model, f"{name}.") in chosen]


def _is_linear(module: nn.Module) -> bool:
    """Return whether LoRA can wrap a module: not a router that returns more than its product (Llama 4)."""
    kind = type(module)
    own = kind.__module__.startswith(("transformers.models.", "transformers_modules."))
    return isinstance(module, nn.Linear) and not (own and kind.forward is not nn.Linear.forward)


def _known(model: nn.Module, parts: Iterable[str]) -> list[str]:
    chosen = list(parts)
    for part in chosen:
        if part not in PARTS:
            raise unknown("part", part, PARTS)
    own = {part_of(model, name) for name, _ in model.named_parameters()} if chosen else set()
    for part in chosen:
        if part not in own:
            raise UserError(
                f"model type '{type_of(model)}': has no {part} part that could be found; leave '{part}' out, "
                f"or name its parameters with --part-names {part}=PREFIX (part_names in YAML)"
            )
    return chosen


def decoder(model: Any) -> nn.Module:
    """Return the text decoder: the module that has the decoder layers."""
    found: nn.Module = model.get_submodule(structure_of(model).decoder)
    return found


def decoder_layers(model: Any) -> nn.ModuleList:
    """Return the decoder layers in order."""
    layers = getattr(decoder(model), structure_of(model).layers)
    assert isinstance(layers, nn.ModuleList)
    return layers


def decoder_depth(model: Any) -> int:
    """Return the number of decoder layers."""
    return len(decoder_layers(model))


def inner(model: Any) -> Any:
    """Return the module that turns ids and pictures into hidden states; the model itself if there is none (Llama 4)."""
    where = structure_of(model)
    name = where.decoder.partition(".")[0]
    body = getattr(model, name) if name else model
    sees = not where.towers or any(one.startswith(PIXELS) for one in inputs_of(type(body)))
    return body if sees and "input_ids" in inputs_of(type(body)) else model


def last_hidden(model: Any, inputs: Mapping[str, Any]) -> Tensor:
    """Return (rows, tokens, width): the hidden states that the output layer reads, of a pass without a cache."""
    body = inner(model)
    if body is not model:
        found: Tensor = body(**inputs, use_cache=False).last_hidden_state
        return found
    seen: list[Tensor] = []

    def capture(_module: Any, _arguments: Any, output: Any) -> None:
        seen.append(output[0])

    few = {"logits_to_keep": 1} if "logits_to_keep" in inputs_of(type(model)) else {}
    with decoder(model).register_forward_hook(capture):
        model(**inputs, use_cache=False, **few)
    return seen[-1]


def final_norm(model: Any) -> nn.Module | None:
    """Return the norm after the last decoder layer; None if there is none."""
    name = structure_of(model).norm
    return getattr(decoder(model), name) if name else None


def down_projections(model: Any, layers: Sequence[int]) -> list[str]:
    """Return the parameter names of the MLP output weights of these decoder layers (numbered from 1), in order.

    Raises:
        UserError: a layer does not exist, or its MLP has no single output matrix.
    """
    if not layers:
        return []
    depth, where = decoder_depth(model), structure_of(model)
    prefix = ".".join(part for part in (where.decoder, where.layers) if part)
    weights = dict(_down_projections(model, prefix))
    for layer in layers:
        if not 1 <= layer <= depth:
            raise UserError(f"layer {layer}: the model has no such layer; valid: 1 to {depth}")
        if layer not in weights:
            valid = str(sorted(weights)) if weights else "none; train 'language' instead (for example with LoRA)"
            raise UserError(f"layer {layer}: its MLP has no down_proj weight; valid: {valid}")
    return [weights[layer] for layer in layers]


# The MLP's output matrix in the words of the families: most, LFM2, OPT and GIT, Molmo, Persimmon.
_DOWN = re.compile(
    r"(?:(?:mlp|feed_forward|ffn|block_sparse_moe)\.)?(?:down_proj|w2|fc2|ff_out|dense_4h_to_h)\.(?:base_layer\.)?weight"
)


def _down_projections(model: Any, prefix: str) -> Iterator[tuple[int, str]]:
    for name, _ in model.named_parameters():
        head, _, rest = name.removeprefix(f"{prefix}.").partition(".")
        if name.startswith(f"{prefix}.") and head.isdigit() and _DOWN.fullmatch(rest):
            yield int(head) + 1, name


def towers(model: Any) -> list[nn.Module]:
    """Return the modules that take pixel values."""
    return [model.get_submodule(path) for path in structure_of(model).towers]


def vision_stack(model: Any) -> list[nn.Module]:
    """Return the layers of the largest vision tower; [] if none has layers."""
    found = [list(stack) for tower in towers(model) for stack in stacks(tower)]
    return max(found, key=len, default=[])
