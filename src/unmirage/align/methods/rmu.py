"""Representation misdirection for unlearning (Li et al., arXiv 2403.03218), on query and answer tokens only."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Need, Part, Parts, RetainTerm, Stream


class RmuConfig(MethodConfig):
    """Settings of RMU. With `compat: official` the means cover all positions, padding and picture included."""

    name: Literal["rmu"] = "rmu"
    retain_term: RetainTerm = "representation"
    scale: float = Field(default=10.0, gt=0, description="c: length of the control vector")
    seed: int = Field(default=0, description="seed of the control vector's direction")


def rmu_loss(hidden: Tensor, target: Tensor) -> Tensor:
    """Return the mean over the width of (hidden - target)^2, one value per place. (places,).

    The loss of arXiv 2403.03218, up to the constant width.

    Args:
        hidden: (places, width) activations of the model being trained, on query and answer tokens. The first token
            and the chat template would outweigh them, and image positions would outnumber them.
        target: (width,) c * v with v a fixed random unit vector; or (places, width), one per place.
    """
    return (hidden.float() - target).square().mean(-1)


class Rmu(Method):
    """l = |h - c v|^2 on forget + gamma * (cross-entropy + alpha * |h - h_ref|^2 on retain)."""

    config: RmuConfig

    def __init__(self, config: RmuConfig) -> None:
        super().__init__(config)
        self._direction: Tensor | None = None

    def prepare(self, width: int) -> None:
        """Draw the direction here, because a run that resumes at its last step never computes a loss."""
        self.direction(torch.empty(0, width))

    def forget_wants(self) -> frozenset[Need]:
        """Return the representations."""
        return frozenset({"hidden"})

    def forget(self, forget: Stream) -> Parts:
        """Return the misdirection loss."""
        hidden = forget.policy.hidden
        assert hidden is not None
        losses = rmu_loss(hidden, self.target(forget))
        if self.config.compat == "official":
            return {"forget": Part(losses.mean(), "batches", "forget")}
        return {"forget": Part(losses.sum(), "places", "forget")}

    def own_term(self, retain: Stream) -> Part:
        """Return the retain term; in the paper's code it is a mean over the micro-batch."""
        own = super().own_term(retain)
        if self.config.compat == "official" and own.per == "places":
            assert retain.policy.hidden is not None
            return Part(own.total / len(retain.policy.hidden), "batches", "retain")
        return own

    def target(self, forget: Stream) -> Tensor:
        """Return the target of the activations: c * v (width,)."""
        assert forget.policy.hidden is not None
        return self.config.scale * self.direction(forget.policy.hidden)

    def direction(self, like: Tensor) -> Tensor:
        """Return v (width,) of length 1 on the device of `like` (places, width); drawn from the config's seed."""
        if self._direction is None:
            generator = torch.Generator().manual_seed(self.config.seed)
            vector = torch.rand(like.shape[-1], generator=generator)
            self._direction = vector / vector.norm()
        self._direction = self._direction.to(like.device)
        return self._direction

    def state(self) -> dict[str, Tensor]:
        """Return the control vector, which is needed to repeat or resume the run."""
        return {} if self._direction is None else {"control": self.config.scale * self._direction}


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
