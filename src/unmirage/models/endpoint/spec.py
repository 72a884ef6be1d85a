"""`endpoint:URL#model-name` in, a checked address out; and the key for it, from the environment alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from unmirage.errors import UserError

PREFIX = "endpoint:"
KEY_VARIABLE = "UNMIRAGE_API_KEY"
_OPENAI_HOST = "api.openai.com"
_OPENAI_VARIABLE = "OPENAI_API_KEY"
_VALID = "valid: endpoint:URL#model-name, such as endpoint:http://localhost:8000/v1#llava-hf/llava-1.5-7b-hf"


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """Which model to ask, and where.

    Attributes:
        url: base address, without "/chat/completions"; holds no credentials.
        model: the name by which the server knows the model.
    """

    url: str
    model: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.url}#{self.model}"

    @property
    def is_openai(self) -> bool:
        """Say whether this is OpenAI's own server, reached so that nobody can listen."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" and parts.hostname == _OPENAI_HOST

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Return the environment variables that may hold the key for this server; the first one set counts."""
        return (KEY_VARIABLE, _OPENAI_VARIABLE) if self.is_openai else (KEY_VARIABLE,)


def is_endpoint(text: str) -> bool:
    """Say whether `text` names a server rather than a directory or a hub id."""
    return text.startswith(PREFIX)


def parse_endpoint(text: str) -> EndpointSpec:
    """Return the address and the model that `endpoint:URL#model-name` names.

    A URL without a path means its "/v1".

    Raises:
        UserError: no such form, another scheme than http or https, or credentials in the URL. What might be a
            secret is not repeated in the message.
    """
    if not is_endpoint(text):
        raise UserError(f"'{text[:200]}' names no endpoint; {_VALID}")
    url, _, model = text.removeprefix(PREFIX).partition("#")
    parts = _split(url)
    # Before anything is quoted: the URL may hold a password.
    if "@" in parts.netloc or parts.query:
        raise UserError(
            f"endpoint: the URL holds {'credentials' if '@' in parts.netloc else 'a query'}; leave that out, "
            f"and put the key into the environment variable {KEY_VARIABLE}"
        )
    if parts.scheme not in ("http", "https"):
        raise UserError(f"endpoint '{url[:200]}': scheme '{parts.scheme}' is not http or https; {_VALID}")
    if not parts.hostname:
        raise UserError(f"endpoint '{url[:200]}': names no host; {_VALID}")
    if not model.strip():
        raise UserError(f"endpoint '{url[:200]}': names no model; {_VALID}")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return EndpointSpec(f"{parts.scheme}://{parts.netloc}{path}", model.strip())


def api_key(spec: EndpointSpec) -> str | None:
    """Return the key for a server; None if none is set.

    OPENAI_API_KEY is given to OpenAI's own server only.
    """
    for variable in spec.key_variables:
        key = os.environ.get(variable, "").strip()
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise UserError(f"{variable}: holds characters that no key has; set it again")
        if key:
            return key
    return None


def _split(url: str) -> SplitResult:
    if not url.isprintable() or " " in url or "\\" in url:
        raise UserError(f"endpoint: the URL holds blanks, backslashes or control characters; {_VALID}")
    try:
        parts = urlsplit(url)
        _ = parts.port  # a bad port shows only when it is asked for
        (parts.hostname or "").encode("idna")
    except ValueError:  # a UnicodeError is one
        raise UserError(f"endpoint: the URL has no valid host and port; {_VALID}") from None
    return parts
