"""Addresses of servers: what is taken, what is refused, and which key is for whom."""

import pytest

from unmirage.errors import UserError
from unmirage.models.endpoint import EndpointSpec, parse_endpoint
from unmirage.models.endpoint.spec import api_key

OPENAI = EndpointSpec("https://api.openai.com/v1", "gpt-4o")
OWN = EndpointSpec("http://localhost:8000/v1", "m")


@pytest.mark.parametrize(
    ("text", "url", "model"),
    [
        ("endpoint:http://localhost:8000/v1#llava", "http://localhost:8000/v1", "llava"),
        ("endpoint:http://localhost:8000#org/llava-1.5", "http://localhost:8000/v1", "org/llava-1.5"),
        ("endpoint:https://h/api/v3/#a#b", "https://h/api/v3", "a#b"),
        ("endpoint:http://h/v1/chat/completions#m", "http://h/v1", "m"),
        ("endpoint:http://[::1]:8000/v1# m ", "http://[::1]:8000/v1", "m"),
    ],
)
def test_an_address_and_a_model(text, url, model):
    assert parse_endpoint(text) == EndpointSpec(url, model)
    assert parse_endpoint(str(parse_endpoint(text))) == EndpointSpec(url, model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("llava", "is not an endpoint"),
        ("endpoint:http://h/v1", "model name is missing"),
        ("endpoint:http://h/v1#", "model name is missing"),
        ("endpoint:http://h/v1#  ", "model name is missing"),
        ("endpoint:#m", "scheme '' is not http or https"),
        ("endpoint:h:8000/v1#m", "scheme 'h' is not http or https"),
        ("endpoint:file:///etc/passwd#m", "scheme 'file' is not http or https"),
        ("endpoint:http:///v1#m", "host is missing"),
        ("endpoint:http://h:x/v1#m", "no valid host and port"),
        ("endpoint:http://h:99999/v1#m", "no valid host and port"),
        ("endpoint:http://[h/v1#m", "no valid host and port"),
        ("endpoint:http://a..b/v1#m", "no valid host and port"),
        (f"endpoint:http://{'a' * 300}/v1#m", "no valid host and port"),
        ("endpoint:http://h/v 1#m", "spaces, backslashes or control characters"),
        ("endpoint:http://h\\@evil/v1#m", "spaces, backslashes or control characters"),
    ],
)
def test_whatever_else_is_refused_with_an_example(text, message):
    with pytest.raises(UserError, match=message) as error:
        parse_endpoint(text)
    assert "valid: endpoint:URL#model-name" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["http://me:SECRET@h/v1", "https://SECRET@h/v1", "ftp://me:SECRET@h", "http://h/v1?api_key=SECRET"]
)
def test_credentials_in_the_address_are_refused_and_not_repeated(url):
    with pytest.raises(UserError, match="environment variable UNMIRAGE_API_KEY") as error:
        parse_endpoint(f"endpoint:{url}#m")
    assert "SECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "environment", "key"),
    [
        (OWN, {}, None),
        (OWN, {"UNMIRAGE_API_KEY": " k \n"}, "k"),
        (OWN, {"UNMIRAGE_API_KEY": ""}, None),
        (OWN, {"OPENAI_API_KEY": "k"}, None),
        (OPENAI, {"OPENAI_API_KEY": "k"}, "k"),
        (OPENAI, {"OPENAI_API_KEY": "k", "UNMIRAGE_API_KEY": "own"}, "own"),
        (EndpointSpec("http://api.openai.com/v1", "m"), {"OPENAI_API_KEY": "k"}, None),
        (EndpointSpec("https://api.openai.com.evil.net/v1", "m"), {"OPENAI_API_KEY": "k"}, None),
    ],
)
def test_the_key_of_openai_is_for_openai(monkeypatch, spec, environment, key):
    for name in ("UNMIRAGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert api_key(spec) == key


@pytest.mark.parametrize("key", ["SECRET\nX-Header: 1", "SECRET SECRET", "SECRETé"])
def test_a_key_that_is_none_is_refused_and_not_repeated(monkeypatch, key):
    monkeypatch.setenv("UNMIRAGE_API_KEY", key)
    with pytest.raises(UserError, match="UNMIRAGE_API_KEY: contains characters that are invalid in a key") as error:
        api_key(OWN)
    assert "SECRET" not in str(error.value)
