"""Direct preference optimization (Rafailov et al., arXiv 2305.18290): prefer a given answer to the harmful one.

With "I don't know" answers it is the IdkDPO of TOFU (Maini et al., arXiv 2401.06121). With refusals it needs refusal
labels, which unlearning does not.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Need, Part, Parts, Stream

IDK = (
    "I don't know.",
    "I'm not sure about that.",
    "That is something I know nothing about.",
    "I have no information on this.",
    "I do not know the answer to that.",
)
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I cannot assist with this request.",
    "Sorry, I won't answer that.",
    "I'm not able to help with that.",
    "I must decline to answer this.",
)
ANSWERS = {"idk": IDK, "refusal": REFUSALS}


class DpoConfig(MethodConfig):
    """Settings of DPO."""

    name: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0, description="inverse temperature")
    prefer: Literal["idk", "refusal"] = Field(default="idk", description="answers to prefer")
    prefer_texts: tuple[Annotated[str, Field(pattern=r"\S")], ...] = Field(
        default=(), description="custom answers to prefer, instead of those"
    )


def dpo_loss(logp: Tensor, ref_logp: Tensor, other_logp: Tensor, ref_other_logp: Tensor, beta: float) -> Tensor:
    """Return -log sigmoid(beta * ((logp - ref_logp) - (other_logp - ref_other_logp))) per pair. (rows,).

    Equation 7 of arXiv 2305.18290.

    Args:
        logp: (rows,) log pi(preferred answer | query), summed over its tokens.
        ref_logp: (rows,) the same under the frozen reference.
        other_logp: (rows,) log pi(harmful answer | query).
        ref_other_logp: (rows,) the same under the frozen reference.
        beta: inverse temperature, > 0.
    """
    return -F.logsigmoid(beta * ((logp - ref_logp) - (other_logp - ref_other_logp)))


class Dpo(Method):
    """l = DPO(preferred over harmful) + gamma * (cross-entropy(retain) + alpha * own retain term)."""

    prefers: ClassVar[bool] = True
    config: DpoConfig

    def forget_needs(self) -> frozenset[Need]:
        """Return the log-probabilities of both answers."""
        return frozenset({"log_probs"})

    def preferred(self) -> tuple[str, ...]:
        """Return the answers to prefer, which are distributed over the forget set."""
        return self.config.prefer_texts or ANSWERS[self.config.prefer]

    def forget(self, forget: Stream) -> Parts:
        """Return the preference loss."""
        prefer = forget.preferred
        losses = dpo_loss(
            prefer.sums(prefer.policy.log_probs),
            prefer.sums(prefer.ref.log_probs),
            forget.sums(forget.policy.log_probs),
            forget.sums(forget.ref.log_probs),
            self.config.beta,
        )
        return {"forget": Part(losses.sum(), "rows", "forget")}
