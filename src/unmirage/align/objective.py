"""The contract of an alignment method: what it sees of a forward pass, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from unmirage.models.encoding import IGNORED


class MethodConfig(BaseModel):
    """Settings that all methods share: l = l_forget + gamma * (cross-entropy + alpha * own retain term)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gamma: float = Field(default=1.0, ge=0, description="weight of the composite retain loss")
    alpha: float = Field(default=1.0, ge=0, description="weight of the method's own retain term inside it")


@dataclass(frozen=True, slots=True)
class Stream:
    """One forward pass over the rows of one stream (forget or retain).

    Attributes:
        logits: (batch, tokens, vocabulary).
        labels: (batch, tokens), `IGNORED` outside the answer.
        content: (batch, tokens) True on query and answer tokens; never on padding or image positions.
        hidden: (batch, tokens, width) output of the decoder layer that the method asked for, else None.
    """

    logits: Tensor
    labels: Tensor
    content: Tensor
    hidden: Tensor | None = None

    def rows(self, chosen: Tensor) -> Stream:
        """Return the rows for which `chosen` (batch,) is True."""
        hidden = None if self.hidden is None else self.hidden[chosen]
        return Stream(self.logits[chosen], self.labels[chosen], self.content[chosen], hidden)


class Method(ABC):
    """A way to align a model. A subclass is one small file: its config, its losses, where they come from."""

    needs_forget: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = True

    def hidden_layer(self) -> int | None:
        """Return the 1-based decoder layer whose output the losses need; None for none."""
        return None

    @abstractmethod
    def losses(
        self, forget: Stream | None, retain: Stream, ref_forget: Stream | None, ref_retain: Stream | None
    ) -> dict[str, Tensor]:
        """Return the named parts of the loss, already weighted; their sum is minimised.

        Args:
            forget: unsafe queries with harmful answers; None for methods without a forget set.
            retain: everything the model should keep (for SFT: everything it should learn).
            ref_forget, ref_retain: the same rows through the frozen reference model, where it is needed.
        """

    def state(self) -> dict[str, Tensor]:
        """Return tensors that belong to the run and must be saved with it, such as RMU's control vector."""
        return {}


def answer_log_probs(stream: Stream) -> Tensor:
    """Return log pi(answer token | what came before), 0 where there is no answer token. (batch, tokens - 1)."""
    targets = stream.labels[:, 1:]
    mask = targets != IGNORED
    log_probs = F.log_softmax(stream.logits[:, :-1].float(), dim=-1)
    picked = log_probs.gather(-1, targets.masked_fill(~mask, 0).unsqueeze(-1)).squeeze(-1)
    return picked * mask


def sequence_log_probs(stream: Stream) -> Tensor:
    """Return log pi(answer | query), the sum over answer tokens. (batch,)."""
    return answer_log_probs(stream).sum(-1)


def cross_entropy(stream: Stream) -> Tensor:
    """Return the mean next-token loss over all answer tokens of the stream. ()."""
    targets = stream.labels[:, 1:]
    return F.cross_entropy(stream.logits[:, :-1].float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def kl_to_reference(stream: Stream, reference: Stream) -> Tensor:
    """Return KL(reference || policy), averaged over answer tokens. ()."""
    mask = stream.labels[:, 1:] != IGNORED
    policy = F.log_softmax(stream.logits[:, :-1][mask].float(), dim=-1)
    target = F.log_softmax(reference.logits[:, :-1][mask].float(), dim=-1)
    return F.kl_div(policy, target, log_target=True, reduction="batchmean")


def masked_mean_square(difference: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of squares of `difference` (batch, tokens, width) over the tokens in `mask`. ()."""
    return difference[mask].float().square().mean()


def freeze(module: torch.nn.Module) -> torch.nn.Module:
    """Put `module` in evaluation mode and stop its gradients; return it."""
    return module.eval().requires_grad_(False)
