"""Estimate the memory of a pass over a micro-batch: which layers it runs and holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unmirage.align.config import AlignConfig
from unmirage.align.estimate.blocks import Block, Shape
from unmirage.align.estimate.lengths import Load
from unmirage.align.estimate.memory import Widths, block_saved, norm_saved, projector_saved
from unmirage.align.objective import Method, Need, StreamName


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that a pass needs on one device.

    Attributes:
        saved: saved by autograd for the backward pass.
        casts: bfloat16 copies of trained matrices, which autocast keeps during the forward pass.
        passing: other tensors at the peak: logits, their gradients, or a recomputed layer.
    """

    saved: float
    casts: float
    passing: float


@dataclass(frozen=True, slots=True)
class Passes:
    """Memory of passes over a model of some sizes, by method and settings."""

    shape: Shape
    method: Method
    config: AlignConfig

    def wanted(self, streams: Sequence[StreamName]) -> frozenset[Need]:
        """Return the requested outputs of one pass over some streams."""
        return frozenset[Need]().union(*(self.method.wants(name) for name in streams))

    def run(self, asked: frozenset[Need]) -> int:
        """Return the number of decoder layers that a pass runs."""
        return self.reached(asked) if self.config.optimizations.stop_early else len(self.shape.decoder)

    def reached(self, asked: frozenset[Need]) -> int:
        """Return the number of decoder layers that the outputs depend on; those above have no gradient."""
        return self.config.method.layer if asked == {"hidden"} else len(self.shape.decoder)

    def held(self, load: Load, widths: Widths) -> Held:
        """Return the bytes of one pass over a load."""
        asked, shape = self.wanted(list(load)), self.shape
        rows, tokens, mask = _padded(load)
        again = math.ceil(self.config.checkpointing * len(shape.decoder))
        live = shape.decoder_live if _images(load) else shape.embeds
        saved, largest = self._before(load, widths), 0.0
        for number, block in enumerate(shape.decoder[: self.run(asked)]):
            whole = self._block(block, rows, tokens, widths, live=live, mask=mask)
            if number < again:
                # The input is kept whether or not it has a gradient.
                saved += widths.residual * block.width * rows * tokens if whole else 0.0
                largest = max(largest, whole)
            else:
                saved += whole
            live = live or block.learns
        logits, passing = self._after(load, widths, live=live)
        return Held(saved + logits, self._casts(load) if widths.mixed else 0.0, max(largest, passing))

    def _casts(self, load: Load) -> float:
        shape, asked = self.shape, self.wanted(list(load))
        blocks = (*shape.decoder[: self.run(asked)], *shape.vision)
        linears = [*(linear for block in blocks for _, linear in block.linears), *shape.projector]
        if _speaks(asked):
            linears.append(shape.head)
        return 2.0 * sum(linear.trained for linear in linears)

    def _block(self, block: Block, rows: int, tokens: int, widths: Widths, *, live: bool, mask: bool) -> float:
        dropout = self.config.lora is not None and self.config.lora.dropout > 0
        return block_saved(block, rows, tokens, widths, live=live, mask=mask, dropout=dropout)

    def _before(self, load: Load, widths: Widths) -> float:
        """Return the bytes that the tower and the projector save."""
        saved = projector_saved(self.shape.projector, widths, live=self.shape.vision_learns) * _images(load)
        for size in (size for sizes in load.values() for size in sizes):
            live = self.shape.patches
            for block in self.shape.vision:
                saved += self._block(block, size.tiles, size.tile_tokens, widths, live=live, mask=False)
                live = live or block.learns
        return saved

    def _after(self, load: Load, widths: Widths, *, live: bool) -> tuple[float, float]:
        """Return the bytes saved after the layers, and those of other tensors at the peak of either pass."""
        shape = self.shape
        rows, tokens, _ = _padded(load)
        deep = self.run(self.wanted(list(load))) == len(shape.decoder)
        saved = passing = 0.0
        if deep:
            per_token = norm_saved(shape.width, widths, live=live, trains=shape.final_norm)
            saved += per_token * rows * tokens
        for name, sizes in load.items():
            wants, count = self.method.wants(name), sum(size.loss_tokens for size in sizes)
            if "hidden" in wants:
                saved += 4.0 * shape.width * sum(size.places for size in sizes)
            if _speaks(wants):
                made = count if self.config.optimizations.answer_logits else rows * tokens / len(load)
                if shape.head.trains or shape.final_norm:
                    saved += widths.arithmetic * shape.width * made
                numbers = 4.0 * shape.head.outputs * count  # log-softmax, in float32
                kl = "logits" in wants
                saved += numbers * (2 if kl else 1)  # and the difference of the two distributions
                logits = widths.arithmetic * shape.head.outputs * made
                # The backward pass adds the gradients of log-softmax and logits. The divergence peaks in the forward
                # pass, with six rows of its own and the reference's logits.
                passing += logits + (logits + 6 * numbers if kl else 2 * numbers)
        return saved, passing


def _speaks(wants: frozenset[Need]) -> bool:
    return bool(wants & {"log_probs", "logits"})


def _padded(load: Load) -> tuple[int, int, bool]:
    """Return the number of rows, the tokens of the longest, and whether any is shorter."""
    lengths = [size.tokens for sizes in load.values() for size in sizes]
    return len(lengths), max(lengths), min(lengths) < max(lengths)


def _images(load: Load) -> int:
    return sum(size.image_tokens for sizes in load.values() for size in sizes)
