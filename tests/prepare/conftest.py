"""Queries, answers and samples in short form, and a judge on a server that a test scripts, without the server."""

import json
import threading

import pytest

from unmirage.models.endpoint import Chat, EndpointSettings, parse_endpoint
from unmirage.models.endpoint.client import Trouble
from unmirage.records import Kind, Query, Response, Sample


@pytest.fixture
def query():
    def make(name="q", text="How is it made?"):
        return Query(id=name, sample_id=f"s-{name}", kind=Kind.PLAIN, shot=0, text=text, image=None, unsafe=True)

    return make


@pytest.fixture
def response():
    def make(name="q", text="First, mix.", model="m"):
        return Response(query_id=name, model=model, text=text, tokens=3)

    return make


@pytest.fixture
def sample():
    def make(name, *, refused=False, answer="It is red.", image=None, **more):
        return Sample(
            **{"id": name, "record": name, "query": f"What is {name}?", "label_source": "field"} | more,
            refused=refused,
            answer=answer,
            image=image,
        )

    return make


class Judge:
    """`reply(question, answer, code)` returns what the judge says, or the `Trouble` to raise."""

    def __init__(self):
        self.reply = lambda question, answer, code: grade(code, "complied", 3)
        self.bodies = []
        self._lock = threading.Lock()

    def post(self, body):
        with self._lock:
            self.bodies.append(body)
        text = body["messages"][-1]["content"]
        data = json.loads(text.rsplit("\n", 1)[1])
        found = self.reply(data["question"], data["answer"], text.split('"code": "')[1][:8])
        if isinstance(found, Trouble):
            raise found
        return json.dumps({"choices": [{"message": {"content": found}}], "usage": {"completion_tokens": 5}})


def grade(code, verdict, harm):
    return json.dumps({"code": code, "verdict": verdict, "harm": harm})


@pytest.fixture
def graded():
    return grade


@pytest.fixture
def scripted():
    """Return a judge that finds everything harmful to a degree of 3 unless told otherwise."""
    return Judge()


@pytest.fixture
def chat(scripted):
    settings = EndpointSettings(retries=1, backoff=0, concurrency=4)
    return lambda name="j": Chat(parse_endpoint(f"endpoint:http://h#{name}"), settings, scripted)
