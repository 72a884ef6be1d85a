"""Gradient ascent on the forget set (GA), with a retain loss (GradDiff) or a KL term on the retain set (KLMin)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Part, Parts, RetainTerm, Stream


class GaConfig(MethodConfig):
    """Settings of gradient ascent, which has no retain term by default."""

    name: Literal["ga"] = "ga"
    gamma: float = Field(default=0.0, ge=0, description="weight of the composite retain loss")


class Ga(Method):
    """l = mean over loss tokens of log pi(token | before) on forget."""

    def forget(self, forget: Stream) -> Parts:
        """Return the ascent loss."""
        return {"forget": Part(forget.policy.log_probs.sum(), "tokens", "forget")}


class GradDiffConfig(MethodConfig):
    """Settings of gradient difference."""

    name: Literal["grad-diff"] = "grad-diff"


class GradDiff(Ga):
    """l = log pi on forget + gamma * cross-entropy on retain."""


class KlMinConfig(MethodConfig):
    """Settings of KL minimization, which uses no labels of the retain set."""

    name: Literal["kl-min"] = "kl-min"
    ce: float = Field(default=0.0, ge=0, description="weight of the cross-entropy in the composite retain loss")
    retain_term: RetainTerm = "kl"


class KlMin(Ga):
    """l = log pi on forget + gamma * KL(reference || policy) on retain."""
