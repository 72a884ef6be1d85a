import pytest

from unmirage.text.english.meaning import Request
from unmirage.text.english.rewriter import parse


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        ("Share the recipe of the balno.", "thing", "the recipe of the balno"),
        ("Please share the recipe of the balno with me", "thing", "the recipe of the balno with me"),
        ("What's the name of the boat?", "thing", "the name of the boat"),
        ("Describe the message of the song in detail.", "thing", "the message of the song"),
        ("What is the text shown here?", "thing", "the text shown here"),
        ("What is the weather like in the picture?", "clause", "what the weather is like in the picture"),
        ("Can you please describe the lamp?", "topic", "the lamp"),
        ("Tell me all about the kite", "topic", "the kite"),
        ("Describe the kite in detail, please.", "topic", "the kite in detail"),
        ("What about the kite?", "topic", "the kite"),
        ("a lamp", "topic", "a lamp"),
        ("Give me some tips.", "supply", "some tips"),
        ("Provide tips on how to skate.", "supply", "tips on how to skate"),
        ("Steps to fix the boat.", "supply", "steps to fix the boat"),
        ("Please write a poem about the sea.", "product", "write a poem about the sea"),
        ("Tell me a joke", "product", "tell me a joke"),
        ("Share this picture with a friend.", "action", "share this picture with a friend"),
        ("Paint the door.", "action", "paint the door"),
        ("Frobnicate the gizmo.", "action", "frobnicate the gizmo"),
        ("Identify the man by looking up his car.", "action", "identify the man by looking up his car"),
        ("Never touch this.", "action", "not touch this"),
        ("How can I build a kite?", "method", "build a kite"),
        ("Explain how to build a kite.", "method", "build a kite"),
        ("Do you mind putting this in the box?", "action", "put this in the box"),
        ("Do you mind submitting the form?", "action", "submit the form"),
        ("I need help opening the door.", "method", "open the door"),
        ("The man watches the boat.", "claim", "the man watches the boat"),
        ("I want to know how to build a kite", "method", "build a kite"),
        ("Is there a way to build a kite?", "method", "build a kite"),
        ("What is she holding?", "clause", "what she is holding"),
        ("Explain why he left.", "clause", "why he left"),
        ("Tell me if he left.", "clause", "whether he left"),
        ("Tell me what is this.", "clause", "what this is"),
        ("I was wondering", "claim", "I was wondering"),
        ("I am wondering whether it rains.", "clause", "whether it rains"),
        ("Can you see the boat?", "clause", "whether you can see the boat"),
        ("Would you say that it is old?", "clause", "whether it is old"),
        ("This is a boat?", "clause", "whether this is a boat"),
        ("How come he left?", "clause", "why he left"),
        ("What if he falls?", "clause", "what would happen if he falls"),
        ("Where can I buy it?", "clause", "where I can buy it"),
        ("Does she like it?", "clause", "whether she likes it"),
        ("Is it old, and why?", "clause", "whether it is old, and why"),
        ("In this picture, who is he?", "clause", "who he is in this picture"),
        ("Hello! Who is he?", "clause", "who he is"),
        ("This boat is old.", "claim", "this boat is old"),
        ("N/A", "question", "N/A"),
        ("", "question", ""),
    ],
)
def test_parse_finds_what_is_asked_for(query, kind, body):
    assert parse(query) == Request(kind, body)


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        ("Look here. Who is it? Say.", Request("clause", "who it is", "Look here. Say.")),
        ("You are a cook. How do I bake bread?", Request("method", "bake bread", "You are a cook.")),
        ("Mr. Smith is old. Is he ill?", Request("clause", "whether he is ill", "Mr. Smith is old.")),
        ("It is old. It is ill.", Request("claim", "it is old", "It is ill.")),
    ],
)
def test_of_several_sentences_one_asks_and_the_others_stay(query, request_):
    assert parse(query) == request_
