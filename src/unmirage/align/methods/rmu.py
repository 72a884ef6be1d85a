"""Representation misdirection for unlearning (Li et al., arXiv 2403.03218), on query and answer tokens only."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Stream, cross_entropy, masked_mean_square


class RmuConfig(MethodConfig):
    """Settings of RMU."""

    name: Literal["rmu"] = "rmu"
    layer: int = Field(default=7, ge=1, description="1-based decoder layer whose output is misdirected")
    scale: float = Field(default=10.0, gt=0, description="c: length of the control vector")
    seed: int = Field(default=0, description="draws the direction of the control vector")


def rmu_forget_loss(hidden: Tensor, content: Tensor, control: Tensor) -> Tensor:
    """Return mean over tokens and width of (hidden - control)^2. ().

    Args:
        hidden: (batch, tokens, width) activations of the model being trained.
        content: (batch, tokens) True on query and answer tokens. Padding says nothing, and image positions would
            outnumber the words: both stay out.
        control: (width,) c * v, with v a fixed random unit vector.
    """
    return masked_mean_square(hidden - control, content)


class Rmu(Method):
    """l = |h - c v|^2 on forget + gamma * (cross-entropy(retain) + alpha * |h - h_ref|^2 on retain)."""

    def __init__(self, config: RmuConfig) -> None:
        self.config = config
        self._control: Tensor | None = None

    def hidden_layer(self) -> int:
        """Return the layer that is misdirected."""
        return self.config.layer

    def losses(
        self,
        forget: Stream | None,
        retain: Stream,
        ref_forget: Stream | None,  # noqa: ARG002
        ref_retain: Stream | None,
    ) -> dict[str, Tensor]:
        """Return the misdirection loss, the cross-entropy and the representation term."""
        assert forget is not None
        assert forget.hidden is not None
        assert retain.hidden is not None
        assert ref_retain is not None
        assert ref_retain.hidden is not None
        weight = self.config.gamma
        moved = retain.hidden - ref_retain.hidden
        return {
            "forget": rmu_forget_loss(forget.hidden, forget.content, self.control(forget.hidden)),
            "cross_entropy": weight * cross_entropy(retain),
            "retain": weight * self.config.alpha * masked_mean_square(moved, retain.content),
        }

    def control(self, like: Tensor) -> Tensor:
        """Return c * v (width,) on the device of `like` (..., width); drawn once, from the config's seed."""
        if self._control is None:
            generator = torch.Generator().manual_seed(self.config.seed)
            vector = torch.rand(like.shape[-1], generator=generator)
            self._control = self.config.scale * vector / vector.norm()
        self._control = self._control.to(like.device)
        return self._control

    def state(self) -> dict[str, Tensor]:
        """Return the control vector; without it the run cannot be repeated or continued."""
        return {} if self._control is None else {"control": self._control}
