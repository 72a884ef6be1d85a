"""What a server was asked, and what that cost."""

from __future__ import annotations

import threading
from typing import Any


class Accounting:
    """Counts over all threads.

    Attributes:
        requests: sent, retries included.
        retries: sent again after a failure.
        failures: questions given up.
        prompt_tokens, completion_tokens: as the server counts them.
        uncounted: answers for which the server gave no count.
    """

    def __init__(self, price_in: float | None = None, price_out: float | None = None) -> None:
        self.requests = self.retries = self.failures = self.uncounted = 0
        self.prompt_tokens = self.completion_tokens = 0
        self._prices = (price_in, price_out)
        self._lock = threading.Lock()

    def sent(self, *, again: bool) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1
            self.retries += again

    def gave_up(self) -> None:
        """Count a question that was given up."""
        with self._lock:
            self.failures += 1

    def answered(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """Count the tokens of one answer."""
        with self._lock:
            self.uncounted += completion_tokens is None
            self.prompt_tokens += prompt_tokens or 0
            self.completion_tokens += completion_tokens or 0

    @property
    def cost(self) -> float | None:
        """Return what the counted tokens cost; None without prices."""
        price_in, price_out = self._prices
        if price_in is None and price_out is None:
            return None
        return (self.prompt_tokens * (price_in or 0) + self.completion_tokens * (price_out or 0)) / 1e6

    def to_json(self) -> dict[str, Any]:
        """Return the counts and the cost."""
        names = ("requests", "retries", "failures", "prompt_tokens", "completion_tokens", "uncounted", "cost")
        return {name: getattr(self, name) for name in names}

    def summary(self) -> str:
        """Return one line for people."""
        text = (
            f"{self.requests:,} requests ({self.retries:,} of them retries), {self.failures:,} given up; "
            f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion tokens"
        )
        if self.uncounted:
            text += f" ({self.uncounted:,} answers came without a count)"
        return text if self.cost is None else f"{text}; cost {self.cost:.4f}"
