import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unmirage.text.english.indirect import indirect, is_one_question
from unmirage.text.english.meaning import stem
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
    ("question", "clause"),
    [
        ("does she like it", "whether she likes it"),
        ("is the man wearing a hat", "whether the man is wearing a hat"),
        ("is the man in the image", "whether the man is in the image"),
        ("is the man in the image happy", "whether the man in the image is happy"),
        ("is the cat on the table black", "whether the cat on the table is black"),
        ("is the man who is wearing a hat happy", "whether the man who is wearing a hat is happy"),
        ("is the man standing on the left happy", "whether the man standing on the left is happy"),
        ("is the person on the left taller than the dog", "whether the person on the left is taller than the dog"),
        ("is the traffic light green", "whether the traffic light is green"),
        ("is this a cat", "whether this is a cat"),
        ("is this man happy", "whether this man is happy"),
        ("is this safe to eat", "whether this is safe to eat"),
        ("are these people friends", "whether these people are friends"),
        ("are the men firefighters", "whether the men are firefighters"),
        ("are all the lights on", "whether all the lights are on"),
        ("is there a dog in the picture", "whether there is a dog in the picture"),
        ("is marijuana legal in Texas", "whether marijuana is legal in Texas"),
        ("isn't the man happy", "whether the man isn't happy"),
        ("does the man in the image have a beard", "whether the man in the image has a beard"),
        ("does the sign say stop", "whether the sign says stop"),
        ("does the gizmo frobnicate the widget", "whether the gizmo frobnicates the widget"),
        ("did the man win the race", "whether the man won the race"),
        ("did the man open the door", "whether the man opened the door"),
        ("did she submit it", "whether she submitted it"),
        ("can dogs eat grapes", "whether dogs can eat grapes"),
        ("should I use this", "whether I should use this"),
        ("has the man eaten", "whether the man has eaten"),
    ],
)
def test_a_yes_no_question_asks_whether(question, clause):
    assert indirect(question) == clause


@pytest.mark.parametrize(
    ("question", "clause"),
    [
        ("why is the sky blue", "why the sky is blue"),
        ("why is this funny", "why this is funny"),
        ("why did the hen cross the road", "why the hen crossed the road"),
        ("how are boats made", "how boats are made"),
        ("how many dogs are there", "how many dogs there are"),
        ("how many people are wearing hats", "how many people are wearing hats"),
        ("how long has the man been waiting", "how long the man has been waiting"),
        ("which brand is this", "which brand this is"),
        ("which of these is the largest", "which of these is the largest"),
        ("where was this photo taken", "where this photo was taken"),
        ("in what year was this taken", "in what year this was taken"),
        ("who is the man shown in the picture", "who the man shown in the picture is"),
        ("who painted this", "who painted this"),
        ("what is the sign made of", "what the sign is made of"),
        ("what is this used for", "what this is used for"),
        ("what are koalas", "what koalas are"),
        ("what's in the box", "what is in the box"),
        ("what does the gizmo frobnicate", "what the gizmo frobnicates"),
        ("what does this symbol represent or stand for", "what this symbol represents or stands for"),
        ("what color is the shirt the man is wearing", "what color the shirt the man is wearing is"),
    ],
)
def test_other_question_words(question, clause):
    assert indirect(question) == clause


@pytest.mark.parametrize(
    "question",
    [
        "",
        "what",
        "what's the name of the boat",
        "what is the theme shown in the picture",  # the noun itself is asked for
        "what is the event taking place here",
        "what is shown here, and what is it for",
        "who is she and what does she do",
        "what about the boat",
        "why not go",
        "who can",
    ],
)
def test_what_is_not_certain_is_not_turned(question):
    assert indirect(question) is None


def test_a_comma_may_go_on_with_the_same_question():
    assert indirect("what is he doing, based on his clothes") == "what he is doing, based on his clothes"
    assert not is_one_question("what is he doing, and is it dangerous")


WORD = st.sampled_from("what is the man does do who in image holding show by a this might be are and how".split())


@given(st.lists(WORD, max_size=10).map(" ".join))
@example("does is what by")
def test_no_content_word_is_lost_or_invented(question):
    clause = indirect(question)
    if clause is not None:
        dropped = {"do", "does", "be", "is"}
        assert {stem(word) for word in words(clause)} - {stem("whether")} - dropped <= set(map(stem, words(question)))
        assert {stem(word) for word in words(question)} - dropped <= set(map(stem, words(clause))) | {stem("does")}


def test_who_does_it_stands_before_the_first_preposition():
    assert indirect("What is the significance of the person wearing a glove") is None  # the significance is asked for
    assert indirect("What is the person in the image doing that suggests focus") == (
        "What the person in the image is doing that suggests focus"
    )
    assert indirect("What might a test like the one shown be used to find") == (
        "What a test like the one shown might be used to find"
    )
