"""Leave out request parameters that a server's model does not support, and remember them for later requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any

from unmirage.models.endpoint.client import Trouble
from unmirage.models.endpoint.rejections import unsupported

log = logging.getLogger(__name__)

LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
_STATUS = (None, 400, 422)
# What it means that a parameter is left out. Reasoning models of OpenAI have no temperature.
_NOTES = {
    "temperature": "the server does not support temperature {value:g}; responses are sampled at its default "
    "temperature, and another run can differ",
    "seed": "the server does not support seeds; another run can differ",
    "response_format": "the server does not support response_format; replies are not held to a JSON schema",
}


class Parameters:
    """The parameters that one server's model does not support. Thread-safe.

    Args:
        given: parameters that the user has set; they are always sent.
        url: address of the server, for the log.
    """

    def __init__(self, given: Collection[str], url: str) -> None:
        self.notes: list[str] = []  # what the missing parameters mean for the responses, one line each
        self._given = frozenset(given)
        self._url = url
        self._absent: set[str] = set()
        self._lock = threading.Lock()

    def fitted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request without these parameters; the token limit has its other name instead."""
        found = {name: value for name, value in body.items() if name not in self._absent}
        if LIMIT in self._absent and LIMIT in body:
            found[NEW_LIMIT] = body[LIMIT]
        return found

    def learn(self, trouble: Trouble, sent: Mapping[str, Any]) -> bool:
        """Return whether an error was about a parameter of the request that later requests leave out."""
        if trouble.status not in _STATUS:
            return False
        ours = [name for name in (LIMIT, *_NOTES) if name in sent and name not in self._given]
        name = unsupported(trouble.document, ours)
        # Models without temperature have the new limit only, and some servers go on to name the temperature.
        if name is None and LIMIT in ours and unsupported(trouble.document, self._absent):
            name = LIMIT
        if name is None:
            return False
        with self._lock:
            if name not in self._absent:
                self._absent.add(name)
                self._tell(name, sent[name])
        return True

    def _tell(self, name: str, value: Any) -> None:
        if name == LIMIT:
            log.info("endpoint %s: the server does not support %s; %s is sent instead", self._url, LIMIT, NEW_LIMIT)
            return
        self.notes.append(_NOTES[name].format(value=value))
        log.warning("endpoint %s: %s", self._url, self.notes[-1])
