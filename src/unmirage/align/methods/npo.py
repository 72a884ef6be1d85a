"""Negative preference optimization (Zhang et al., arXiv 2404.05868), with cross-entropy and KL on the retain set."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Need, Part, Parts, RetainTerm, Stream


class NpoConfig(MethodConfig):
    """Settings of NPO.

    With `compat: official` there is one log-ratio per micro-batch, the mean over its tokens, and `retain_term: npo` is
    the retain term of the paper's code. Its effective beta is then beta / answer length.
    """

    retain_terms: ClassVar[tuple[RetainTerm, ...]] = ("none", "kl", "representation", "npo")

    name: Literal["npo"] = "npo"
    beta: float = Field(default=0.1, gt=0, description="inverse temperature; beta -> 0 is gradient ascent")
    reduction: Literal["sum", "mean"] = Field(default="sum", description="log pi of an answer, over its tokens")
    retain_term: RetainTerm = "kl"


def npo_loss(logp: Tensor, ref_logp: Tensor, beta: float) -> Tensor:
    """Return -(2 / beta) * log sigmoid(-beta * (logp - ref_logp)), one value per sequence. (rows,).

    Equation 3 of arXiv 2404.05868. The log-probabilities are sums over the answer's tokens: with token means, the
    effective beta would be beta / answer length.

    Args:
        logp: (rows,) log pi(answer | query) under the model being trained.
        ref_logp: (rows,) the same under the frozen reference.
        beta: inverse temperature, > 0.
    """
    return -(2 / beta) * F.logsigmoid(-beta * (logp - ref_logp))


class Npo(Method):
    """l = NPO(forget) + gamma * (cross-entropy(retain) + alpha * KL(reference || policy on retain))."""

    config: NpoConfig

    def forget_needs(self) -> frozenset[Need]:
        """Return the log-probabilities of the harmful answers."""
        return frozenset({"log_probs"})

    def forget(self, forget: Stream) -> Parts:
        """Return the forget loss."""
        if self.config.compat == "official":
            return {"forget": Part(npo_loss(*_token_means(forget), self.config.beta), "batches", "forget")}
        reduce = forget.sums if self.config.reduction == "sum" else forget.means
        logp, ref_logp = reduce(forget.policy.log_probs), reduce(forget.ref.log_probs)
        return {"forget": Part(npo_loss(logp, ref_logp, self.config.beta).sum(), "rows", "forget")}

    def own_term(self, retain: Stream) -> Part:
        """Return the retain term; in the paper's code it is minus the NPO loss, so it fades as the damage grows."""
        if self.config.retain_term != "npo":
            return super().own_term(retain)
        if self.config.compat == "official":
            return Part(-npo_loss(*_token_means(retain), self.config.beta), "batches", "retain")
        logp, ref_logp = retain.sums(retain.policy.log_probs), retain.sums(retain.ref.log_probs)
        return Part(-npo_loss(logp, ref_logp, self.config.beta).sum(), "rows", "retain")


def _token_means(stream: Stream) -> tuple[Tensor, Tensor]:
    return stream.policy.log_probs.mean(), stream.ref.log_probs.mean()


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
