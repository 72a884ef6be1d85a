import pytest

from unmirage.text.english.realise import direct, opined


@pytest.mark.parametrize(
    ("clause", "word", "question"),
    [
        ("what is shown here", "what", "what is shown here?"),
        ("what the man is holding", "what", "what is the man holding?"),
        ("why the sky is blue", "why", "why is the sky blue?"),
        ("how many dogs are old", "how", "how many dogs are old?"),
        ("whether he is old", "is", "is he old?"),
        ("whether dogs can fly", "can", "can dogs fly?"),
        ("whether he is old", "what", None),
        ("what the man holds", "what", None),
        ("what the picture suggests is going on", "what", None),
        ("what he is and does", "what", None),
    ],
)
def test_the_direct_question(clause, word, question):
    assert direct(clause, word) == question


@pytest.mark.parametrize(
    ("clause", "first"),
    [
        ("what he holds", "what would you say he holds?"),
        ("what type of drink this is", "what type of drink would you say this is?"),
        ("what would happen", "what do you think would happen?"),
        ("what kind of clothing is shown", "what kind of clothing would you say is shown?"),
    ],
)
def test_a_question_for_ones_view(clause, first):
    assert opined(clause, "what")[0] == first


@pytest.mark.parametrize("clause", ["whether he is old", "what he is and what he does", "what you can see"])
def test_where_nobodys_view_can_be_asked_for(clause):
    assert opined(clause, "what") == []
