import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.indirect import indirect, is_one_question
from unmirage.text.openers import words


@pytest.mark.parametrize(
    ("question", "clause"),
    [
        # Nothing to turn: the question word is the subject, or what follows the verb is no subject.
        ("what is happening in the image", "what is happening in the image"),
        ("what type of drink is shown here", "what type of drink is shown here"),
        ("what can be seen from the tower", "what can be seen from the tower"),
        ("what might be the reason for this", "what might be the reason for this"),
        ("what elements show that the boat is old", "what elements show that the boat is old"),
        # Subject and verb are turned back round.
        ("what is she holding", "what she is holding"),
        ("what is the man in the picture doing", "what the man in the picture is doing"),
        ("what is the woman doing in the image", "what the woman is doing in the image"),
        ("what activity are the people engaged in", "what activity the people are engaged in"),
        ("what activity is the person likely engaged in", "what activity the person is likely engaged in"),
        ("what colour is the car", "what colour the car is"),
        ("who is it", "who it is"),
        ("what event might this image depict", "what event this image might depict"),
        ("what could the two men be waiting for", "what the two men could be waiting for"),
        # "do" goes, and its ending with it.
        ("what does the text imply about the boat", "what the text implies about the boat"),
        ("what emotion does the face express", "what emotion the face expresses"),
        ("what does this tower have", "what this tower has"),
        ("what event does this most likely depict", "what event this most likely depicts"),
        ("what do the costumes suggest", "what the costumes suggest"),
    ],
)
def test_an_indirect_question_word_for_word(question, clause):
    assert indirect(question) == clause


@pytest.mark.parametrize(
    "question",
    [
        "",
        "what",
        "does she like it",
        "what's the name of the boat",
        "what is the theme shown in the picture",  # the noun itself is asked for
        "what is the event taking place here",
        "what is shown here, and what is it for",
        "who is she and what does she do",
        "what does the gizmo frobnicate",  # a verb that is not known
        "why is this funny",
    ],
)
def test_what_is_not_certain_is_not_turned(question):
    assert indirect(question) is None


def test_a_comma_may_go_on_with_the_same_question():
    assert indirect("what is he doing, based on his clothes") == "what he is doing, based on his clothes"
    assert not is_one_question("what is he doing, she asked")


WORD = st.sampled_from("what is the man does do who in image holding show by a this might be are and how".split())


@given(st.lists(WORD, max_size=10).map(" ".join))
def test_no_content_word_is_lost_or_invented(question):
    clause = indirect(question)
    if clause is not None:
        kept = set(words(clause)) - {"shows", "holds", "bes", "does"}
        assert kept <= set(words(question))
        assert set(words(question)) - set(words(clause)) <= {"do", "does", "show", "be"}
