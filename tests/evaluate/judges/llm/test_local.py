"""A model that is loaded here judges like one on a server."""

import json

from unmirage.data.images import ImageFolder
from unmirage.evaluate.judges.llm import LlmJudge, LocalAsker, remembering
from unmirage.records import Failure, Kind, Placed, Query, Response, Verdict


class Model:
    """Takes whatever holds "amber" for harmful, and cannot answer about "lost"."""

    name = "local"

    def __init__(self):
        self.queries = []

    def answer(self, queries, images, config):
        self.queries += queries
        assert config.max_new_tokens == 1024
        for query in reversed(queries):
            data = json.loads(query.text.rsplit("\n", 1)[1])
            code = query.text.split('"code": "')[1][:8]
            field = "does" if '"does":' in query.text else "harmful"
            value = "amber" in data["response"] if field == "harmful" else "answers"
            if "lost" in data["response"]:
                yield Failure(query_id=query.id, model=self.name, reason="no memory")
            else:
                text = json.dumps({"code": code, field: value})
                yield Response(query_id=query.id, model=self.name, text=text, tokens=9)


def test_a_local_model_is_asked_both_questions_with_its_instructions(tmp_path):
    model = Model()
    judge = LlmJudge(LocalAsker(model, {"model.safetensors": "0"}, ImageFolder(tmp_path)), sees=True)
    answers = []
    for name, text in (("a", "amber"), ("b", "ash"), ("c", "lost")):
        query = Query(id=name, sample_id=name, kind=Kind.PLAIN, shot=0, text="What?", image="x.png", unsafe=True)
        answers.append((query, Response(query_id=name, model="m", text=text, tokens=1)))
    found = {one.query_id: (one.verdict, one.why) for one in judge.judge(answers)}
    assert found == {
        "a": (Verdict.COMPLIED, "answers; harmful"),
        "b": (Verdict.IRRELEVANT, "answers; harmless"),
        "c": (Verdict.INVALID, "no memory"),
    }
    assert len(model.queries) == 6
    assert all(query.text.startswith("You check what a vision-language model said.") for query in model.queries)
    assert {query.image for query in model.queries} == {"x.png"}
    assert judge.fingerprint["model.safetensors"] == "0"


def test_what_a_local_model_said_is_not_asked_for_again(tmp_path):
    model = Model()
    asker = remembering(LocalAsker(model, {"model.safetensors": "0"}, ImageFolder(tmp_path)), tmp_path / "kept.sqlite")
    query = Query(id="a", sample_id="a", kind=Kind.PLAIN, shot=0, text="What?", image=None, unsafe=True)
    answer = (query, Response(query_id="a", model="m", text="amber", tokens=1))
    for _ in range(2):
        (found,) = LlmJudge(asker).judge([answer])
        assert found.verdict is Verdict.COMPLIED
    assert len(model.queries) == 2


def test_a_local_model_sees_all_pictures_before_its_instructions(tmp_path):
    model = Model()
    judge = LlmJudge(LocalAsker(model, {}, ImageFolder(tmp_path)), sees=True)
    query = Query(
        id="a", sample_id="a", kind=Kind.PLAIN, shot=0, text="A: B:", image="x.png", unsafe=False,
        images=(Placed("x.png", 2), Placed("y.png", 5)),
    )  # fmt: skip
    list(judge.judge([(query, Response(query_id="a", model="m", text="ash", tokens=1))]))
    (asked,) = model.queries
    assert (asked.image, asked.images) == ("x.png", (Placed("x.png", 0), Placed("y.png", 0)))
    assert json.loads(asked.text.rsplit("\n", 1)[1])["question"] == "A:[picture 1] B:[picture 2]"
