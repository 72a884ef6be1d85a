"""The interface of alignment methods: what they get from a forward pass, and what they return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

StreamName = Literal["forget", "prefer", "retain", "retain_term"]
Tokens = Literal["answer", "query", "all"]
Unit = Literal["rows", "tokens", "places", "batches"]
Need = Literal["log_probs", "logits", "hidden"]
RetainTerm = Literal["none", "kl", "representation", "npo"]
RETAINING: tuple[StreamName, ...] = ("retain", "retain_term")


class MethodConfig(BaseModel):
    """Settings that all methods share: l = l_forget + gamma * (ce * cross-entropy + alpha * own retain term).

    The composite loss of Safety Mirage (Chen et al., arXiv 2503.11832), with a weight for its first term.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    if TYPE_CHECKING:
        name: str  # subclasses define it as a field, with the method's name as default
    retain_terms: ClassVar[tuple[RetainTerm, ...]] = ("none", "kl", "representation")

    gamma: float = Field(default=1.0, ge=0, description="weight of the composite retain loss; 0: no retain set needed")
    ce: float = Field(default=1.0, ge=0, description="weight of the cross-entropy in the retain loss")
    alpha: float = Field(default=1.0, ge=0, description="weight of the own retain term in the retain loss")
    retain_term: RetainTerm = "none"
    separate_retain: bool = Field(
        default=False, description="draw separate retain samples for the own retain term and the cross-entropy"
    )
    layer: int = Field(default=7, ge=1, description="1-based decoder layer of representations, if the method uses them")
    loss_tokens: Tokens = Field(default="answer", description="tokens that the forget loss covers")
    sink_ratio: float | None = Field(
        default=8.0,
        gt=1,
        exclude_if=lambda ratio: ratio == 8.0,  # settings must match those of older trainings, which lack it
        description="representations: leave out tokens with more than this multiple of the median square",
    )
    compat: Literal["none", "official"] = Field(
        default="none", description="official: the losses of the paper's code, including micro-batch means"
    )

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.retain_term not in self.retain_terms:
            valid = ", ".join(self.retain_terms)
            raise ValueError(f"retain_term: '{self.retain_term}' is not available for this method; valid: {valid}")
        if self.gamma and not self.ce and (self.retain_term == "none" or not self.alpha):
            raise ValueError("gamma: has no effect with ce 0 and no own retain term; set gamma to 0, or ce above 0")
        return self

    def make(self) -> Method:
        """Return the method with these settings. Methods of other packages override this."""
        raise NotImplementedError(f"{type(self).__name__} does not override make()")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Outputs of a model for the rows of one stream, at the places that a loss covers, flattened row by row.

    Attributes:
        log_probs: (n,) log pi(token | preceding tokens) of the tokens with loss.
        logits: (n, vocabulary) logits of these tokens; None if not requested.
        hidden: (m, width) output of the chosen decoder layer at the content places; None if not requested.
    """

    log_probs: Tensor
    logits: Tensor | None = None
    hidden: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a batch, with outputs of the policy and, if needed, of the reference.

    Attributes:
        row: (n,) row index of each loss token.
        policy: outputs of the model in training.
        reference: outputs of the frozen reference for the same rows, as far as the method needs them.
        prefer: for the forget stream, the same queries with the preferred answers; None unless the method `prefers`.
    """

    rows: int
    row: Tensor
    policy: Outputs
    reference: Outputs | None = None
    prefer: Stream | None = None

    def sums(self, values: Tensor) -> Tensor:
        """Return (rows,): `values` (n,) summed over the loss tokens of each row."""
        return values.new_zeros(self.rows).index_add(0, self.row, values)

    def means(self, values: Tensor) -> Tensor:
        """Return (rows,): `values` (n,) averaged over the loss tokens of each row."""
        return self.sums(values) / self.sums(torch.ones_like(values)).clamp(min=1)

    @property
    def ref(self) -> Outputs:
        """The reference's outputs, for a method that requests them."""
        assert self.reference is not None
        return self.reference

    @property
    def preferred(self) -> Stream:
        """The stream of preferred answers, for a method that requests it."""
        assert self.prefer is not None
        return self.prefer


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of the loss: a sum and its divisor.

    The divisor is counted over the whole optimizer step: all micro-batches on all machines. Therefore the loss does not
    depend on how a step is split.

    Attributes:
        total: () weighted sum.
        per: "rows" of the stream, its loss "tokens", its content "places", or the "batches" (micro-batches).
        stream: the stream that is counted.
    """

    total: Tensor
    per: Unit
    stream: StreamName


Parts = dict[str, Part]


class Method(ABC):
    """An alignment method. A subclass is one small file: its config, its losses, and their sources."""

    forgets: ClassVar[bool] = True
    prefers: ClassVar[bool] = False  # also gets the forget queries with the answers of `preferred`
    negates: ClassVar[bool] = False  # the learned change is subtracted from the weights at the end

    def __init__(self, config: MethodConfig) -> None:
        self.config = config

    @property
    def retains(self) -> bool:
        """Whether the method uses a retain set."""
        return self.config.gamma > 0

    @property
    def separates(self) -> bool:
        """Whether the own retain term has a separate stream, "retain_term", beside the cross-entropy's "retain"."""
        return self.config.separate_retain and self.config.ce > 0 and self._term != "none"

    def needs(self, stream: StreamName) -> frozenset[Need]:
        """Return the reference outputs that the method needs on a stream."""
        return self._own_needs(stream) if stream in RETAINING else self.forget_needs()

    def wants(self, stream: StreamName) -> frozenset[Need]:
        """Return the policy outputs that the method needs on a stream."""
        if stream not in RETAINING:
            return self.forget_wants()
        learns = frozenset[Need]({"log_probs"} if self.config.ce and stream == "retain" else ())
        return learns | self._own_needs(stream)

    def _own_needs(self, stream: StreamName) -> frozenset[Need]:
        return _RETAIN_NEEDS[self._term] if stream == self._own_stream else frozenset()

    @property
    def _own_stream(self) -> StreamName:
        return "retain_term" if self.separates else "retain"

    def forget_needs(self) -> frozenset[Need]:
        """Return the reference outputs that the forget loss needs."""
        return frozenset()

    def forget_wants(self) -> frozenset[Need]:
        """Return the policy outputs that the forget loss needs."""
        return frozenset({"log_probs"})

    @abstractmethod
    def forget(self, forget: Stream) -> Parts:
        """Return the weighted parts of the forget loss, on unsafe queries with harmful answers."""

    def retain(self, retain: Stream, name: StreamName = "retain") -> Parts:
        """Return a retain stream's parts of the composite loss: gamma * (ce * cross-entropy + alpha * own term).

        Args:
            name: name of the stream. "retain" has both terms, or only the first if the method `separates`.
        """
        config = self.config
        parts: Parts = {}
        if config.ce and name == "retain":
            total = -retain.policy.log_probs.sum()
            parts["cross_entropy"] = Part(config.gamma * config.ce * total, "tokens", name)
        if self._term != "none" and name == self._own_stream:
            weight = config.gamma * config.alpha
            own = self.own_term(retain)
            parts["retain"] = Part(weight * own.total, own.per, name)
        return parts

    def own_term(self, retain: Stream) -> Part:
        """Return the method's own retain term, unweighted."""
        if self._term == "kl":
            return Part(kl_to_reference(retain).sum(), "tokens", "retain")
        assert self._term == "representation"
        assert retain.policy.hidden is not None
        assert retain.ref.hidden is not None
        moved = (retain.policy.hidden - retain.ref.hidden).float()
        return Part(moved.square().mean(-1).sum(), "places", "retain")

    def prepare(self, width: int) -> None:  # noqa: B027  # most methods have nothing to prepare
        """Create state that depends on the width of representations, before the first step."""

    def state(self) -> dict[str, Tensor]:
        """Return tensors that must be saved with the run, such as RMU's control vector."""
        return {}

    @property
    def _term(self) -> RetainTerm:
        return self.config.retain_term if self.retains and self.config.alpha else "none"


_RETAIN_NEEDS: dict[RetainTerm, frozenset[Need]] = {
    "none": frozenset(),
    "kl": frozenset({"logits"}),
    "representation": frozenset({"hidden"}),
    "npo": frozenset({"log_probs"}),
}


def kl_to_reference(stream: Stream) -> Tensor:
    """Return (n,): KL(reference || policy) over the vocabulary, at each loss token of the stream."""
    assert stream.policy.logits is not None
    assert stream.ref.logits is not None
    kl: Tensor = _Kl.apply(stream.policy.logits.float(), stream.ref.logits.float())  # type: ignore[no-untyped-call]
    return kl


class _Kl(torch.autograd.Function):
    """KL(p || q) of two rows of logits (n, outputs), accurate even if p and q hardly differ.

    With d = log p - log q, it is sum (p d - p + q), which equals sum p d because p and q both sum to 1. No term of this
    form is negative, so large terms do not cancel. Near 0, -p + q is computed as p (exp(-d) - 1), which would overflow
    where q is far above p. The gradient in the logits of q is q - p, the only tensor saved for the backward pass. The
    logits of p get no gradient.
    """

    @staticmethod
    def forward(ctx: Any, policy: Tensor, reference: Tensor) -> Tensor:
        """Return (n,)."""
        log_q, log_p = policy.log_softmax(-1), reference.log_softmax(-1)
        d = log_p - log_q
        q, p = log_q.exp_(), log_p.exp_()  # in place, because a row is as long as the vocabulary
        ctx.save_for_backward(q - p)
        near = d.clamp(min=-1).neg_().expm1_().add_(d).mul_(p)
        far = (d - 1).mul_(p).add_(q)
        return torch.where(d > -1, near, far).sum(-1)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        """Return the gradient (n, outputs) in the policy's logits."""
        (apart,) = ctx.saved_tensors
        return grad[0][:, None] * apart, None


def freeze(module: torch.nn.Module) -> torch.nn.Module:
    """Put `module` in evaluation mode and stop its gradients; return it."""
    return module.eval().requires_grad_(False)
