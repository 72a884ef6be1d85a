"""Read the sizes that memory depends on from a model: widths of its layers, and which of them train."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from unmirage.models.families import (
    ATTENTION_OUT,
    FIRST_NORMS,
    MLP_OUT,
    decoder_layers,
    final_norm,
    output_layer,
    part_of,
    vision_stack,
)

Role = Literal["attention-in", "attention-out", "mlp-in", "mlp-out"]
ROLES: tuple[Role, ...] = ("attention-in", "attention-out", "mlp-in", "mlp-out")  # in the order of the forward pass
# Paths of the modules of a layer that mix tokens: attention, linear attention, convolutions.
_MIXES = re.compile(r"attn|attention|mixer|conv|mamba|delta")


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer; `trains`: its matrix trains; `rank`: that of its adapter, which trains, or 0."""

    inputs: int
    outputs: int
    trains: bool
    rank: int = 0

    @property
    def learns(self) -> bool:
        """Whether the layer or its adapter trains."""
        return self.trains or self.rank > 0

    @property
    def trained(self) -> int:
        """Number of trained weights."""
        return self.inputs * self.outputs * self.trains + self.rank * (self.inputs + self.outputs)


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm over `width` numbers per token; `first`: it is the one before the attention."""

    width: int
    trains: bool
    first: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One transformer layer: attention and MLP.

    Attributes:
        width: width of the residual stream.
        attention: heads x head size, the width of queries, of repeated keys and of values.
        gated: whether the MLP multiplies two branches (SwiGLU), each of the inner width.
        kept: numbers that the MLP's activation function saves per inner number: 2 for the quick GELU of CLIP.
        weights: number of weights.
    """

    width: int
    attention: int
    linears: tuple[tuple[Role, Linear], ...]
    norms: tuple[Norm, ...]
    gated: bool
    kept: int
    weights: int

    def of(self, role: Role) -> list[Linear]:
        """Return the linears of one role."""
        return [linear for kind, linear in self.linears if kind == role]

    @property
    def inner(self) -> int:
        """Inner width of the MLP."""
        return sum(linear.inputs for linear in self.of("mlp-out"))

    @property
    def learns(self) -> bool:
        """Whether any of its weights train."""
        return any(linear.learns for _, linear in self.linears) or any(norm.trains for norm in self.norms)


@dataclass(frozen=True, slots=True)
class Shape:
    """All sizes of a VLM.

    Attributes:
        decoder, vision, projector: the layers of each part, in order.
        head: the output layer.
        width: width of the decoder.
        tile_tokens: tokens per tile of a picture in the tower; None if they depend on the picture's size.
        patch: edge of a patch in pixels.
        embeds, patches, final_norm: whether the input embeddings, the patch embeddings and the last norm train.
        embedding_dtype: dtype of the input embeddings.
        root: number of weights of embeddings and head; tied ones count once.
    """

    decoder: tuple[Block, ...]
    vision: tuple[Block, ...]
    projector: tuple[Linear, ...]
    head: Linear
    width: int
    tile_tokens: int | None
    patch: int
    embeds: bool
    patches: bool
    final_norm: bool
    embedding_dtype: torch.dtype
    root: int

    @property
    def vision_learns(self) -> bool:
        """Whether anything in the vision tower trains."""
        return self.patches or any(block.learns for block in self.vision)

    @property
    def decoder_live(self) -> bool:
        """Whether gradients flow out of the decoder's first layer: something before it trains."""
        return self.embeds or self.vision_learns or any(linear.learns for linear in self.projector)


def shape_of(model: Any) -> Shape:
    """Return the sizes of a model whose trainable weights have been chosen."""
    embeddings: Any = model.get_input_embeddings()
    norm, said = final_norm(model), output_layer(model).weight
    assert isinstance(said, Tensor)
    convolutions = [
        one
        for name, one in model.named_modules()
        if isinstance(one, nn.Conv2d | nn.Conv3d) and _is(model, name, "vision")
    ]
    tied = said is embeddings.weight
    active = _active_experts(model)
    return Shape(
        decoder=tuple(_block(layer, active) for layer in decoder_layers(model)),
        vision=tuple(_block(layer) for layer in vision_stack(model)),
        projector=tuple(linear for name, linear in _linears(model) if _is(model, name, "projector")),
        head=Linear(said.shape[1], said.shape[0], said.requires_grad),
        width=embeddings.weight.shape[1],
        tile_tokens=_tile_tokens(model),
        patch=_patch(model),
        embeds=embeddings.weight.requires_grad,
        patches=any(one.weight.requires_grad for one in convolutions),
        final_norm=norm is not None and any(one.requires_grad for one in norm.parameters()),
        embedding_dtype=embeddings.weight.dtype,
        root=embeddings.weight.numel() + (0 if tied else said.numel()),
    )


def vision_tokens(shape: Shape, pixels: Tensor | None) -> tuple[int, int]:
    """Return the number of tiles of a preprocessed picture, and the tower's tokens per tile."""
    if pixels is None:
        return 0, 0
    if pixels.ndim == 2:  # Qwen-VL: one row a patch
        return 1, len(pixels)
    tiles = pixels.shape[:-3].numel()
    return tiles, shape.tile_tokens or (pixels.shape[-2] // shape.patch) * (pixels.shape[-1] // shape.patch)


def _is(model: nn.Module, name: str, part: str) -> bool:
    return part_of(model, f"{name}.") == part


def _tile_tokens(model: Any) -> int | None:
    for name, one in model.named_modules():
        if isinstance(one, nn.Embedding) and name.endswith("position_embedding") and _is(model, name, "vision"):
            return one.num_embeddings
    return None


def _linears(root: nn.Module) -> Iterator[tuple[str, Linear]]:
    """Yield the linear modules inside `root` by name, without those of the adapters."""
    adapted: set[str] = set()
    for name, module in root.named_modules():
        if isinstance(module, LoraLayer):
            base: Any = module.get_base_layer()
            adapted.add(f"{name}.")
            yield name, Linear(base.in_features, base.out_features, base.weight.requires_grad, module.r["default"])
        elif isinstance(module, nn.Linear) and not name.startswith(tuple(adapted)):
            yield name, Linear(module.in_features, module.out_features, module.weight.requires_grad)


def _block(layer: nn.Module, active: int = 0) -> Block:
    """Return the sizes of a layer. `active`: experts that process each token, in a layer with experts."""
    linears = tuple((_role(name), linear) for name, linear in _linears(layer))
    into_attention = [linear.inputs for role, linear in linears if role == "attention-in"]
    width = next(iter(into_attention), next((linear.inputs for _, linear in linears), 0))
    attention = next((linear.inputs for role, linear in linears if role == "attention-out"), 0)
    linears += tuple(_experts(layer, width, active))
    inner = sum(linear.inputs for role, linear in linears if role == "mlp-out")
    into = sum(linear.outputs for role, linear in linears if role == "mlp-in")
    functions = {type(module).__name__ for module in layer.modules()}
    return Block(
        width=width,
        attention=attention,
        linears=linears,
        norms=tuple(_norms(layer, width, attention)),
        gated=into == 2 * inner,
        kept=2 if "QuickGELUActivation" in functions else 1,
        weights=sum(one.numel() for one in layer.parameters()),
    )


def _role(name: str) -> Role:
    path, _, last = name.rpartition(".")
    if _MIXES.search(path):
        return "attention-out" if last in ATTENTION_OUT else "attention-in"
    return "mlp-out" if last in MLP_OUT else "mlp-in"


def _experts(layer: nn.Module, width: int, active: int) -> Iterator[tuple[Role, Linear]]:
    """Yield the matrices of the experts that process a token; the library keeps those of all experts in one tensor."""
    for name, one in layer.named_parameters():
        if one.dim() == 3 and "expert" in name and ".lora_" not in name:
            outwards = name.rpartition(".")[2] in MLP_OUT
            other = one.shape[1] if one.shape[2] == width else one.shape[2]
            sizes = (other, width) if outwards else (width, other)
            role: Role = "mlp-out" if outwards else "mlp-in"
            yield from [(role, Linear(*sizes, one.requires_grad))] * active


def _active_experts(model: Any) -> int:
    text = model.config.get_text_config()
    return next((int(n) for name in ("num_experts_per_tok", "top_k_experts") if (n := getattr(text, name, None))), 1)


def _patch(model: Any) -> int:
    """Return the edge of a patch in pixels; 1 if the config does not tell."""
    for config in (getattr(model.config, "vision_config", None), model.config):
        size = getattr(config, "patch_size", None)
        if size is not None:
            return int(size if isinstance(size, int) else size[0])
    return 1


def _norms(layer: nn.Module, width: int, attention: int) -> Iterator[Norm]:
    for name, module in layer.named_modules():
        weight = getattr(module, "weight", None)
        if "Norm" in type(module).__name__ and isinstance(weight, nn.Parameter):
            # A norm of each head's queries or keys has one weight for all heads.
            size = attention if weight.numel() != width else width
            yield Norm(size, weight.requires_grad, name.rpartition(".")[2] in FIRST_NORMS)
