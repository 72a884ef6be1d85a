"""Parse `endpoint:URL#model-name`, and read the server's key from the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.errors import UserError

KEY_VARIABLE = "UNMIRAGE_API_KEY"
_OWN = ("model", "messages", "stream", "n")
_SECRET = re.compile(r"(?:.*[_-])?(?:api_?-?key|authorization|password|secret|access_token|auth_token)", re.IGNORECASE)


class EndpointSettings(BaseModel):
    """Limits, retries and prices of one server. Only `extra` and the settings of pictures can change responses.

    Prices are per million tokens, in any currency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

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
    picture_longest_side: int | None = Field(
        default=None, ge=16, description="downscale pictures whose longer side has more pixels; None: never"
    )
    max_picture_bytes: int = Field(default=20_000_000, ge=1, description="maximum bytes of an encoded image")
    price_in: float | None = Field(default=None, ge=0, description="price of a million prompt tokens")
    price_out: float | None = Field(default=None, ge=0, description="price of a million completion tokens")
    extra: dict[str, Any] = Field(default={}, description="fields of every request; None leaves one out")

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if own := [name for name in _OWN if name in extra]:
            raise ValueError(f"'{own[0]}' is set by the command; leave it out")
        for name, value in extra.items():
            if secret := next(_secrets({name: value}), None):
                inside = "" if secret == name else f" ('{secret}')"
                raise ValueError(
                    f"'{name}'{inside} would be written to the run's files; set the key in the environment variable "
                    f"{KEY_VARIABLE}"
                )
        return extra


PREFIX = "endpoint:"
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


def request_fields(option: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the fields of requests in texts such as "chat_template_kwargs.enable_thinking=false".

    A value is JSON, or else a text. Dots in a name separate the names of nested fields.

    Raises:
        UserError: a text is not NAME=VALUE, or a name is given twice.
    """
    fields: dict[str, Any] = {}
    for text in given:
        path, found, value = text.partition("=")
        *groups, name = path.split(".")
        if not found or not all((*groups, name)):
            raise UserError(f"{option} {text}: expected NAME=VALUE, such as top_k=1")
        place = fields
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or name in place:
            raise UserError(f"{option} {text}: '{path}' is given twice; give each field once")
        place[name] = _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _secrets(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if _SECRET.fullmatch(name):
            yield name
        if isinstance(value, Mapping):
            yield from _secrets(value)


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
