"""Adaptive RMU (Dang et al., arXiv 2408.06223): the control vector's length is scale times the reference's norm.

A fixed length that misdirects an early layer has no effect on a late one, whose activations are larger.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from unmirage.align.methods.rmu import Rmu, RmuConfig
from unmirage.align.objective import Need, Stream


class AdaptiveRmuConfig(RmuConfig):
    """Settings of adaptive RMU."""

    name: Literal["adaptive-rmu"] = "adaptive-rmu"  # type: ignore[assignment]  # own discriminator value
    scale: float = Field(default=5.0, gt=0, description="length of the control vector, in norms of the activation")


class AdaptiveRmu(Rmu):
    """l = |h - scale * |h_ref| * v|^2 on forget + gamma * (cross-entropy + alpha * |h - h_ref|^2 on retain)."""

    def forget_needs(self) -> frozenset[Need]:
        """Return the reference's representations, for their norms."""
        return frozenset({"hidden"})

    def target(self, forget: Stream) -> Tensor:
        """Return (places, width): scale * |h_ref| * v at each place."""
        hidden = forget.ref.hidden
        assert hidden is not None
        lengths: Tensor = torch.linalg.vector_norm(hidden.float(), dim=-1, keepdim=True)
        return self.config.scale * lengths * self.direction(hidden)

    def state(self) -> dict[str, Tensor]:
        """Return the direction."""
        return {} if self._direction is None else {"direction": self._direction}
