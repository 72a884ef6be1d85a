"""Read the sizes that memory depends on from a model: widths of its layers, and which of them train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from unmirage.models.families import decoder, decoder_layers, part_of

Role = Literal["attention-in", "attention-out", "mlp-in", "mlp-out"]
ROLES: tuple[Role, ...] = ("attention-in", "attention-out", "mlp-in", "mlp-out")  # in the order of the forward pass
# Last names of the modules that end the attention and the MLP of a layer, over all families.
_ATTENTION_OUT = frozenset({"o_proj", "out_proj", "proj", "dense", "projection_layer"})
_MLP_OUT = frozenset({"down_proj", "fc2", "linear_fc2"})
_FIRST_NORMS = frozenset({"input_layernorm", "layer_norm1", "norm1", "attention_norm", "layernorm_before"})


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
    text: Any = decoder(model)
    head: Any = model.get_output_embeddings()
    convolutions = [
        one
        for name, one in model.named_modules()
        if isinstance(one, nn.Conv2d | nn.Conv3d) and _is(model, name, "vision")
    ]
    lists = [
        one for name, one in model.named_modules() if isinstance(one, nn.ModuleList) and _is(model, name, "vision")
    ]
    tied = head.weight is embeddings.weight
    patch: int | list[int] | tuple[int, ...] = model.config.vision_config.patch_size
    return Shape(
        decoder=tuple(_block(layer) for layer in decoder_layers(model)),
        vision=tuple(_block(layer) for layer in max(lists, key=len)),
        projector=tuple(linear for name, linear in _linears(model) if _is(model, name, "projector")),
        head=Linear(head.in_features, head.out_features, head.weight.requires_grad),
        width=embeddings.weight.shape[1],
        tile_tokens=_tile_tokens(model),
        patch=patch if isinstance(patch, int) else patch[0],
        embeds=embeddings.weight.requires_grad,
        patches=any(one.weight.requires_grad for one in convolutions),
        final_norm=any(one.requires_grad for one in text.norm.parameters()),
        embedding_dtype=embeddings.weight.dtype,
        root=embeddings.weight.numel() + (0 if tied else head.weight.numel()),
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
    return name != "lm_head" and part_of(model, f"{name}.") == part


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


def _block(layer: nn.Module) -> Block:
    linears = tuple((_role(name), linear) for name, linear in _linears(layer))
    width = next(linear.inputs for role, linear in linears if role == "attention-in")
    attention = next(linear.inputs for role, linear in linears if role == "attention-out")
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
    if "attn" in path or "attention" in path:
        return "attention-out" if last in _ATTENTION_OUT else "attention-in"
    return "mlp-out" if last in _MLP_OUT else "mlp-in"


def _norms(layer: nn.Module, width: int, attention: int) -> Iterator[Norm]:
    for name, module in layer.named_modules():
        weight = getattr(module, "weight", None)
        if "Norm" in type(module).__name__ and isinstance(weight, nn.Parameter):
            # A norm of each head's queries or keys has one weight for all heads.
            size = attention if weight.numel() != width else width
            yield Norm(size, weight.requires_grad, name.rpartition(".")[2] in _FIRST_NORMS)
