"""The commands against `transformers serve`, with the tiny LLaVA of the tests and a tiny language model."""

import json
import signal
import sqlite3
from dataclasses import replace

import pytest
from tests.cli import servers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from unmirage.models import GenerationConfig
from unmirage.models.endpoint import EndpointSettings, EndpointVLM
from unmirage.records import Kind, Query

pytestmark = [pytest.mark.servers, pytest.mark.slow]
TOKENS = 8
FEW = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--max-new-tokens", TOKENS, "--limit", 8)


@pytest.fixture(scope="module")
def serve(real_server):
    servers.needs("fastapi", "uvicorn")
    return real_server(servers.transformers_serve)


@pytest.fixture
def server(serve, proxied):
    return proxied(serve)


@pytest.fixture
def attack(server, tiny, unmirage, tmp_path):
    """Return a function that attacks a model of the server, in a run named `to`, and returns status and messages."""

    def run(*more, to="run", model=None):
        target = f"endpoint:{server.url}#{model or tiny.model}"
        return unmirage("attack", target, tiny.data / "test.json", "--out", tmp_path / to, *FEW, *more)[::2]

    return run


def rows(run, statement, *values):
    with sqlite3.connect(run / "store.sqlite") as database:
        return database.execute(statement, values).fetchall()


def said_by(run, name):
    return {key: tuple(rest) for key, *rest in rows(run, RESPONSES, name)}


RESPONSES = "SELECT query_id, trim(text, ' ' || char(10) || char(9)), ended FROM responses WHERE model = ?"


def test_texts_equal_those_of_the_same_weights_here_and_requests_are_concurrent(
    attack, server, tiny, unmirage, tmp_path
):
    code, err = attack("--name", "served", "--concurrency", 4)
    assert code == 0, err
    assert "was requested" not in err  # "PATH@main" is PATH
    assert "ignore pictures" not in err
    run = tmp_path / "run"
    assert unmirage("attack", tiny.model, tiny.data / "test.json", "--out", run, "--name", "here", *FEW)[0] == 0
    served, here = said_by(run, "served"), said_by(run, "here")
    assert len(served) == len(here) == 44
    assert served == here
    assert len(server.bodies) == 44 + 1  # one more without its picture, to see whether pictures are read
    assert server.busiest == 4


def test_the_answer_depends_on_the_picture(server, tiny):
    pictures = sorted(path.name for path in (tiny.data / "images" / "test").iterdir())[:8]
    queries = [
        Query(
            id=name,
            sample_id=name,
            kind=Kind.PLAIN,
            shot=0,
            text="What is it?",
            image=f"images/test/{name}",
            unsafe=False,
        )
        for name in pictures
    ]
    config = GenerationConfig(max_new_tokens=TOKENS)
    vlm = EndpointVLM.connect(f"endpoint:{server.url}#{tiny.model}", settings=EndpointSettings(retries=0))
    served = {one.query_id: one.text.strip() for one in vlm.answer(queries, tiny.images, config)}
    here = {one.query_id: one.text.strip() for one in tiny.load().answer(queries, tiny.images, config)}
    assert served == here
    assert len(set(served.values())) > 1
    (plain,) = vlm.answer([replace(queries[0], image=None)], tiny.images, config)
    assert vlm.accounting.notes == []
    assert plain.tokens > 0


def test_a_killed_attack_resumes_without_asking_twice_and_loses_nothing(attack, server, tiny, stopped, tmp_path):
    workers = 2
    target = f"endpoint:{server.url}#{tiny.model}"
    command = ("attack", target, tiny.data / "test.json", "--out", tmp_path / "run", *FEW, "--concurrency", workers)
    code, err = stopped("Store.add_responses", 12, signal.SIGKILL, *command)
    assert code == -signal.SIGKILL, err
    kept, before = {row[0] for row in rows(tmp_path / "run", "SELECT query_id FROM responses")}, len(server.bodies)
    assert 12 <= len(kept) <= before <= len(kept) + workers + 3
    code, err = attack("--concurrency", workers)
    assert code == 0, err
    assert len(server.bodies) - before <= 44 - len(kept) + 1
    code, err = attack(to="whole")
    assert code == 0, err
    name = tiny.model.name
    resumed = rows(tmp_path / "run", "SELECT query_id, text, tokens, ended FROM responses ORDER BY query_id")
    assert resumed == rows(
        tmp_path / "whole", "SELECT query_id, text, tokens, ended FROM responses ORDER BY query_id"
    ), name
    assert len(resumed) == 44


def test_the_same_server_as_judge(attack, server, tiny, unmirage, tmp_path):
    assert attack("--kind", "jailbreak")[0] == 0
    run = tmp_path / "run"
    judge = ("--judge", f"endpoint:{server.url}#{tiny.model}", "--judge-max-tokens", 8, "--no-canaries", "--json")
    code, out, err = unmirage("evaluate", run, *judge, "--judge-sees-pictures")
    assert code == 4, err  # a random model's replies are no verdicts
    assert "Traceback" not in err
    verdicts = rows(run, "SELECT verdict, why FROM judgements")
    assert len(verdicts) == len(said_by(run, str(tiny.model)))
    assert {verdict for verdict, _ in verdicts} == {"invalid"}
    assert all("judge's reply" in why for _, why in verdicts)
    (model,) = json.loads(out)["models"].values()
    rate = model["asr"]["before"]
    plain = rows(run, "SELECT count(*) FROM queries WHERE kind = 'plain' AND unsafe")[0][0]
    assert (rate["value"], rate["k"], rate["n"], rate["invalid"]) == (None, 0, 0, plain)


@pytest.fixture(scope="module")
def language_model(tiny, tmp_path_factory):
    """Return the folder of a model without vision, with the tokenizer of the tiny LLaVA."""
    folder = tmp_path_factory.mktemp("language") / "blind"
    tokenizer = AutoTokenizer.from_pretrained(tiny.model)
    tokenizer.chat_template = "{% for one in messages %}{{ one['content'] }}\n{% endfor %}"
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    fields = {name: value for name, value in json.loads(config.read_text()).items() if name != "processor_class"}
    config.write_text(json.dumps(fields))
    return folder


def test_a_server_that_drops_pictures_silently_is_noticed(attack, server, language_model, unmirage, tmp_path):
    code, err = attack(model=language_model)
    assert code == 0, err
    (line,) = [one for one in err.splitlines() if "ignore pictures" in one]
    assert "prompt tokens with and without the picture of a query; check that the model has vision" in line
    unmirage("evaluate", tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert any("the server seems to ignore pictures" in note for note in results["warnings"])


def test_a_model_that_the_server_cannot_load_is_one_line(attack, server, tmp_path):
    code, err = attack(model=tmp_path / "nowhere")
    assert code == 2, err
    (line,) = err.strip().splitlines()
    assert "requests failed with the same error before any response, HTTP 500" in line
    assert len(server.bodies) <= 6
