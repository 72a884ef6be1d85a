"""A VLM on a server: every query gets one answer or one reason, whatever a fifth of the requests come to."""

import base64
import io
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import GenerationConfig
from unmirage.models.endpoint import EndpointVLM
from unmirage.models.endpoint.data_urls import DataUrls
from unmirage.records import Ended, Failure, Kind, Placed, Query, Response, Turn

CONFIG = GenerationConfig(max_new_tokens=32)


def query(number, image=None, text=None):
    return Query(
        id=f"q{number}", sample_id=f"s{number}", kind=Kind.PLAIN, shot=0, text=text or f"text {number}", image=image,
        unsafe=False,
    )  # fmt: skip


def text_of(body):
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def picture_of(body):
    head, _, data = body["messages"][-1]["content"][0]["image_url"]["url"].partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


@pytest.fixture
def images(tmp_path):
    """Return a folder with a noisy picture, one of another mode, and some that cannot be used."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "WHO TOOK IT"
    Image.fromarray(noise).save(tmp_path / "noise.png", exif=exif)
    Image.fromarray(noise).save(tmp_path / "noise.jpg", exif=exif, comment=b"WHO TOOK IT")
    Image.new("LA", (5, 7), (200, 10)).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "noise.png").read_bytes()[:600])
    (tmp_path / "text.png").write_text("no picture")
    return ImageFolder(tmp_path)


def answered(vlm, queries, images):
    return sorted(vlm.answer(queries, images, CONFIG), key=lambda one: one.query_id)


def test_each_query_is_answered_with_its_counts(stub, vlm, images, answers):
    stub.reply = lambda number, body: answers(
        f"On {text_of(body)}", why="length" if text_of(body) == "text 3" else "stop"
    )
    found = answered(vlm(), [query(number) for number in range(9)], images)
    assert found == [
        Response(
            query_id=f"q{n}",
            model="tiny/vlm",
            text=f"On text {n}",
            tokens=3,
            ended=Ended.LENGTH if n == 3 else Ended.STOP,
        )
        for n in range(9)
    ]
    assert {(body["temperature"], body["max_tokens"]) for body in stub.requests} == {(0, 32)}


def test_a_conversation_is_sent_turn_by_turn_with_its_pictures_in_their_places(stub, vlm, images):
    turns = (
        Turn("system", "Be kind. \ud800"),
        Turn("user", "This?", (Placed("grey.png", 4),)),
        Turn("assistant", "A dog."),
    )
    asked = replace(
        query(0, "grey.png", "A: \nB: \nSame?"), context=turns, images=(Placed("noise.png", 3), Placed("grey.png", 7))
    )
    (found,) = answered(vlm(), [asked], images)
    assert found.text == "Yes."
    (body,) = stub.requests
    urls = []

    def plain(content):
        if isinstance(content, str):
            return content
        urls.extend(part["image_url"]["url"] for part in content if part["type"] == "image_url")
        return [part.get("text", part["type"]) for part in content]

    assert [(one["role"], plain(one["content"])) for one in body["messages"]] == [
        ("system", "Be kind. ?"),
        ("user", ["This", "image_url", "?"]),
        ("assistant", "A dog."),
        ("user", ["A: ", "image_url", "\nB: ", "image_url", "\nSame?"]),
    ]
    sizes = [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size for url in urls]
    assert sizes == [(5, 7), (60, 40), (5, 7)]


def test_a_missing_picture_of_an_earlier_turn_is_a_failure(stub, vlm, images):
    asked = replace(query(0, "gone.png"), context=(Turn("user", "?", (Placed("gone.png", 0),)), Turn("assistant", ".")))
    (found,) = answered(vlm(), [asked], images)
    assert isinstance(found, Failure)
    assert "gone.png" in found.reason
    assert stub.requests == []


def test_every_way_to_end_is_a_response(stub, vlm, images, answers):
    replies = {
        "text 0": answers("", why="length", reasoning_content="Hm."),
        "text 1": answers(None, why="content_filter"),
        "text 2": (400, {}, '{"error": {"code": "content_filter", "message": "no"}}'),
        "text 3": answers(None, why="tool_calls"),
        "text 4": answers("", refusal="I can't."),
        "text 5": answers("<think>Hm.</think>Yes.", reasoning_content="First."),
    }
    stub.reply = lambda number, body: replies[text_of(body)]
    found = answered(vlm(), [query(n) for n in range(6)], images)
    assert [(one.text, one.ended, one.thoughts, one.tokens) for one in found] == [
        ("", Ended.LENGTH, "Hm.", 3),
        ("", Ended.CONTENT_FILTER, "", 3),
        ("", Ended.CONTENT_FILTER, "", 0),
        ("", Ended.TOOL_CALL, "", 3),
        ("I can't.", Ended.REFUSAL, "", 3),
        ("Yes.", Ended.STOP, "First.\nHm.", 3),
    ]
    assert len(stub.requests) == 6


@pytest.mark.parametrize(("second", "text"), [("", ""), ("Yes.", "Yes.")])
def test_an_empty_response_is_asked_for_once_more(stub, vlm, images, answers, second, text):
    stub.reply = lambda number, body: answers(second if number else None)
    model = vlm()
    (found,) = answered(model, [query(0)], images)
    assert (found.text, found.ended, found.tokens) == (text, Ended.STOP, 3)
    assert (len(stub.requests), model.accounting.completion_tokens, model.accounting.failures) == (2, 6, 0)


def test_the_first_queries_are_about_different_pictures(stub, vlm, images):
    names = ["grey.png"] * 9 + ["noise.jpg"] * 9 + ["noise.png"] * 9
    answered(vlm(concurrency=1), [query(n, name) for n, name in enumerate(names)], images)
    sent = [int(text_of(body).split()[1]) for body in stub.requests]
    assert sorted(sent) == list(range(27))
    assert {names[n] for n in sent[:3]} == set(names)
    assert [names[n] for n in sent[3:]] == ["grey.png"] * 8 + ["noise.jpg"] * 8 + ["noise.png"] * 8


def test_pictures_are_downscaled_on_request_and_counted(stub, vlm, images):
    model = vlm(picture_longest_side=30)
    answered(model, [query(0, "noise.png"), query(1, "grey.png"), query(2, "noise.png")], images)
    found = {picture_of(body)[1].size for body in stub.requests}
    assert found == {(30, 20), (5, 7)}
    assert "; 1 pictures were downscaled" in model.accounting.summary()
    assert model.accounting.notes == ["pictures were downscaled to 30 pixels on the longer side before they were sent"]
    sent = next(one for _, one in map(picture_of, stub.requests) if one.size == (30, 20))
    whole = images.open("noise.png")
    np.testing.assert_array_equal(np.asarray(sent), np.asarray(whole.resize((30, 20), Image.Resampling.LANCZOS)))


def test_what_determines_the_responses_is_its_identity(stub, vlm):
    address = {"address": f"endpoint:{stub.url}#tiny/vlm"}
    assert vlm().identity == address
    found = vlm(extra={"b": 1, "a": {"c": False}}, picture_longest_side=30).identity
    assert found == address | {"options": '{"a": {"c": false}, "b": 1}', "longest side": "30"}


def test_an_answer_without_a_count_has_none(stub, vlm, images, answers):
    stub.reply = lambda number, body: answers("Yes.", usage=None)
    assert answered(vlm(), [query(0)], images)[0].tokens == 0


def test_a_name_may_be_given(stub, images):
    vlm = EndpointVLM.connect(f"endpoint:{stub.url}#m", "mine")
    assert (vlm.name, answered(vlm, [query(0)], images)[0].model) == ("mine", "mine")
    assert repr(vlm) == f"EndpointVLM('mine', source='endpoint:{stub.url}#m')"


@pytest.mark.parametrize("name", ["noise.png", "noise.jpg", "grey.png"])
def test_the_server_sees_the_pixels_that_a_local_model_sees(stub, vlm, images, name):
    answered(vlm(), [query(0, name)], images)
    head, picture = picture_of(stub.requests[0])
    assert (head, picture.format, picture.mode) == ("data:image/png;base64", "PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(images.open(name)))
    assert text_of(stub.requests[0]) == "text 0"


def test_a_jpeg_is_near_and_smaller(stub, vlm, images):
    answered(vlm(picture_format="jpeg"), [query(0, "noise.png")], images)
    head, picture = picture_of(stub.requests[0])
    assert (head, picture.format) == ("data:image/jpeg;base64", "JPEG")
    assert np.abs(np.asarray(picture, dtype=int) - np.asarray(images.open("noise.png"))).mean() < 40


@pytest.mark.parametrize("format", ["png", "jpeg"])
@pytest.mark.parametrize("name", ["noise.png", "noise.jpg"])
def test_nothing_but_pixels_is_sent(images, fast, format, name):
    assert b"WHO TOOK IT" in (images.root / name).read_bytes()
    data = DataUrls(images, fast(picture_format=format)).url(name).partition(",")[2]
    assert b"WHO TOOK IT" not in base64.b64decode(data)


def test_a_picture_is_encoded_once_for_all_its_queries(stub, vlm, images, monkeypatch):
    opened = []
    monkeypatch.setattr(images, "open", lambda name: opened.append(name) or ImageFolder.open(images, name))
    queries = [query(n, ("noise.png", "noise.jpg", "grey.png")[n % 3]) for n in range(30)]
    assert len(answered(vlm(), queries, images)) == 30
    assert sorted(opened) == ["grey.png", "noise.jpg", "noise.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.png", "is not a file in"),
        ("../etc/passwd", "contains '..'"),
        ("text.png", "not a readable picture"),
        ("broken.png", "damaged or truncated"),
        ("noise.png", "bytes as png; valid: up to 2,000"),
    ],
)
def test_a_picture_that_cannot_be_sent_costs_its_row_only(stub, vlm, images, name, reason):
    found = answered(vlm(max_picture_bytes=2000), [query(0, name), query(1, name), query(2, "grey.png")], images)
    assert [type(one) for one in found] == [Failure, Failure, Response]
    assert reason in found[0].reason
    assert len(stub.requests) == 1


def test_a_lone_surrogate_is_asked_as_a_question_mark(stub, vlm, images):
    assert isinstance(answered(vlm(), [query(0, text="a\ud800b\x00")], images)[0], Response)
    assert text_of(stub.requests[0]) == "a?b\x00"


def test_a_row_that_the_server_turns_down_is_a_failure_with_its_words(stub, vlm, images, answers, fails):
    stub.reply = lambda number, body: fails(400, "too long") if text_of(body) == "text 1" else answers("Yes.")
    found = answered(vlm(), [query(n) for n in range(3)], images)
    assert found[1] == Failure(query_id="q1", model="tiny/vlm", reason="HTTP 400: too long")
    assert [type(one) for one in found] == [Response, Failure, Response]


def test_no_more_requests_than_allowed_are_under_way(stub, vlm, images, answers):
    stub.reply = lambda number, body: stub.released.wait(0.03) or answers("Yes.")
    assert len(answered(vlm(concurrency=3), [query(n) for n in range(24)], images)) == 24
    assert stub.busiest == 3


TROUBLES = ("429", "500", "hang", "close", "not json", "no choices")


def unreliable(stub, answers, fails):
    """Fail every fifth request, in another way each time."""

    def reply(number, body):
        if number % 5 != 3:
            return answers(f"On {text_of(body)}")
        return {
            "429": fails(429, headers={"Retry-After": "0"}),
            "500": fails(500),
            "not json": (200, {}, "<html>"),
            "no choices": (200, {}, '{"choices": []}'),
        }.get(kind := TROUBLES[number // 5 % len(TROUBLES)], kind)

    stub.reply = reply


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_server_that_fails_a_fifth_of_the_requests_loses_no_row(stub, vlm, images, answers, fails, concurrency):
    unreliable(stub, answers, fails)
    model = vlm(concurrency=concurrency, timeout=0.3, retries=6)
    queries = [query(n, "grey.png" if n % 2 else None) for n in range(60)]
    found = list(model.answer(queries, images, CONFIG))
    assert sorted(one.query_id for one in found) == sorted(one.id for one in queries)
    assert {(one.query_id, one.text) for one in found} == {(f"q{n}", f"On text {n}") for n in range(60)}
    assert model.accounting.retries >= 15
    assert model.accounting.requests == 60 + model.accounting.retries == len(stub.requests)
    assert model.accounting.failures == 0


def test_without_retries_the_same_server_costs_marked_rows(stub, vlm, images, answers, fails):
    unreliable(stub, answers, fails)
    model = vlm(timeout=0.3, retries=0)
    found = answered(model, [query(n) for n in range(60)], images)
    failures = [one for one in found if isinstance(one, Failure)]
    assert len(found) == 60
    assert len(failures) == model.accounting.failures == 12
    assert all(one.reason and "\n" not in one.reason for one in failures)


def test_a_server_that_dies_ends_the_run_after_all_that_was_answered(stub, vlm, images, answers, fails):
    stub.reply = lambda number, body: answers("Yes.") if number < 10 else fails(500)
    queries = [query(n) for n in range(99)]
    found = []
    with pytest.raises(UserError, match="5 requests in a row failed"):
        found.extend(vlm(retries=0, give_up_after=5, concurrency=1).answer(queries, images, CONFIG))
    assert [type(one) for one in found] == [Response] * 10 + [Failure] * 4
    assert len(stub.requests) == 15


@pytest.fixture
def interruptible():
    """Let Ctrl-C interrupt, also where whoever started the tests has it ignored, as a shell does in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_run_at_once_and_sends_nothing_more(stub, vlm, images, answers):
    stub.reply = lambda number, body: answers("Yes.") if number < 10 else "hang"
    found = []
    started = time.monotonic()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        found.extend(vlm(concurrency=2, timeout=30).answer([query(n) for n in range(99)], images, CONFIG))
    assert time.monotonic() - started < 5
    assert len(found) == 10
    sent = len(stub.requests)
    stub.released.set()
    time.sleep(0.1)
    assert len(stub.requests) == sent == 12
