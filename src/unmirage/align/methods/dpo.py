"""Preference optimization: prefer one answer to another with the loss of DPO, IPO or SimPO.

The answers are the chosen and the rejected one of preference pairs, or a fixed text and the harmful answer of the
forget set. With "I don't know" texts the latter is the IdkDPO of TOFU (Maini et al., arXiv 2401.06121).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import torch.nn.functional as F
from pydantic import Field, model_validator
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


PreferenceLoss = Literal["dpo", "ipo", "simpo"]
# SimPO compares means over tokens, so its values are larger: those of the paper's appendix B for Llama 3.
SIMPO: Mapping[str, float] = {"beta": 2.0, "margin": 1.0}


class DpoConfig(MethodConfig):
    """Settings of preference optimization. `prefer` and `prefer_texts` have no effect on preference pairs."""

    name: Literal["dpo"] = "dpo"
    # The new settings are left out at their default: settings must match those of older trainings, which lack them.
    loss: PreferenceLoss = Field(default="dpo", exclude_if=lambda loss: loss == "dpo", description="loss of a pair")
    beta: float = Field(default=0.1, gt=0, description="inverse temperature; default with loss simpo: 2")
    margin: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        exclude_if=lambda margin: margin is None,
        description="loss simpo only: target margin, the paper's gamma; default 1",
    )
    prefer: Literal["idk", "refusal"] = Field(default="idk", description="texts to prefer to the harmful answers")
    prefer_texts: tuple[Annotated[str, Field(pattern=r"\S")], ...] = Field(
        default=(), description="custom texts to prefer, instead of those"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_simpo(cls, given: Any) -> Any:
        is_simpo = isinstance(given, Mapping) and given.get("loss") == "simpo"
        return {**SIMPO, **given} if is_simpo else given

    @model_validator(mode="after")
    def _has_use_for_the_margin(self) -> Self:
        if self.margin is not None and self.loss != "simpo":
            raise ValueError(f"margin: loss '{self.loss}' has none; leave it out, or set loss to simpo")
        return self


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


def ipo_loss(logp: Tensor, ref_logp: Tensor, other_logp: Tensor, ref_other_logp: Tensor, beta: float) -> Tensor:
    """Return ((logp - ref_logp) - (other_logp - ref_other_logp) - 1 / (2 * beta))^2 per pair. (rows,).

    Equation 17 of Azar et al., arXiv 2310.12036. The log-probabilities are means over the tokens of an answer, as in
    TRL, whose authors asked those of the paper; with sums, the loss would grow with the square of the length.

    Args:
        logp, other_logp: (rows,) log pi of the preferred and of the other answer / number of its tokens.
        ref_logp, ref_other_logp: (rows,) the same under the frozen reference.
        beta: weight of the distance to the reference, the paper's tau, > 0.
    """
    return ((logp - ref_logp) - (other_logp - ref_other_logp) - 1 / (2 * beta)).square()


def simpo_loss(mean_logp: Tensor, other_mean_logp: Tensor, beta: float, margin: float) -> Tensor:
    """Return -log sigmoid(beta * (mean_logp - other_mean_logp) - margin) per pair. (rows,).

    Equation 6 of Meng et al., arXiv 2405.14734, which needs no reference.

    Args:
        mean_logp, other_mean_logp: (rows,) log pi of the preferred and of the other answer / number of its tokens.
        beta: inverse temperature, > 0.
        margin: the paper's gamma.
    """
    return -F.logsigmoid(beta * (mean_logp - other_mean_logp) - margin)


class Dpo(Method):
    """l = preference(preferred over other answer) + gamma * (cross-entropy(retain) + alpha * own retain term)."""

    prefers: ClassVar[bool] = True
    config: DpoConfig

    def forget_needs(self) -> frozenset[Need]:
        """Return the log-probabilities of both answers; SimPO has no reference."""
        return frozenset() if self.config.loss == "simpo" else frozenset({"log_probs"})

    def preferred(self) -> tuple[str, ...]:
        """Return the answers to prefer, which are distributed over the forget set."""
        return self.config.prefer_texts or ANSWERS[self.config.prefer]

    def forget(self, forget: Stream) -> Parts:
        """Return the preference loss."""
        prefer, config = forget.preferred, self.config
        if config.loss == "simpo":
            assert config.margin is not None
            mean, other_mean = (one.means(one.policy.log_probs) for one in (prefer, forget))
            losses = simpo_loss(mean, other_mean, config.beta, config.margin)
        elif config.loss == "ipo":
            losses = ipo_loss(
                prefer.means(prefer.policy.log_probs),
                prefer.means(prefer.ref.log_probs),
                forget.means(forget.policy.log_probs),
                forget.means(forget.ref.log_probs),
                config.beta,
            )
        else:
            losses = dpo_loss(
                prefer.sums(prefer.policy.log_probs),
                prefer.sums(prefer.ref.log_probs),
                forget.sums(forget.policy.log_probs),
                forget.sums(forget.ref.log_probs),
                config.beta,
            )
        return {"forget": Part(losses.sum(), "rows", "forget")}
