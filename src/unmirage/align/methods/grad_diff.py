"""Gradient difference (Liu et al., arXiv 2203.12817): ascent on the forget set, descent on the retain set."""

from __future__ import annotations

from typing import Literal

from unmirage.align.methods.ga import Ga
from unmirage.align.objective import MethodConfig


class GradDiffConfig(MethodConfig):
    """Settings of gradient difference."""

    name: Literal["grad-diff"] = "grad-diff"


class GradDiff(Ga):
    """l = log pi on forget + gamma * cross-entropy on retain."""
