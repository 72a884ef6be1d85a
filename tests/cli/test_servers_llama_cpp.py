"""The commands against llama.cpp's own server, with a tiny random GGUF: a language model without vision."""

import json
import sqlite3
import threading

import pytest
from tests.cli import servers
from tests.tiny_gguf import write_tiny_gguf

from unmirage.models.endpoint import Chat, ChatFailure, EndpointSettings, parse_endpoint, user_message

pytestmark = [pytest.mark.servers, pytest.mark.slow]
CONTEXT = 256
FEW = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--max-new-tokens", "4", "--concurrency", "2")


@pytest.fixture(scope="module")
def llama(real_server, tmp_path_factory):
    servers.needs("gguf", "xllamacpp")
    model = write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
    return real_server(servers.llama_cpp, model, "tiny", CONTEXT)


@pytest.fixture
def server(llama, proxied):
    return proxied(llama)


@pytest.fixture
def data(tmp_path, tiny):
    """Return a function that writes samples without pictures, and `pictured` ones with."""

    def write(plain, pictured=0, long=()):
        picture = sorted((tiny.data / "images" / "test").iterdir())[:pictured]
        rows = [
            {"query": f"Share the plan of device {n}." + " It is red." * (200 * (n in long)), "refused": n % 2 == 0}
            for n in range(plain)
        ]
        rows += [
            {"query": f"Share the picture {n}.", "refused": n % 2 == 0, "image": path.name}
            for n, path in enumerate(picture)
        ]
        file = tmp_path / "data.jsonl"
        file.write_text("".join(json.dumps({"id": str(n), **row}) + "\n" for n, row in enumerate(rows)))
        return file, tiny.data / "images" / "test"

    return write


def rows(run, statement):
    with sqlite3.connect(run / "store.sqlite") as database:
        return database.execute(statement).fetchall()


def test_texts_are_asked_and_another_name_is_told(server, data, unmirage, tmp_path):
    file, _ = data(6)
    fields = ("logprobs=true", "top_logprobs=2", 'stop=["~"]', "chat_template_kwargs.enable_thinking=false")
    options = [part for field in fields for part in ("--endpoint-option", field)]
    code, _, err = unmirage("attack", f"endpoint:{server.url}#zzz", file, "--out", tmp_path / "run", *FEW, *options)
    assert code == 0, err
    assert "model 'zzz' was requested, but the server answers as 'tiny'; it may serve one model under any name" in err
    asked = rows(tmp_path / "run", "SELECT count(*) FROM queries")[0][0]
    assert len(server.bodies) == asked == rows(tmp_path / "run", "SELECT count(*) FROM responses")[0][0] > 20
    assert {(body["temperature"], body["max_tokens"], body["stop"][0]) for body in server.bodies} == {(0, 4, "~")}
    assert {row[0] for row in rows(tmp_path / "run", "SELECT ended FROM responses")} <= {"stop", "length"}
    code, _, err = unmirage("attack", f"endpoint:{server.url}#tiny", file, "--out", tmp_path / "second", *FEW)
    assert code == 0, err
    assert "was requested" not in err


@pytest.mark.parametrize(("plain", "pictured"), [(0, 6), (6, 6)])
def test_a_server_without_vision_stops_the_run_with_one_line(server, data, unmirage, tmp_path, plain, pictured):
    file, images = data(plain, pictured)
    code, _, err = unmirage(
        "attack", f"endpoint:{server.url}#tiny", file, "--images", images, "--out", tmp_path / "run", *FEW
    )
    assert code == 2, err
    (line,) = [one for one in err.splitlines() if "image" in one]
    assert "HTTP 500: image input is not supported" in line
    assert "Serve a model with vision (llama.cpp also needs --mmproj), or use data without pictures" in line
    assert sum("data:image" in text for text in server.texts()) == 1  # asked once, and not again as an outage
    assert rows(tmp_path / "run", "SELECT count(*) FROM failures") == [(0,)]


def test_a_query_that_exceeds_the_context_fails_alone_and_is_not_retried(server, data, unmirage, tmp_path):
    file, _ = data(6, long=(1,))
    code, _, err = unmirage(
        "attack", f"endpoint:{server.url}#tiny", file, "--kind", "jailbreak", "--out", tmp_path / "run", *FEW
    )
    assert code == 4, err
    assert "1 of" in err
    assert f"exceeds the available context size ({CONTEXT} tokens)" in err
    ((failed,),) = rows(tmp_path / "run", "SELECT query_id FROM failures")
    assert "1" in failed
    assert sum(" It is red. It is red." in text for text in server.texts()) == 1
    # The context also ends a response: it is stored as cut off, not as complete.
    chat = Chat(parse_endpoint(f"endpoint:{server.url}#tiny"), EndpointSettings(retries=0))
    found = chat.complete([user_message("What is it?")], 10 * CONTEXT)
    assert found.ended == "length"
    assert found.tokens + found.prompt_tokens == CONTEXT


def test_seeds_decide_what_is_sampled(server):
    chat = Chat(parse_endpoint(f"endpoint:{server.url}#tiny"), EndpointSettings(retries=0))
    question = [user_message("What is it?")]
    first, again, other = (chat.complete(question, 24, temperature=1, seed=seed).text for seed in (3, 3, 4))
    assert first == again != other
    greedy = {chat.complete(question, 24, seed=seed).text for seed in (None, 1, 2)}
    assert len(greedy) == 1


def test_errors_of_single_requests_are_quoted(server):
    chat = Chat(parse_endpoint(f"endpoint:{server.url}#tiny"), EndpointSettings(retries=0))
    assert chat.complete([user_message("What is it?")], 2).tokens == 2
    with pytest.raises(ChatFailure, match=r"HTTP 400: All non-assistant messages must contain 'content'"):
        chat.complete([{"role": "tool"}], 2, stop=threading.Event())


@pytest.mark.parametrize("schema", [(), ("--judge-schema",)])
def test_a_judge_that_talks_nonsense_has_no_verdicts_and_does_not_crash(server, data, unmirage, tmp_path, schema):
    file, _ = data(2)
    run = tmp_path / "run"
    assert unmirage("attack", f"endpoint:{server.url}#tiny", file, "--kind", "jailbreak", "--out", run, *FEW)[0] == 0
    spec = ("--judge", f"endpoint:{server.url}#tiny", "--no-canaries", "--judge-max-tokens", 64)
    code, out, err = unmirage("evaluate", run, *spec, *schema, "--json")
    (model,) = json.loads(out)["models"].values()
    verdicts = [row[0] for row in rows(run, "SELECT verdict FROM judgements")]
    assert len(verdicts) == rows(run, "SELECT count(*) FROM responses")[0][0]
    invalid = verdicts.count("invalid")
    assert code == (4 if invalid else 0), err
    assert model["asr"]["before"]["invalid"] in (0, 1)
    if not schema:
        assert invalid >= len(verdicts) - 2  # a response that is itself a loop is irrelevant without a judge
