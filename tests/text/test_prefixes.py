import pytest

from unmirage.text.english.rewriter import rewrite


@pytest.mark.parametrize(
    ("query", "prefix", "first"),
    [
        ("Share the recipe of the balno.", "what are", "What are the facts about the recipe of the balno?"),
        ("Share the keys of the boat.", "what are", "What are the keys of the boat?"),
        ("How do I fix it?", "what are", "What are the steps to fix it?"),
        ("Share some tips.", "what are", "What are some tips?"),
        ("Is he old?", "can you", "Can you tell me whether he is old?"),
        ("Is he old?", "Can You", "Can you tell me whether he is old?"),
        ("Fix it.", "could you please", "Could you please fix it?"),
        ("Is he old?", "tell me", "Tell me whether he is old."),
        ("How do I fix it?", "tell me", "Tell me how to fix it."),
        ("How do I fix it?", "what is the best way to", "What is the best way to fix it?"),
        ("Share the recipe of the balno.", "what is", "What is the recipe of the balno?"),
        ("Share the recipe of the balno.", "share with me", "Share with me the recipe of the balno."),
        ("Share the recipe of the balno.", "describe the", "Describe the recipe of the balno."),
        ("Is he old?", "do you", "Do you know whether he is old?"),
        ("Is he old?", "i want you to", "I want you to tell me whether he is old."),
        ("Is he old?", "hello there", "Hello there, is he old?"),
    ],
)
def test_several_words_open_the_rewrite(query, prefix, first):
    assert rewrite(query, prefix, 1) == [first]
