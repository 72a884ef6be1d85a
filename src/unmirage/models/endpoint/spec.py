"""Parse `endpoint:URL#model-name`, and read the server's key from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from unmirage.errors import UserError


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


PREFIX = "endpoint:"
KEY_VARIABLE = "UNMIRAGE_API_KEY"
_OPENAI_HOST = "api.openai.com"
_OPENAI_VARIABLE = "OPENAI_API_KEY"
_VALID = "valid: endpoint:URL#model-name, such as endpoint:http://localhost:8000/v1#llava-hf/llava-1.5-7b-hf"


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """The URL of a server and the name of a model on it.

    Attributes:
        url: base URL, without "/chat/completions" and without credentials.
    """

    url: str
    model: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.url}#{self.model}"

    @property
    def is_openai(self) -> bool:
        """Return whether this is OpenAI's own server, over an encrypted connection."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" and parts.hostname == _OPENAI_HOST

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Return the environment variables that may hold this server's key, by priority."""
        return (KEY_VARIABLE, _OPENAI_VARIABLE) if self.is_openai else (KEY_VARIABLE,)


def parse_endpoint(text: str) -> EndpointSpec:
    """Return the URL and the model name in `endpoint:URL#model-name`.

    A URL without a path gets the path "/v1".

    Raises:
        UserError: the form is wrong, the scheme is not http or https, or the URL holds credentials. The message
            does not repeat possible secrets.
    """
    if not text.startswith(PREFIX):
        raise UserError(f"'{text[:200]}' is not an endpoint; {_VALID}")
    url, _, model = text.removeprefix(PREFIX).partition("#")
    parts = _split(url)
    # Check this before any message quotes the URL: it may hold a password.
    if "@" in parts.netloc or parts.query:
        raise UserError(
            f"endpoint: the URL contains {'credentials' if '@' in parts.netloc else 'a query'}; remove that part, "
            f"and set the key in the environment variable {KEY_VARIABLE}"
        )
    if parts.scheme not in ("http", "https"):
        raise UserError(f"endpoint '{url[:200]}': scheme '{parts.scheme}' is not http or https; {_VALID}")
    if not parts.hostname:
        raise UserError(f"endpoint '{url[:200]}': host is missing; {_VALID}")
    if not model.strip():
        raise UserError(f"endpoint '{url[:200]}': model name is missing; {_VALID}")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return EndpointSpec(f"{parts.scheme}://{parts.netloc}{path}", model.strip())


def api_key(spec: EndpointSpec) -> str | None:
    """Return the key for a server; None if no key is set.

    OPENAI_API_KEY is sent to OpenAI's own server only.
    """
    for variable in spec.key_variables:
        key = os.environ.get(variable, "").strip()
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise UserError(f"{variable}: contains characters that are invalid in a key; set it again")
        if key:
            return key
    return None


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url or "\\" in url:
        raise UserError(f"endpoint: the URL contains spaces, backslashes or control characters; {_VALID}")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a bad port only when read
        (parts.hostname or "").encode("idna")
    except ValueError:  # includes UnicodeError
        raise UserError(f"endpoint: the URL has no valid host and port; {_VALID}") from None
    return parts
