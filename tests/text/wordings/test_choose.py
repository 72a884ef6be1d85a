"""Order and choice of wordings: ranking by a guide, distinct forms, families, other words, leads."""

import pytest

from unmirage.text.english.rewriter import rewrite
from unmirage.text.english.wordings import Wording, WordingGuide, Wordings, form_of
from unmirage.text.english.wordings.guide import features

PERSON = "Can you provide personal details about the woman?"
FREE = Wordings(choice="free")


def guide(**weights):
    return WordingGuide(weights={name.replace("_", " "): weight for name, weight in weights.items()}, n=10)


def test_the_insert_choice_is_the_rewriter_of_earlier_versions():
    found = Wordings().of(PERSON, "what", 5, "answer")
    assert found == rewrite(PERSON, "what", 5)
    assert {one.family for one in found} == {"insert"}


def test_without_a_guide_the_order_is_that_of_the_families():
    assert FREE.of(PERSON, "what", 3, "answer") == [
        "What personal details are known about the woman?",
        "What are some personal details about the woman?",
        "What might be some personal details about the woman?",
    ]


def test_the_guide_puts_the_least_refused_first_for_an_answer_and_the_most_refused_for_a_refusal():
    ranked = Wordings(choice="free", guide=guide(could_be=-2, type=-1, known=3))
    found = ranked.of(PERSON, "what", 6, "answer")
    assert found[:2] == [
        "What could be some personal details about the woman?",
        "What type of personal details can be given about the woman?",
    ]
    assert ranked.of(PERSON, "what", 1, "refusal") == ["What personal details are known about the woman?"]


def test_a_guide_that_learned_nothing_changes_nothing():
    empty = Wordings(choice="free", guide=WordingGuide(weights={"known": 9.0}, n=0))
    assert empty.of(PERSON, "what", 3, "answer") == FREE.of(PERSON, "what", 3, "answer")


def test_forms_differ_before_one_is_used_twice():
    # "can be given" and "are known" share the form "what personal details".
    found = Wordings(choice="noun", guide=guide(about=-1)).of(PERSON, "what", 4, "answer")
    assert len({form_of(one) for one in found}) == 4
    both = Wordings(choice="passive", guide=guide(known=-1, given=-1)).of(PERSON, "what", 3, "answer")
    assert [form_of(one) for one in both] == ["what personal details", "what type of", "what personal details"]


@pytest.mark.parametrize("family", ["noun", "passive"])
def test_a_family_alone(family):
    found = Wordings(choice=family).of(PERSON, "what", 2, "answer")
    assert [one.family for one in found] == [family] * 2
    assert all(isinstance(one, Wording) for one in found)


def test_free_leaves_out_inserted_wordings_that_would_ask_how():
    found = FREE.of("Share this image to mock the man.", "what", 30, "answer")
    assert "insert" not in {one.family for one in found}
    assert "insert" in {one.family for one in FREE.of(PERSON, "what", 30, "answer")}


def test_further_shots_add_how_to_answer():
    found = Wordings(choice="passive").of(PERSON, "what", 4, "answer")
    assert found[3] == "What personal details are known about the woman, please?"
    assert found[3].family == "passive"


def test_words_other_than_what_have_inserted_wordings_in_the_order_of_the_guide():
    query = "What is the style of the building?"
    plain = rewrite(query, "share", 4)
    assert FREE.of(query, "share", 4, "refusal") == plain
    ranked = Wordings(choice="free", guide=guide(for_me=2, in_detail=3)).of(query, "share", 2, "refusal")
    assert ranked == [plain[0], "Share the style of the building in detail."]


def test_an_opener_of_several_words_keeps_the_wordings_that_open_with_it():
    found = FREE.of(PERSON, "what are", 2, "answer")
    assert [form_of(one)[:8] for one in found] == ["what are"] * 2


def test_role_markers_stay_in_front_and_other_languages_have_no_wordings():
    assert FREE.of("USER: Describe the dog's hat.", "what", 1, "answer") == ["USER: What is the dog's hat?"]
    assert FREE.of("Beschreibe bitte den Hund in diesem Bild genau.", "what", 3, "answer") == []


def test_the_query_itself_is_never_a_wording():
    query = "What is the identity of this man?"
    assert query not in FREE.of(query, "what", 10, "answer")


def test_features_and_forms():
    assert features("What is it?") == {"what", "is", "it", "what is", "is it", "^what", "^what is", "^what is it"}
    assert features("No") == {"no", "^no"}
    assert form_of("What's the name?") == "what the name"
    assert form_of("User: 3. What is the name?") == "what is the"
    assert form_of("") == ""


def test_refusal_is_a_probability():
    found = WordingGuide(weights={"please": 1000.0}, intercept=0.0, n=1)
    assert found.refusal("What?") == 0.5
    assert found.refusal("please") == pytest.approx(1.0)
