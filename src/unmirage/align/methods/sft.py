"""Supervised fine-tuning: cross-entropy on the answers, refusals included. The baseline that learns the mirage."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unmirage.align.objective import Method, MethodConfig, Parts, Stream


class SftConfig(MethodConfig):
    """Plain SFT has nothing to weigh: its data make it post-hoc, mixed or balanced; other settings regularise it."""

    name: Literal["sft"] = "sft"
    gamma: float = Field(default=1.0, gt=0, description="weight of the whole loss: there is no other")


class Sft(Method):
    """l = mean over answer tokens of -log pi(token | before)."""

    forgets: ClassVar[bool] = False

    def forget(self, forget: Stream) -> Parts:  # noqa: ARG002  # there is none
        """Return nothing: there is no forget set."""
        return {}
