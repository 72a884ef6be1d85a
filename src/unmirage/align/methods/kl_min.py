"""KL minimization (Maini et al., TOFU, arXiv 2401.06121): ascent on the forget set, KL to the reference on retain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unmirage.align.methods.ga import Ga
from unmirage.align.objective import MethodConfig, RetainTerm


class KlMinConfig(MethodConfig):
    """Settings of KL minimization, which uses no labels of the retain set."""

    name: Literal["kl-min"] = "kl-min"
    ce: float = Field(default=0.0, ge=0, description="weight of the cross-entropy in the composite retain loss")
    retain_term: RetainTerm = "kl"


class KlMin(Ga):
    """l = log pi on forget + gamma * KL(reference || policy) on retain."""
