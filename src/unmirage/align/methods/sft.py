"""Supervised fine-tuning (SFT), and its task vector subtracted from the base model."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Part, Parts, Stream


class SftConfig(MethodConfig):
    """Settings of SFT. The data decide whether it is post-hoc, mixed or balanced; other settings add regularization."""

    name: Literal["sft"] = "sft"
    gamma: float = Field(default=1.0, gt=0, description="weight of the whole loss, which has no other term")


class Sft(Method):
    """l = mean over answer tokens of -log pi(token | before)."""

    forgets: ClassVar[bool] = False

    def forget(self, forget: Stream) -> Parts:  # noqa: ARG002  # SFT has no forget set
        """Return no parts, because there is no forget set."""
        return {}


class TaskVectorConfig(MethodConfig):
    """Settings of task vector negation, which has no retain term by default."""

    name: Literal["task-vector"] = "task-vector"
    gamma: float = Field(default=0.0, ge=0, description="weight of the composite retain loss")
    scale: float = Field(default=1.0, gt=0, description="factor of the subtracted vector")


class TaskVector(Method):
    """Train on l = cross-entropy on forget; then theta = theta_0 - scale * (theta - theta_0)."""

    negates: ClassVar[bool] = True
    config: TaskVectorConfig

    def forget(self, forget: Stream) -> Parts:
        """Return the cross-entropy on the harmful answers, which this method minimizes."""
        return {"forget": Part(-forget.policy.log_probs.sum(), "tokens", "forget")}
