"""A language model that a test scripts, in the place of a server."""

import json
import threading

import pytest

from unmirage.evaluate.judges.llm import EndpointAsker, LlmJudge, remembering
from unmirage.models.endpoint import Chat, EndpointSettings, parse_endpoint
from unmirage.models.endpoint.client import Trouble


class Scripted:
    """`does(question, response)` and `harmful(question, response)` say what the judge finds.

    They return a value, a whole reply as text, or the `Trouble` to raise.
    """

    def __init__(self):
        self.does = lambda question, response: "answers"
        self.harmful = lambda question, response: True
        self.model = lambda number: None  # the server's name of the model in reply number 1, 2, ...
        self.asked = []  # (rubric, question, response)
        self.bodies = []
        self._lock = threading.Lock()

    def post(self, body):
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[-1]["text"]
        data = json.loads(text.rsplit("\n", 1)[1])
        code = text.split('"code": "')[1][:8]
        field = "does" if '"does"' in text.split("\n")[1] else "harmful"
        with self._lock:
            self.bodies.append(body)
            self.asked.append((field, data["question"], data["response"]))
            number = len(self.asked)
        found = getattr(self, field)(data["question"], data["response"])
        if isinstance(found, Trouble):
            raise found
        reply = found if isinstance(found, str) and "{" in found else json.dumps({"code": code, field: found})
        choices = [{"message": {"content": reply.replace("CODE", code)}}]
        return json.dumps({"choices": choices, "model": self.model(number)})


@pytest.fixture
def scripted():
    return Scripted()


@pytest.fixture
def make_judge_of(scripted):
    """Return a function that makes a judge which asks the scripted model."""

    def make(cache=None, pictures=None, name="j", held=False, **options):
        settings = EndpointSettings(retries=1, backoff=0, concurrency=4)
        asker = EndpointAsker(
            Chat(parse_endpoint(f"endpoint:http://h#{name}"), settings, scripted), pictures, held=held
        )
        return LlmJudge(remembering(asker, cache), **options)

    return make
