"""Supervised fine-tuning: cross-entropy on the answers, refusals included. The baseline that learns the mirage."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from unmirage.align.objective import Method, MethodConfig, Stream, cross_entropy


class SftConfig(MethodConfig):
    """Plain SFT has nothing to weigh: which data it sees makes it post-hoc, mixed or balanced."""

    name: Literal["sft"] = "sft"


class Sft(Method):
    """l = mean over answer tokens of -log pi(token | before)."""

    needs_forget: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False

    def __init__(self, config: SftConfig) -> None:
        self.config = config

    def losses(
        self,
        forget: Stream | None,  # noqa: ARG002
        retain: Stream,
        ref_forget: Stream | None,  # noqa: ARG002
        ref_retain: Stream | None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Return the cross-entropy on everything that is to be learnt."""
        return {"cross_entropy": cross_entropy(retain)}
