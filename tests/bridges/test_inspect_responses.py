"""Responses in Inspect logs of other tasks, and of `unmirage export`."""

import json

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.log import EvalConfig, EvalDataset, EvalError, EvalLog, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
)

import unmirage as um
from unmirage.bridges.inspect_responses import inspect_responses
from unmirage.errors import UserError
from unmirage.records import Ended, Kind

PICTURE = "data:image/png;base64,iVBORw0KGgo="


def output(text, stop="stop", thoughts=""):
    parts = [ContentReasoning(reasoning=thoughts), ContentText(text=text)] if thoughts else text
    message = ChatMessageAssistant(content=parts)
    return ModelOutput(
        model="m",
        choices=[ChatCompletionChoice(message=message, stop_reason=stop)],
        usage=ModelUsage(output_tokens=7, total_tokens=9),
    )


def sample(number, asked="How?", epoch=1, **more):
    return EvalSample(id=number, epoch=epoch, input=asked, target="", **more)


@pytest.fixture
def log(tmp_path, apart):
    """Return a function that writes a log of some samples, and returns its path."""

    def log(*samples, name="x.eval", epochs=1, status="success", **metadata):
        spec = EvalSpec(
            created="2026-01-01T00:00:00+00:00", task="strong_reject", dataset=EvalDataset(), model="openai/gpt-4o",
            config=EvalConfig(epochs=epochs), metadata=metadata or None,
        )  # fmt: skip
        path = tmp_path / name
        apart(write_eval_log, EvalLog(status=status, eval=spec, samples=list(samples)), str(path))
        return path

    return log


@pytest.fixture
def read(apart):
    """Return a function that opens a log, and returns it and its responses."""

    def read(path, **arguments):
        file = apart(inspect_responses, path, **arguments)
        return file, list(file)

    return read


def test_a_log_has_texts_endings_and_reasoning(log, read):
    asked = [
        ChatMessageSystem(content="Be kind."),
        ChatMessageUser(content=[ContentText(text="How?"), ContentImage(image=PICTURE)]),
    ]
    path = log(
        sample(1, asked, output=output("Sure.", thoughts="Let me see"), metadata={"harmful": True, "category": "c"}),
        sample(2, output=output("", "content_filter"), metadata={"harmful": False}),
        sample(3, output=output("Sure, and", "max_tokens"), metadata={"harmful": True}),
        sample(4, error=EvalError(message="timeout", traceback="", traceback_ansi=""), metadata={"harmful": True}),
    )  # fmt: skip
    file, found = read(path)
    assert [(one.response, one.ended, one.unsafe) for one in found] == [
        ("Sure.", Ended.STOP, True), ("", Ended.CONTENT_FILTER, False), ("Sure, and", Ended.LENGTH, True),
        (None, Ended.STOP, True),
    ]  # fmt: skip
    assert (found[0].thoughts, found[0].category, found[0].tokens) == ("Let me see", "c", 7)
    assert (found[0].text, found[0].context[0].text, found[0].image) == ("How?", "Be kind.", None)
    assert found[3].reason == "timeout"
    assert [one.sample for one in found] == [f"strong_reject/{number}" for number in (1, 2, 3, 4)]
    assert {one.model for one in found} == {"openai/gpt-4o"}
    assert file.notes() == ["x.eval: 1 pictures of Inspect's messages are not read"]
    assert read(path, model="mine")[1][0].model == "mine"


def test_epochs_are_repeated_responses(log, read):
    _, found = read(log(*(sample(1, epoch=epoch, output=output(str(epoch))) for epoch in (1, 2)), epochs=2))
    assert [(one.sample, one.shot, one.response) for one in found] == [
        ("strong_reject/1", 0, "1"), ("strong_reject/1", 1, "2"),
    ]  # fmt: skip


def test_an_interrupted_log_is_told_and_an_empty_or_redacted_one_refused(log, read):
    file, found = read(log(sample(1, output=output("a")), status="cancelled"))
    assert len(found) == 1
    assert file.notes() == ["x.eval: 1 samples are all that a log of status 'cancelled' holds"]
    with pytest.raises(UserError, match=r"x\.eval: the log has no samples"):
        read(log(status="error"))
    with pytest.raises(UserError, match="was exported with --redact, so it has no responses"):
        read(log(sample(1, output=output("[redacted]")), redacted=True))


def test_a_damaged_log_is_one_line(tmp_path, read):
    for name, content in (("a.eval", b"PK\x03\x04 no"), ("b.json", b'{"version": 2, "status": "success", "eval": {}}')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name}: is not an Inspect log that can be read") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_log_of_export_keeps_kinds_shots_labels_and_records(judged, tmp_path, apart, read):
    (path,) = apart(um.export, judged, out=tmp_path / "logs", format="json").paths
    file, found = read(path)
    with judged.store() as store:
        queries = {one.id: one for one in store.queries()}
        responses = {one.query_id: one for one in store.responses("npo/7b")}
        samples = {one.id: one for one in store.samples()}
    assert file.about.endswith("inspect, task 'unmirage', model 'npo/7b'")
    assert len(found) == len(queries)
    for one in found:
        query = queries[f"{one.sample}|{one.kind}|{one.shot}"]
        response = responses.get(query.id)
        assert (one.text, one.image, one.unsafe, one.word) == (query.text, query.image, query.unsafe, query.word)
        assert one.record == samples[query.sample_id].record
        if response is None:
            assert (one.response, one.reason) == (None, "server said 500")
        else:
            assert (one.response, one.ended, one.tokens) == (response.text, response.ended, response.tokens)
    assert {one.kind for one in found} == {Kind.PLAIN, Kind.JAILBREAK, Kind.UTILITY}


def test_a_planted_path_in_a_log_of_export_is_refused(judged, tmp_path, apart, read):
    (path,) = apart(um.export, judged, out=tmp_path / "logs", format="json").paths
    document = json.loads(path.read_text())
    document["samples"][0]["metadata"]["image"] = "../../etc/passwd"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"sample 1: field 'metadata.image': image path .* contains '\.\.'"):
        read(path)


def test_logs_of_several_models_are_judged_together(judged, log, tmp_path, apart):
    one = log(sample(1, output=output("I cannot help with that.")), sample(2, "Why?", output=output("Sure.")))
    results = apart(um.judge, one, out=tmp_path / "judged", unsafe="all")
    assert (results["openai/gpt-4o"].asr.before.k, results["openai/gpt-4o"].asr.before.n) == (1, 2)
    with pytest.raises(UserError, match="the query has no label, safe or unsafe"):
        apart(um.judge, one, out=tmp_path / "other")
    (path,) = apart(um.export, judged, out=tmp_path / "logs").paths
    assert list(apart(um.judge, path, out=tmp_path / "again")) == ["npo/7b"]
