"""Estimate work and memory of a micro-batch: which layers each pass runs, holds and goes back through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from unmirage.align.config import AlignConfig
from unmirage.align.estimate.activations import Widths, block_saved, final_norm_saved, projector_saved
from unmirage.align.estimate.blocks import Block, Shape
from unmirage.align.estimate.flops import block_backward, block_forward, linear_backward, linear_forward
from unmirage.align.estimate.lengths import Size
from unmirage.align.objective import Method, Need, StreamName
from unmirage.align.plan import keeps_reference

Load = Mapping[StreamName, Sequence[Size]]


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that a pass holds on one device.

    Attributes:
        saved: what autograd saves for the backward pass.
        casts: bfloat16 copies of trained matrices, which autocast keeps as long as the forward pass lasts.
        passing: what else exists at the peak: logits, their gradients, or the layer that is computed again.
    """

    saved: float
    casts: float
    passing: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What passes over a model cost, given what trains, the method and the settings.

    Attributes:
        shape: the model's sizes.
        method: says what is wanted of the model and of the reference.
        config: settings of the run.
        features: the vision tower is frozen and its features are kept, so that a step does not look at pictures.
    """

    shape: Shape
    method: Method
    config: AlignConfig
    features: bool

    def wanted(self, streams: Sequence[StreamName]) -> frozenset[Need]:
        """Return what one pass over some streams is asked."""
        return frozenset[Need]().union(*(self.method.wants(name) for name in streams))

    def run(self, asked: frozenset[Need]) -> int:
        """Return how many decoder layers a pass runs."""
        return self.reached(asked) if self.config.savings.stop_early else len(self.shape.decoder)

    def reached(self, asked: frozenset[Need]) -> int:
        """Return how many decoder layers have a part in what is asked; no gradient comes to those above them."""
        return self.config.method.layer if asked == {"hidden"} else len(self.shape.decoder)

    # Work, in floating-point operations.

    def forward(self, load: Load, asked: Mapping[StreamName, frozenset[Need]], *, look: bool) -> float:
        """Return the work of a forward pass that is asked something of some streams; `look`: the tower runs."""
        everything = frozenset[Need]().union(*asked.values())
        rows, tokens, _ = _padded(load)
        total = sum(block_forward(block, rows, tokens) for block in self.shape.decoder[: self.run(everything)])
        total += sum(linear_forward(one, _images(load)) for one in self.shape.projector)
        total += self._vision_forward(load) if look else 0.0
        if not self.config.savings.answer_logits and everything != {"hidden"}:
            return total + linear_forward(self.shape.head, rows * tokens)
        return total + sum(
            linear_forward(self.shape.head, _loss(load[name])) for name, need in asked.items() if _speaks(need)
        )

    def backward(self, load: Load) -> float:
        """Return the work of the backward pass over a load, with what is computed again for it."""
        asked, shape = self.wanted(list(load)), self.shape
        rows, tokens, _ = _padded(load)
        images = _images(load)
        live, total = shape.decoder_live if images else shape.embeds, 0.0
        for number, block in enumerate(shape.decoder[: self.reached(asked)]):
            total += block_backward(block, rows, tokens, live=live)
            live = live or block.learns
            if live and number < math.ceil(self.config.checkpointing * len(shape.decoder)):
                total += block_forward(block, rows, tokens)
        total += self._head_backward(load, live)
        live = shape.vision_learns
        for linear in shape.projector:
            total += linear_backward(linear, images, live=live)
            live = live or linear.learns
        return total + self._vision_backward(load)

    def _head_backward(self, load: Load, live: bool) -> float:
        rows, tokens, _ = _padded(load)
        speaking = [name for name in load if _speaks(self.method.wants(name))]
        count = sum(_loss(load[name]) for name in speaking)
        if speaking and not self.config.savings.answer_logits:
            count = rows * tokens
        return linear_backward(self.shape.head, count, live=live or self.shape.final_norm)

    def micro(self, plan: Sequence[Load]) -> float:
        """Return the work of all passes of one micro-batch, the reference's part included."""
        return sum(self._policy(load) + self._reference(load) for load in plan)

    def _policy(self, load: Load) -> float:
        asked = {name: self.method.wants(name) for name in load}
        return self.forward(load, asked, look=not self.features) + self.backward(load)

    def _reference(self, load: Load) -> float:
        needs = {name: need for name in load if (need := self.method.needs(name))}
        if not needs:
            return 0.0
        if keeps_reference(self.method, self.config):  # logits are made again from the kept hidden states
            return sum(
                linear_forward(self.shape.head, _loss(load[name])) for name, need in needs.items() if "logits" in need
            )
        off = self.config.lora is not None and self.config.savings.adapter_off
        asked = replace(self, shape=self.shape.without_adapter()) if off else self
        return asked.forward(load, needs, look=not self.features)

    def _vision_forward(self, load: Load) -> float:
        return sum(
            size.tiles * 2 * self.shape.patch_weights * size.tile_tokens
            + sum(block_forward(block, size.tiles, size.tile_tokens) for block in self.shape.vision)
            for sizes in load.values()
            for size in sizes
        )

    def _vision_backward(self, load: Load) -> float:
        total = 0.0
        for size in (size for sizes in load.values() for size in sizes):
            live = self.shape.patches
            total += size.tiles * 2.0 * self.shape.patch_weights * size.tile_tokens * live
            for block in self.shape.vision:
                total += block_backward(block, size.tiles, size.tile_tokens, live=live)
                live = live or block.learns
        return total

    # Memory, in bytes.

    def held(self, load: Load, widths: Widths) -> Held:
        """Return what one pass over a load holds."""
        asked, shape = self.wanted(list(load)), self.shape
        rows, tokens, mask = _padded(load)
        again = math.ceil(self.config.checkpointing * len(shape.decoder))
        live = shape.decoder_live if _images(load) else shape.embeds
        saved, largest = self._before(load, widths), 0.0
        for number, block in enumerate(shape.decoder[: self.run(asked)]):
            whole = self._block(block, rows, tokens, widths, live=live, mask=mask)
            if number < again:
                # What goes in is kept whether or not it has a gradient.
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
        """Return what the tower and the projector save."""
        saved = projector_saved(self.shape.projector, widths, live=self.shape.vision_learns) * _images(load)
        for size in (size for sizes in load.values() for size in sizes):
            live = self.shape.patches
            for block in self.shape.vision:
                saved += self._block(block, size.tiles, size.tile_tokens, widths, live=live, mask=False)
                live = live or block.learns
        return saved

    def _after(self, load: Load, widths: Widths, *, live: bool) -> tuple[float, float]:
        """Return what is saved behind the layers, and what exists besides while it is made and gone back through."""
        shape = self.shape
        rows, tokens, _ = _padded(load)
        deep = self.run(self.wanted(list(load))) == len(shape.decoder)
        saved = passing = 0.0
        if deep:
            per_token = final_norm_saved(shape.width, widths, live=live, trains=shape.final_norm)
            saved += per_token * rows * tokens
        for name, sizes in load.items():
            wants, count = self.method.wants(name), _loss(sizes)
            if "hidden" in wants:
                saved += 4.0 * shape.width * sum(size.places for size in sizes)
            if _speaks(wants):
                made = count if self.config.savings.answer_logits else rows * tokens / len(load)
                if shape.head.trains or shape.final_norm:
                    saved += widths.arithmetic * shape.width * made
                numbers = 4.0 * shape.head.outputs * count  # log-softmax, in float32
                kl = "logits" in wants
                saved += numbers * (2 if kl else 1)  # and the difference of the two distributions
                logits = widths.arithmetic * shape.head.outputs * made
                # Going back, the gradient of the log-softmax and that of the logits exist beside what is saved; the
                # divergence peaks on its way forward, with six rows of its own and the reference's logits.
                passing += logits + (logits + 6 * numbers if kl else 2 * numbers)
        return saved, passing


def _speaks(wants: frozenset[Need]) -> bool:
    return bool(wants & {"log_probs", "logits"})


def _padded(load: Load) -> tuple[int, int, bool]:
    """Return rows, tokens of the longest, and whether any is shorter."""
    lengths = [size.tokens for sizes in load.values() for size in sizes]
    return len(lengths), max(lengths), min(lengths) < max(lengths)


def _images(load: Load) -> int:
    return sum(size.image_tokens for sizes in load.values() for size in sizes)


def _loss(sizes: Sequence[Size]) -> int:
    return sum(size.loss_tokens for size in sizes)
