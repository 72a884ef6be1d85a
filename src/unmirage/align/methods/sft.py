"""Supervised fine-tuning: cross-entropy on the answers, refusals included. This baseline learns the mirage."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Parts, Stream


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
