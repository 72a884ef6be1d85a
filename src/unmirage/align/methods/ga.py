"""Gradient ascent (Jang et al., arXiv 2210.01504): raise the loss on the forget set. The loss has no lower bound."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Part, Parts, Stream


class GaConfig(MethodConfig):
    """Settings of gradient ascent, which has no retain term by default."""

    name: Literal["ga"] = "ga"
    gamma: float = Field(default=0.0, ge=0, description="weight of the composite retain loss")


class Ga(Method):
    """l = mean over loss tokens of log pi(token | before) on forget."""

    def forget(self, forget: Stream) -> Parts:
        """Return the ascent loss."""
        return {"forget": Part(forget.policy.log_probs.sum(), "tokens", "forget")}
