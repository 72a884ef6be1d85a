"""Simple NPO (Fan et al., arXiv 2410.07163): NPO without a reference, on length-normalized log-probabilities."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Part, Parts, Stream


class SimNpoConfig(MethodConfig):
    """Settings of SimNPO. The paper calls its margin gamma; here gamma is the weight of the retain loss."""

    name: Literal["sim-npo"] = "sim-npo"
    beta: float = Field(default=2.5, gt=0, description="inverse temperature")
    margin: float = Field(default=0.0, ge=0, description="target margin; a larger one makes the answer less likely")


def sim_npo_loss(mean_logp: Tensor, beta: float, margin: float) -> Tensor:
    """Return -(2 / beta) * log sigmoid(-beta * mean_logp - margin), one value per sequence. (rows,).

    The loss of arXiv 2410.07163.

    Args:
        mean_logp: (rows,) log pi(answer | query) / number of its tokens.
        beta: inverse temperature, > 0.
        margin: the paper's gamma.
    """
    return -(2 / beta) * F.logsigmoid(-beta * mean_logp - margin)


class SimNpo(Method):
    """l = SimNPO(forget) + gamma * (cross-entropy(retain) + alpha * own retain term)."""

    config: SimNpoConfig

    def forget(self, forget: Stream) -> Parts:
        """Return the forget loss."""
        losses = sim_npo_loss(forget.means(forget.policy.log_probs), self.config.beta, self.config.margin)
        return {"forget": Part(losses.sum(), "rows", "forget")}
