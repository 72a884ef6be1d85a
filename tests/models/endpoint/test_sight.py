"""Servers without vision: those that say so, those that only fail, and those that drop pictures without a word."""

import json

import pytest
from PIL import Image

from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import GenerationConfig
from unmirage.models.endpoint import Chat, ChatFailure, user_message
from unmirage.models.endpoint.chat import has_pictures
from unmirage.models.endpoint.client import ignore_sigpipe
from unmirage.models.endpoint.rejections import is_blind
from unmirage.models.endpoint.spec import parse_endpoint
from unmirage.records import Failure, Kind, Query, Response

TEXT, PICTURE = user_message("What is it?"), user_message("What is it?", ["data:image/png;base64,AA"])
LLAMA = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
CONFIG = GenerationConfig(max_new_tokens=9)


def query(number, image=None):
    return Query(
        id=f"q{number}", sample_id="s", kind=Kind.PLAIN, shot=0, text=f"text {number}", image=image, unsafe=False
    )


@pytest.fixture
def images(tmp_path):
    Image.new("RGB", (8, 8), (128, 128, 128)).save(tmp_path / "grey.png")
    return ImageFolder(tmp_path)


@pytest.fixture
def chat(stub, fast):
    return lambda **options: Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(**options))


def pictured(body):
    return has_pictures(body["messages"])


@pytest.mark.parametrize(
    "message",
    [
        LLAMA,
        "HTTP 400: tiny/llm is not a multimodal model",
        "At most 0 image(s) may be provided in one prompt.",
        "Invalid content type. image_url is only supported by certain models.",
        "No endpoints found that support image input",
        "Failed to process inputs: this model is missing data required for image input",
        "messages[0]: unknown variant `image_url`, expected `text` at line 1 column 90",
        "Image input is not enabled for this model",
        "Model does not support images. Please use a model that does.",
        "'messages.0.content' : content must be a string",
        "This model doesn't support vision",
    ],
)
def test_messages_of_models_without_vision_are_known(message):
    assert is_blind(message)


@pytest.mark.parametrize(
    "message",
    [
        "HTTP 500: Internal Server Error",
        "image format is not supported: image/tiff",
        "this image is not supported, it has 1 pixel",
        "At most 10 image(s) may be provided in one prompt.",
        "Failed to load image: cannot identify image file",
        "request (549 tokens) exceeds the available context size (256 tokens), try increasing it",
    ],
)
def test_errors_about_one_picture_are_no_lack_of_vision(message):
    assert not is_blind(message)


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_a_server_that_says_so_is_asked_once_even_if_texts_work(stub, chat, answers, fails, status):
    stub.reply = lambda number, body: fails(status, LLAMA) if pictured(body) else answers("Yes.")
    one = chat(retries=4)
    one.complete([TEXT], 9)
    with pytest.raises(UserError, match=r"the model does not take pictures.*Serve a model with vision"):
        one.complete([PICTURE], 9)
    assert len(stub.requests) == 2


def test_such_an_error_fails_one_query_once_a_picture_was_read(stub, chat, answers, fails):
    stub.reply = lambda number, body: answers("Yes.") if number == 0 else fails(400, LLAMA)
    one = chat()
    one.complete([PICTURE], 9)
    with pytest.raises(ChatFailure, match="image input is not supported"):
        one.complete([PICTURE], 9)


@pytest.mark.parametrize(("status", "requests"), [(400, 3), (500, 6)])
def test_pictures_that_only_fail_stop_the_run_although_texts_work(stub, vlm, images, answers, fails, status, requests):
    stub.reply = lambda number, body: fails(status, "sorry") if pictured(body) else answers("Yes.")
    queries = [query(n, "grey.png" if n >= 30 else None) for n in range(60)]
    found = []
    with pytest.raises(UserError, match=r"before any response to a query with a picture, HTTP \d+: sorry"):
        found += vlm(concurrency=1).answer(queries, images, CONFIG)
    assert sum(map(pictured, stub.requests)) == requests


def test_one_bad_picture_is_a_failure_of_its_row(stub, vlm, images, answers, fails):
    bad = "text 3"
    stub.reply = lambda number, body: fails(400, "bad picture") if bad in json.dumps(body) else answers("Yes.")
    found = list(vlm().answer([query(n, "grey.png") for n in range(6)], images, CONFIG))
    assert {one.query_id for one in found if isinstance(one, Failure)} == {"q3"}
    assert sum(isinstance(one, Response) for one in found) == 5


@pytest.mark.parametrize(
    ("with_picture", "without", "requests", "noted"),
    [
        (20, 20, 2, True),  # dropped
        (24, 20, 2, False),  # four tokens of a picture
        (900, 20, 1, False),  # more than the text can have, so not asked
        (1, 1, 1, False),  # no count of tokens: fewer than words
        (None, None, 1, False),
    ],
)
def test_a_dropped_picture_is_noticed_by_the_tokens(
    stub, vlm, images, answers, caplog, with_picture, without, requests, noted
):
    def reply(number, body):
        count = with_picture if pictured(body) else without
        return answers("Yes.", usage=None if count is None else (count, 3))

    stub.reply = reply
    model = vlm(concurrency=1)
    list(model.answer([query(0, "grey.png")], images, CONFIG))
    assert len(stub.requests) == requests
    assert stub.requests[-1]["max_tokens"] == (1 if requests == 2 else 9)
    line = "the server seems to ignore pictures: 20 prompt tokens with and without the picture of a query"
    assert model.accounting.notes == [line] * noted
    assert [record.getMessage()[: len(line)] for record in caplog.records] == [line] * noted


def test_a_check_that_fails_is_told(stub, vlm, images, answers, fails, caplog):
    stub.reply = lambda number, body: answers("Yes.", usage=(20, 3)) if pictured(body) else fails(400, "no text alone")
    model = vlm(concurrency=1)
    (found,) = model.answer([query(0, "grey.png")], images, CONFIG)
    assert isinstance(found, Response)
    (note,) = model.accounting.notes
    assert note.startswith("not checked whether the server reads pictures: the same query without its picture: ")
    assert "no text alone" in note
    assert [record.getMessage() for record in caplog.records] == [note]


@pytest.mark.parametrize(
    ("asked", "served", "told"),
    [
        ("zzz", "tiny", True),
        ("gpt-4o", "gpt-4o-2024-08-06", False),
        ("/models/tiny", "/models/tiny@main", False),
        ("SmolVLM", "/data/SmolVLM-500M.gguf", False),
        ("hub/Qwen2", "qwen2", False),
    ],
)
def test_another_name_of_the_model_is_told_once(stub, fast, answers, caplog, asked, served, told):
    status, headers, document = answers("Yes.")
    stub.reply = lambda number, body: (status, headers, json.dumps(json.loads(document) | {"model": served}))
    one = Chat(parse_endpoint(f"endpoint:{stub.url}#{asked}"), fast())
    for _ in range(2):
        one.complete([TEXT], 9)
    line = f"model '{asked}' was requested, but the server answers as '{served}'; it may serve one model under any name"
    assert [record.getMessage() for record in caplog.records] == [line] * told


def test_a_server_that_hangs_up_does_not_end_the_process(stub, chat):
    import signal

    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as the command line does
    try:
        chat()
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
        ignore_sigpipe()
    finally:
        signal.signal(signal.SIGPIPE, before)
