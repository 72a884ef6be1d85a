"""How hard and how often a server is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class EndpointSettings(BaseModel):
    """Limits, patience and prices of one server. None of it changes what is asked, but `extra` and the picture format.

    Prices are per million tokens, in any currency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: int = Field(default=8, ge=1, le=256, description="requests under way at the same time")
    requests_per_minute: float | None = Field(default=None, gt=0, description="over all threads; None: no limit")
    timeout: float = Field(default=120, gt=0, description="seconds until a request is given up")
    retries: int = Field(default=4, ge=0, description="how often a request that failed in passing is sent again")
    backoff: float = Field(default=1, ge=0, description="seconds before the first retry; doubled for each further one")
    longest_wait: float = Field(default=120, gt=0, description="seconds between two attempts at most")
    give_up_after: int = Field(default=20, ge=1, description="requests that may fail in a row before the run stops")
    picture_format: Literal["png", "jpeg"] = Field(default="png", description="png is exact, jpeg smaller")
    max_picture_bytes: int = Field(default=20_000_000, ge=1, description="of one picture, as it is sent")
    price_in: float | None = Field(default=None, ge=0, description="price of a million prompt tokens")
    price_out: float | None = Field(default=None, ge=0, description="price of a million completion tokens")
    extra: dict[str, Any] = Field(default={}, description="fields added to every request")
