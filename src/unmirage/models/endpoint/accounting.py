"""Count requests, retries, failures, tokens and cost of a server."""

from __future__ import annotations

import logging
import threading
from typing import Any

from unmirage.text.printable import short

log = logging.getLogger(__name__)


class Accounting:
    """Thread-safe counters.

    Attributes:
        failures: questions without a response after all retries.
        blocked: responses that a content filter withheld or cut off, or that are refusals in a field of their own.
        prompt_tokens, completion_tokens: as the server counts them.
        uncounted: responses for which the server gave no token count.
        shrunk: pictures that were downscaled before they were sent.
        notes: how requests were changed for the server, and what that means for the responses; one line each.
    """

    def __init__(self, price_in: float | None = None, price_out: float | None = None) -> None:
        self.requests = self.retries = self.failures = self.blocked = self.uncounted = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.shrunk: set[str] = set()
        self.notes: list[str] = []
        self._prices = (price_in, price_out)
        self._served: str | None = None
        self._is_mixed = False
        self._lock = threading.Lock()

    def sent(self, *, again: bool) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1
            self.retries += again

    def gave_up(self) -> None:
        """Count a question that failed after all retries."""
        with self._lock:
            self.failures += 1

    def declined(self) -> None:
        """Count a response that the server blocked."""
        with self._lock:
            self.blocked += 1

    def downscaled(self, picture: str, longest: int) -> None:
        """Note that a picture was downscaled to a longest side in pixels."""
        note = f"pictures were downscaled to {longest:,} pixels on the longer side before they were sent"
        with self._lock:
            self.shrunk.add(picture)
            if note not in self.notes:
                self.notes.append(note)

    def answered(
        self, prompt_tokens: int | None, completion_tokens: int | None, model: str | None = None, asked: str = ""
    ) -> None:
        """Count the tokens of one response, and note when another model than before, or than asked, has given it."""
        with self._lock:
            if model and asked and self._served is None and not _alike(model, asked):
                log.warning(
                    "model '%s' was requested, but the server answers as '%s'; it may serve one model under any name",
                    short(asked, 60),
                    short(model, 60),
                )
            self._served = self._served or model
            if model and model != self._served and not self._is_mixed:
                self._is_mixed = True
                self._note_models(model)
            self.uncounted += completion_tokens is None
            self.prompt_tokens += prompt_tokens or 0
            self.completion_tokens += completion_tokens or 0

    @property
    def cost(self) -> float | None:
        """Return the cost of the counted tokens; None without prices."""
        price_in, price_out = self._prices
        if price_in is None and price_out is None:
            return None
        return (self.prompt_tokens * (price_in or 0) + self.completion_tokens * (price_out or 0)) / 1e6

    def to_json(self) -> dict[str, Any]:
        """Return the counts and the cost."""
        names = (
            "requests",
            "retries",
            "failures",
            "blocked",
            "prompt_tokens",
            "completion_tokens",
            "uncounted",
            "cost",
        )
        return {name: getattr(self, name) for name in names}

    def summary(self) -> str:
        """Return a one-line summary for users."""
        text = (
            f"{self.requests:,} requests (including {self.retries:,} retries), {self.failures:,} failed; "
            f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion tokens"
        )
        if self.uncounted:
            text += f" ({self.uncounted:,} responses had no token count)"
        if self.blocked:
            text += f"; the server blocked {self.blocked:,} responses"
        if self.shrunk:
            text += f"; {len(self.shrunk):,} pictures were downscaled"
        return text if self.cost is None else f"{text}; cost {self.cost:.4f}"

    def _note_models(self, other: str) -> None:
        first, second = (short(name, 60) for name in (self._served or "", other))
        self.notes.append(f"the server answered as '{first}' and '{second}'; the responses may be of different models")
        log.warning("%s", self.notes[-1])


def _alike(served: str, asked: str) -> bool:
    """Return whether two names may be of one model: an alias, a version of it, or its file."""
    names = [name.lower().rstrip("/").rpartition("/")[2] for name in (served, asked)]
    return names[0] in names[1] or names[1] in names[0]
