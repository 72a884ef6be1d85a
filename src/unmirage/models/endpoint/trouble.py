"""Failure of one request, with what is needed to decide on a retry."""

from __future__ import annotations

# Timeout, conflict, too early, too many requests; server errors (5xx) are transient too.
_PASSING = frozenset({408, 409, 425, 429})


class Trouble(Exception):  # noqa: N818 - not an error yet: the request may be retried
    """A request without a usable response.

    Attributes:
        reason: one line, without secrets.
        passing: whether a retry may succeed.
        status: HTTP status; None if there is none, or if it was not the cause.
        wait: seconds to wait, as the server requests.
        unreachable: whether no connection was made.
    """

    def __init__(
        self,
        reason: str,
        *,
        passing: bool = True,
        status: int | None = None,
        wait: float | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.status = status
        self.wait = wait
        self.unreachable = unreachable


def may_pass(status: int, code: str | None) -> bool:
    """Return whether to retry a request with this HTTP status and server error code."""
    # OpenAI also uses status 429 for accounts without credit.
    return (status in _PASSING or status >= 500) and code != "insufficient_quota"
