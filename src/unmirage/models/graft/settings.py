"""Settings of a grafted model. Imports no torch."""

from __future__ import annotations

from math import isqrt

from pydantic import BaseModel, ConfigDict, Field, field_validator

_WIDE_HEADS = 64  # width of an attention head in large towers, as in CLIP


class GraftSettings(BaseModel):
    """Vision tower, projector and training of a grafted model.

    The defaults fit the pictures of the synthetic world: 40 x 40 pixels in 2 x 2 patches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_tokens: int = Field(default=4, ge=1, le=4096, description="tokens per picture, a square number")
    tower: int = Field(default=64, ge=16, multiple_of=16, description="hidden size of the vision tower")
    layers: int = Field(default=2, ge=1, description="layers of the vision tower")
    patch: int = Field(default=20, ge=1, le=256, description="edge of a patch in pixels")
    seed: int = Field(default=0, ge=0, description="random seed of the new weights and of their training")
    tower_steps: int = Field(default=400, ge=1, description="steps of the tower's training as a classifier")
    steps: int = Field(default=24, ge=1, description="steps of the training of tower and projector in the model")
    batch_size: int = Field(default=8, ge=1, description="questions per step")
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="peak learning rate; None: 1e-4 after a tower training, else 1e-3",
    )

    @field_validator("image_tokens")
    @classmethod
    def _square(cls, count: int) -> int:
        if isqrt(count) ** 2 != count:
            below = isqrt(count)
            raise ValueError(f"{count} is not a square number; valid: {below**2} or {(below + 1) ** 2}")
        return count

    @property
    def side(self) -> int:
        """Edge of a picture in pixels."""
        return isqrt(self.image_tokens) * self.patch

    @property
    def heads(self) -> int:
        """Number of attention heads of the tower."""
        whole = self.tower >= 4 * _WIDE_HEADS and self.tower % _WIDE_HEADS == 0
        return self.tower // _WIDE_HEADS if whole else 4
