"""Task vector negation (Ilharco et al., arXiv 2212.04089): train on harmful answers, then subtract the change."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Part, Parts, Stream


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
