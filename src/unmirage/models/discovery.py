"""Search a VLM's modules for its parts. `structure.py` says what the parts are for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from torch import nn

from unmirage.errors import UserError

_SOUND = re.compile(r"audio|speech|sound", re.IGNORECASE)
_SOUNDS = ("input_features", "input_values", "audio_values")
PIXELS = ("pixel_values", "flattened_patches")
# Configs of image encoders inside the model's own: `vision_config`, `vit_config`, `vq_config`.
_SIGHT = re.compile(r"vision|visual|image|vit|vq", re.IGNORECASE)
# Names of a projector where its place does not tell: beside the layers of a tower or of a decoder.
_BETWEEN = re.compile(r"project|resampl|merger|connector|aligner|adapter", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Structure:
    """Where the parts of one model are.

    Attributes:
        prefixes: prefix of parameter names -> part; the longest prefix that fits decides.
        decoder: path of the module that holds the decoder layers.
        layers: name of the list of decoder layers in it.
        norm: name of the norm after the last layer in it; "" if there is none.
        towers: paths of the vision towers.
        inside: paths of projectors inside a tower.
    """

    prefixes: Mapping[str, str]
    decoder: str
    layers: str
    norm: str
    towers: tuple[str, ...]
    inside: tuple[str, ...] = field(default=())


def head_of(model: Any) -> nn.Module | None:
    """Return the output layer; None if the model does not tell."""
    try:
        found: nn.Module | None = model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        found = None
    if found is None:  # NemotronH Omni does not tell
        named = {name: one for name, one in model.named_modules() if name.rpartition(".")[2] == "lm_head"}
        found = next(iter(named.values())) if len(named) == 1 else None
    return found


def type_of(model: Any) -> str:
    """Return the model type, for messages."""
    return str(getattr(getattr(model, "config", None), "model_type", type(model).__name__))


def stacks(module: nn.Module) -> Iterator[nn.ModuleList]:
    """Yield the lists of transformer layers in a module: lists of equal modules that attend, or mix tokens."""
    for one in module.modules():
        if isinstance(one, nn.ModuleList) and len(one) and any(map(_is_layer, one)):
            yield one


def _layer_kind(kind: type[nn.Module]) -> bool:
    return any(base.__name__ == "GradientCheckpointingLayer" for base in kind.__mro__)


def _is_layer(module: nn.Module) -> bool:
    """Return whether a module is a transformer layer: by the library's base class, or because it attends."""
    return _layer_kind(type(module)) or any(
        re.search(r"attn|attention|mixer", name, re.IGNORECASE) for name, _ in module.named_children()
    )


class Search:
    """The search for the parts of one model."""

    def __init__(self, model: Any) -> None:
        """Find the token embeddings first: everything else is told by where they are."""
        self._model = model
        self._modules: dict[str, nn.Module] = dict(model.named_modules())
        self._paths = {module: path for path, module in self._modules.items()}
        self._embedding = self._embeddings()
        self._mixes: dict[str, bool] = {}
        self._sights = {id(config) for config in _encoder_configs(model, _SIGHT)}
        self._sounds = {id(config) for config in _encoder_configs(model, _SOUND)}
        self._two = bool(getattr(model.config, "is_encoder_decoder", False))

    def structure(self) -> Structure:
        """Return where the parts are.

        Raises:
            UserError: there are no token embeddings or no decoder layers.
        """
        prefixes: dict[str, str] = {}
        self._mark("", prefixes)
        towers = tuple(path for path, part in prefixes.items() if part == "vision")
        holder, layers = self._decoder(towers)
        if not towers:  # Fuyu projects pixels without a tower
            prefixes = {}
            self._mark("", prefixes, above=holder)
        between = [
            self._modules[path] for path, part in prefixes.items() if part == "projector" and path in self._modules
        ]
        inside = () if between else tuple(path for tower in towers for path in self._inside_tower(tower))
        prefixes |= dict.fromkeys(inside, "projector")
        ended = {f"{path}." if path else "": part for path, part in prefixes.items()}
        return Structure(ended, holder, layers, _norm(self._modules[holder], layers), towers, inside)

    def _embeddings(self) -> str:
        """Return the path of the token embeddings."""
        try:
            found = self._paths.get(self._model.get_input_embeddings())
        except (AttributeError, NotImplementedError):
            found = None
        if found is None:
            tables = {path: one for path, one in self._modules.items() if isinstance(one, nn.Embedding)}
            if not tables:
                raise UserError(f"model type '{type_of(self._model)}': its token embeddings could not be found")
            found = max(tables, key=lambda path: tables[path].num_embeddings)
        return found

    def _mark(self, path: str, prefixes: dict[str, str], above: str | None = None) -> None:
        """Give a module to its part; if it holds several, its children. `above`: so do all that hold this path."""
        module = self._modules[path]
        if not any(True for _ in module.parameters()):
            return
        if not self._mixed(path) and not (above and path != above and _within(above, path)):
            prefixes[path] = self._part(path)
            return
        children = {name: _joined(path, name) for name, _ in module.named_children()}
        speaking = [child for child in children.values() if self._speaks(child)]
        # A module with bare embeddings is the text model itself (Idefics, GIT): what is no projector by name is its.
        whole = not any(True for child in speaking for _ in stacks(self._modules[child]))
        for name, child in children.items():
            if whole and child not in speaking and self._part(child) == "projector" and not _BETWEEN.search(name):
                prefixes[child] = "language"
            else:
                self._mark(child, prefixes, above)
        for name, _ in module.named_parameters(recurse=False):
            prefixes[_joined(path, name)] = "projector"

    def _mixed(self, path: str) -> bool:
        """Return whether the module holds token embeddings or the head, and a tower too."""
        if path not in self._mixes:
            self._mixes[path] = self._speaks(path) and any(
                self._mixed(child) or (not self._speaks(child) and (self._sees(child) or self._hears(child)))
                for child in (_joined(path, name) for name, _ in self._modules[path].named_children())
            )
        return self._mixes[path]

    def _speaks(self, path: str) -> bool:
        """Return whether the module holds token embeddings or the output layer."""
        head, words = head_of(self._model), self._modules[self._embedding]
        return any(
            one in (head, words) or (isinstance(one, nn.Embedding) and self._alike(one, words))
            for one in self._modules[path].modules()
        )

    def _alike(self, one: nn.Embedding, words: nn.Module) -> bool:
        """Return whether embeddings are the same ones, or the encoder's beside the decoder's."""
        same = one.num_embeddings == getattr(words, "num_embeddings", None)
        return one.weight is words.weight or (self._two and same)

    def _part(self, path: str) -> str:
        if self._speaks(path):
            return "language"
        if self._hears(path) or _SOUND.search(path.rpartition(".")[2]):
            return "audio"
        return "vision" if self._sees(path) else "projector"

    def _sees(self, path: str) -> bool:
        """Return whether a module takes pixel values."""
        module = self._modules[path]
        if any(name.startswith(PIXELS) for name in inputs_of(type(module))):
            return True
        main = getattr(module, "main_input_name", None)  # only whole models have one
        return main in PIXELS or (main is not None and id(getattr(module, "config", None)) in self._sights)

    def _hears(self, path: str) -> bool:
        """Return whether a module takes sound."""
        module = self._modules[path]
        main = getattr(module, "main_input_name", None)
        return main in _SOUNDS or (main is not None and id(getattr(module, "config", None)) in self._sounds)

    def _decoder(self, towers: tuple[str, ...]) -> tuple[str, str]:
        """Return the path of the module with the decoder layers, and the name of their list in it."""
        at = self._embedding
        while at:
            at = at.rpartition(".")[0]
            lists = {
                path: len(one)
                for path, module in self._modules[at].named_modules(prefix=at)
                for one in [module]
                if isinstance(one, nn.ModuleList)
                and any(map(_is_layer, one))
                and not any(_within(path, tower) for tower in towers)
            }
            if self._two:  # the embeddings are the encoder's too
                lists = {path: size for path, size in lists.items() if "decoder" in path}
            if lists:
                holder, _, name = max(lists, key=lambda path: lists[path]).rpartition(".")
                return holder, name
        raise UserError(
            f"model type '{type_of(self._model)}': its decoder layers could not be found; use another model"
        )

    def _inside_tower(self, tower: str) -> Iterator[str]:
        """Yield the projectors inside a tower: modules beside its layers that give vectors of the decoder's width."""
        width = getattr(self._modules[self._embedding], "weight", None)
        path = tower
        while not any(isinstance(one, nn.ModuleList) for one in self._modules[path].children()):
            inner = [name for name, one in self._modules[path].named_children() if any(True for _ in stacks(one))]
            if not inner:
                break
            path = _joined(path, inner[0])
        # The children of a wrapper too: GraniteDocling's connector lies beside its encoder.
        for at in dict.fromkeys((path, tower)):
            for name, child in self._modules[at].named_children():
                named = bool(_BETWEEN.search(name))
                if any(True for _ in stacks(child)) or (isinstance(child, nn.ModuleList) and not named):
                    continue
                if named or (not self._two and width is not None and _leads_out(child, width.shape[-1])):
                    yield _joined(at, name)


def _leads_out(module: nn.Module, width: int) -> bool:
    """Return whether the last matrix of a module gives vectors of this width; patch embeddings come with more."""
    if any(isinstance(one, nn.Conv2d | nn.Conv3d | nn.Embedding) for one in module.modules()):
        return False
    linears = [one for one in module.modules() if isinstance(one, nn.Linear)]
    return bool(linears) and linears[-1].out_features == width


def inputs_of(kind: type[nn.Module]) -> tuple[str, ...]:
    """Return the names of the arguments of a module's forward pass."""
    return _arguments(kind.forward)


@cache
def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _encoder_configs(model: Any, names: re.Pattern[str]) -> Iterator[Any]:
    config = getattr(model, "config", None)
    for name in [*(getattr(config, "sub_configs", None) or {}), "encoder"]:
        one = getattr(config, name, None)
        if one is not None and (names.search(name) or (name == "encoder" and names is _SIGHT)):
            yield one


def _norm(holder: nn.Module, layers: str) -> str:
    """Return the name of the norm after the layers: the last norm beside them that is not the embeddings'."""
    names = [
        name
        for name, one in holder.named_children()
        if "norm" in f"{name} {type(one).__name__}".lower() and name != layers and not name.startswith(("embed", "pre"))
        and not any(True for _ in one.children()) and name not in ("layernorm_embedding", "embedding_layernorm")
    ]  # fmt: skip
    names += ["embedding_norm"] if isinstance(getattr(holder, "embedding_norm", None), nn.Module) and not names else []
    return "norm" if "norm" in names else names[-1] if names else ""


def _within(path: str, holder: str) -> bool:
    return not holder or path == holder or path.startswith(f"{holder}.")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
