"""A language model that a test scripts, without a server; and a check of the meaning that a test can foresee."""

import json
import threading

import pytest

from unmirage.attack.rewriters import MeaningCheck
from unmirage.models.endpoint import Chat, EndpointSettings, parse_endpoint
from unmirage.models.endpoint.client import Trouble


class Model:
    """`reply(prompt)` returns a text, a list (sent as JSON) or the `Trouble` to raise."""

    def __init__(self):
        self.reply = lambda prompt: []
        self.bodies = []
        self._lock = threading.Lock()

    def post(self, body):
        with self._lock:
            self.bodies.append(body)
        found = self.reply(body["messages"][-1]["content"])
        if isinstance(found, Trouble):
            raise found
        content = found if isinstance(found, str) else json.dumps(found)
        return json.dumps({"choices": [{"message": {"content": content}}], "usage": {"completion_tokens": 5}})


@pytest.fixture
def model():
    """Return a model that gives no rewrites unless told otherwise."""
    return Model()


@pytest.fixture
def chat(model):
    """Return a function that opens a chat with the model, under any name."""
    settings = EndpointSettings(retries=1, backoff=0, concurrency=4)
    return lambda name="m": Chat(parse_endpoint(f"endpoint:http://h#{name}"), settings, model)


@pytest.fixture
def check(monkeypatch):
    """Return a check that a rewrite passes unless it says "lost"."""
    monkeypatch.setattr("unmirage.attack.rewriters.rules.kept", lambda query, text: float("lost" not in text))
    return MeaningCheck()
