import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.english.nouns import head_noun, is_plural, is_plural_noun


@pytest.mark.parametrize(
    "phrase",
    [
        "the names of the boat",
        "the people",
        "these",
        "the notable elements visible in this picture",
        "the outfit and pose of the man",
        "the actions the dog is doing",
        "the personal details or identity of the man",
        "the different types of boat",
    ],
)
def test_more_than_one(phrase):
    assert is_plural(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "the name of the boats",
        "the news",
        "the bus",
        "the glass with the keys",
        "the smiling man",
        "the helmet the men are wearing",
        "the identity or the details of the man",
        "",
    ],
)
def test_just_one(phrase):
    assert not is_plural(phrase)


def test_the_head_of_a_coordination_is_its_first_noun():
    assert head_noun("the appearance and outfit of the man") == "appearance"
    assert head_noun("the black and white photo") == "photo"
    assert head_noun("") == ""


SINGULAR = """
bias series news species data gas lens canvas atlas alias bus plus status virus campus iris basis analysis crisis thesis
glass class process address business witness chaos diabetes rabies measles corps innings mathematics physics politics
ethics economics gymnastics logistics information furniture advice evidence agenda phenomenon criterion person family
team crew staff fish sheep aircraft offspring texas kansas paris christmas arkansas james hers ours always this boat
knife hypothesis tennis kudos asbestos
""".split()
PLURAL = """
biases gases lenses canvases atlases aliases buses statuses viruses bases analyses crises theses glasses classes
processes addresses businesses witnesses criteria phenomena bacteria fungi cacti alumni corpora indices matrices
appendices hypotheses people persons men women children police cattle media teeth feet mice geese knives leaves wolves
lives wives boats names memes dice scissors trousers pants clothes jeans glasses sunglasses pajamas binoculars goods
thanks outskirts surroundings belongings optimizations genitals stairs remains these those statistics graphics
""".split()


def test_the_number_of_nouns():
    assert [noun for noun in SINGULAR if is_plural_noun(noun)] == []
    assert [noun for noun in PLURAL if not is_plural_noun(noun)] == []


def test_a_noun_outside_the_dictionary_is_a_plural_if_it_ends_like_one():
    assert [is_plural_noun(noun) for noun in ("gizmoids", "gizmoid", "glorbus", "glorbis", "glorbess")] == [
        True, False, False, False, False,
    ]  # fmt: skip


def test_the_determiner_tells_the_number_of_a_noun_with_one_form_for_both():
    assert [is_plural(f"{word} species") for word in ("these", "those", "two", "several", "both")] == [True] * 5
    assert [is_plural(f"{word} species") for word in ("this", "that", "a", "each", "the")] == [False] * 5
    assert [is_plural(f"{words} species") for words in ("a few", "a dozen", "every two", "the same")] == [True] * 3 + [
        False
    ]
    assert is_plural("a few men")
    assert not is_plural("a crossroads")
    assert is_plural("these data")
    assert not is_plural("the data")
    assert not is_plural("one of the men")
    assert is_plural("this man and that woman")


@given(st.text(max_size=60))
def test_any_text_is_plural_or_not(text):
    assert is_plural(text) in (True, False)
