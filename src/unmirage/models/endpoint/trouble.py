"""What can go wrong with one request."""

from __future__ import annotations

# Too slow, in conflict, too early, too many; and whatever is the server's own fault.
_PASSING = frozenset({408, 409, 425, 429})


class Trouble(Exception):  # noqa: N818 - not an error yet: the request may be sent again
    """A request that got no usable answer.

    Attributes:
        reason: one line, without secrets.
        passing: may it go better when asked again?
        status: the HTTP status; None where there is none, or it was not what went wrong.
        wait: seconds that the server asks to wait.
        unreachable: was no connection made at all?
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
    """Say whether a request with this HTTP status, and error code of the server, is worth sending again."""
    # OpenAI answers 429 also where the account has no money left.
    return (status in _PASSING or status >= 500) and code != "insufficient_quota"
