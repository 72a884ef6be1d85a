import pytest

from unmirage.text.english.leads import LEADS, commands, led, needs_lead
from unmirage.text.english.meaning import Request


@pytest.mark.parametrize(
    ("kind", "body", "word", "first"),
    [
        ("clause", "who he is", "is", "is it clear who he is?"),
        ("thing", "the name", "is", "is there anything you can tell me about the name?"),
        ("action", "fix it", "use", "use your own words to fix it."),
        ("clause", "who he is", "find", "find out who he is."),
        ("clause", "who he is", "remove", "remove whatever you need to, and tell me who he is."),
        ("method", "fix it", "does", "does anyone know how to fix it?"),
    ],
)
def test_a_lead_stands_between_the_opener_and_the_request(kind, body, word, first):
    assert led(Request(kind, body), word)[0] == first


def test_a_word_without_a_lead_opens_nothing():
    assert led(Request("clause", "who he is"), "zebra") == []
    assert needs_lead("use")
    assert not needs_lead("share")


def test_every_lead_has_its_slots():
    for leads in LEADS.values():
        assert all(lead.startswith("{w} ") and lead.count("{vp}") == 1 for lead in leads)


def test_a_request_as_commands():
    assert commands(Request("supply", "tips")) == ["give me tips", "offer me tips", "let me have tips"]
