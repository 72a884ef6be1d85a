"""Negative preference optimisation (Zhang et al., arXiv 2404.05868), with a cross-entropy and KL retain side."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import (
    Method,
    MethodConfig,
    Stream,
    cross_entropy,
    kl_to_reference,
    sequence_log_probs,
)


class NpoConfig(MethodConfig):
    """Settings of NPO."""

    name: Literal["npo"] = "npo"
    beta: float = Field(default=0.1, gt=0, description="inverse temperature; beta -> 0 is gradient ascent")


def npo_loss(logp: Tensor, ref_logp: Tensor, beta: float) -> Tensor:
    """Return -(2 / beta) * log sigmoid(-beta * (logp - ref_logp)), averaged over the batch. ().

    Equation 3 of arXiv 2404.05868. The log-probabilities are sums over the answer's tokens, one number a
    sequence: with token means, the effective beta would be beta / answer length.

    Args:
        logp: (batch,) log pi(answer | query) under the model being trained.
        ref_logp: (batch,) the same under the frozen reference.
        beta: inverse temperature, > 0.
    """
    return -(2 / beta) * F.logsigmoid(-beta * (logp - ref_logp)).mean()


class Npo(Method):
    """l = NPO(forget) + gamma * (cross-entropy(retain) + alpha * KL(reference || policy on retain))."""

    def __init__(self, config: NpoConfig) -> None:
        self.config = config

    def losses(
        self, forget: Stream | None, retain: Stream, ref_forget: Stream | None, ref_retain: Stream | None
    ) -> dict[str, Tensor]:
        """Return the forget loss, the cross-entropy and the KL term."""
        assert forget is not None
        assert ref_forget is not None
        assert ref_retain is not None
        weight = self.config.gamma
        return {
            "forget": npo_loss(sequence_log_probs(forget), sequence_log_probs(ref_forget), self.config.beta),
            "cross_entropy": weight * cross_entropy(retain),
            "retain": weight * self.config.alpha * kl_to_reference(retain, ref_retain),
        }
