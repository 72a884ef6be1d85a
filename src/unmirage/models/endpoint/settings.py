"""Settings of a server: concurrency, rate limit, timeouts, retries and prices."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class EndpointSettings(BaseModel):
    """Limits, retries and prices of one server. Only `extra` and the image format can change responses.

    Prices are per million tokens, in any currency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: int = Field(default=8, ge=1, le=256, description="maximum concurrent requests")
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="maximum requests per minute over all threads; None: no limit"
    )
    timeout: float = Field(default=120, gt=0, description="seconds until a request times out")
    retries: int = Field(default=4, ge=0, description="maximum retries of a request after transient failures")
    backoff: float = Field(default=1, ge=0, description="seconds before the first retry; doubles with each retry")
    longest_wait: float = Field(default=120, gt=0, description="maximum seconds between two attempts")
    give_up_after: int = Field(default=20, ge=1, description="consecutive failed requests that stop the run")
    picture_format: Literal["png", "jpeg"] = Field(default="png", description="png is lossless, jpeg smaller")
    max_picture_bytes: int = Field(default=20_000_000, ge=1, description="maximum bytes of an encoded image")
    price_in: float | None = Field(default=None, ge=0, description="price of a million prompt tokens")
    price_out: float | None = Field(default=None, ge=0, description="price of a million completion tokens")
    extra: dict[str, Any] = Field(default={}, description="fields added to every request")
