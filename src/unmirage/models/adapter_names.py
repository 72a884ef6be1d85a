"""Rename the tensors of adapters that were saved with an older version of transformers.

transformers 4.52 moved the parts of a VLM into an inner module: `language_model.model.layers.0` of LLaVA is now
`model.language_model.layers.0`, `model.layers.0` of Qwen2-VL is now `model.language_model.layers.0`, and
`visual.blocks.0` is `model.visual.blocks.0`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor, nn

from unmirage.run.model import PEFT_PREFIX

log = logging.getLogger(__name__)
# Modules that contain others, and whose place differs between versions.
_WRAPPERS = frozenset({"model", "language_model", "text_model", "vision_model"})


def renamed(file: Path, tensors: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Return the tensors with the names of this version of transformers; unchanged unless all can be renamed.

    Args:
        file: the file of the tensors, for the log.
        tensors: the tensors of an adapter by name.
        expected: the names that the base model needs.
    """
    ours = {_core(name): name for name in expected}
    found = {ours.get(_core(name), ""): tensor for name, tensor in tensors.items()}
    if len(ours) != len(expected) or len(found) != len(tensors) or found.keys() != set(expected):
        return dict(tensors)
    if changed := sum(name not in tensors for name in found):
        log.info("%s: renamed %d tensors, which an older version of transformers saved", file, changed)
    return found


def renamed_modules(model: nn.Module, tensors: Collection[str]) -> tuple[list[str], list[str]] | None:
    """Return the modules with adapters and those trained whole, if an older version named all of them.

    Such an adapter's own settings have names, or a pattern of names, that this version does not use.

    Args:
        model: the base model.
        tensors: the names of the adapter's tensors.
    """
    names = {name.removeprefix(PEFT_PREFIX) for name in tensors}
    adapted = {name.partition(".lora_")[0] for name in names if ".lora_" in name}
    whole = {name.rpartition(".")[0] for name in names if ".lora_" not in name}
    modules = [name for name, _ in model.named_modules()]
    ours = {_core(name): name for name in modules}
    unknown = (adapted | whole).isdisjoint(modules) and all(_core(name) in ours for name in adapted | whole)
    if not unknown or len(ours) != len({*map(_core, modules)}):
        return None
    return [ours[_core(name)] for name in sorted(adapted)], [ours[_core(name)] for name in sorted(whole)]


def _core(name: str) -> str:
    """Return a name without the modules that contain others."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
