"""Inflected forms of all verbs of the lexicon, compared with a list checked by hand, and of unknown words."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.english.inflection import (
    gerund_base,
    irregular_base,
    lemmas,
    past,
    third_person,
    third_persons,
    verb_form,
)
from unmirage.text.english.lexicon import BASE_VERBS, NOT_PARTICIPLES, is_participle

# base: past, participle; and the "ing" form where a consonant is doubled. All other verbs of the lexicon are regular.
# Of several participles ("lied" and "lain", "waked" and "woken"), it is the one that the dictionary gives first: the
# rewriter writes no participles, it only recognizes them.
IRREGULAR = """
be:was:been bear:bore:born beat:beat:beaten become:became:become begin:began:begun:beginning bet:bet:bet:betting
break:broke:broken bring:brought:brought build:built:built buy:bought:bought choose:chose:chosen come:came:come
cost:cost:cost cut:cut:cut:cutting deal:dealt:dealt do:did:done draw:drew:drawn drink:drank:drunk drive:drove:driven
eat:ate:eaten fall:fell:fallen feed:fed:fed feel:felt:felt fight:fought:fought find:found:found fit:fit:fitted:fitting
flee:fled:fled fly:flew:flown forget:forgot:forgotten:forgetting forgive:forgave:forgiven get:got:gotten:getting
give:gave:given go:went:gone grow:grew:grown have:had:had hear:heard:heard hide:hid:hidden
hold:held:held hurt:hurt:hurt keep:kept:kept know:knew:known lay:laid:laid lead:led:led leave:left:left lend:lent:lent
let:let:let:letting lie:lay:lied light:lit:lighted lose:lost:lost make:made:made mean:meant:meant meet:met:met
overcome:overcame:overcome pay:paid:paid proofread:proofread:proofread put:put:put:putting read:read:read
reset:reset:reset:resetting rewrite:rewrote:rewritten ride:rode:ridden rise:rose:risen run:ran:run:running say:said:said
see:saw:seen seek:sought:sought sell:sold:sold send:sent:sent set:set:set:setting sew:sewed:sewn shed:shed:shed:shedding
shine:shone:shone shoot:shot:shot show:showed:shown sing:sang:sung sit:sat:sat:sitting sleep:slept:slept
smell:smelled:smelt speak:spoke:spoken spell:spelled:spelt spend:spent:spent split:split:split:splitting
spread:spread:spread stand:stood:stood steal:stole:stolen stick:stuck:stuck strike:struck:struck
swim:swam:swum:swimming take:took:taken teach:taught:taught tell:told:told think:thought:thought throw:threw:thrown
understand:understood:understood wake:woke:waked wear:wore:worn win:won:won:winning write:wrote:written
blend:blended:blent
"""
DOUBLED = """
admit ban chat control crop drop emit flag grab infer kidnap map occur permit pin plan prefer rap refer rob scam ship
shop spot step stop submit tag tap top transmit
"""
THIRD = {"be": "is", "do": "does", "go": "goes", "have": "has"}


def expected(verb):
    """Return third person, past, participle and gerund."""
    listed = {entry.split(":")[0]: entry.split(":")[1:] for entry in IRREGULAR.split()}
    third = THIRD.get(verb) or verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s")
    silent = verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")) and verb != "be"
    stem = verb[:-1] if silent else verb
    regular, ing = (verb + "d" if verb.endswith("e") else verb + "ed"), stem + "ing"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        third, regular = verb[:-1] + "ies", verb[:-1] + "ied"
    if verb.endswith("ie"):
        ing = verb[:-2] + "ying"
    if verb in DOUBLED.split():
        regular, ing = verb + verb[-1] + "ed", verb + verb[-1] + "ing"
    past_form, participle, *given_ing = listed.get(verb, (regular, regular))
    return third, past_form, participle, *(given_ing or (ing,))


def test_the_lists_name_verbs_of_the_lexicon():
    assert {entry.split(":")[0] for entry in IRREGULAR.split()} | set(DOUBLED.split()) <= BASE_VERBS
    assert len(BASE_VERBS) == 728


def test_every_form_of_every_verb_of_the_lexicon():
    tags = ("VBZ", "VBD", "VBN", "VBG")
    made = {verb: tuple(verb_form(verb, tag) for tag in tags) for verb in BASE_VERBS}
    assert {verb: (forms, expected(verb)) for verb, forms in made.items() if forms != expected(verb)} == {}


def test_every_ing_form_leads_back_to_its_verb():
    assert {verb for verb in BASE_VERBS if gerund_base(verb_form(verb, "VBG"), BASE_VERBS) != verb} == set()


def test_every_participle_of_the_lexicon_that_is_not_a_base_form_is_one():
    forms = {verb_form(verb, tag) for verb in BASE_VERBS for tag in ("VBN", "VBG")} - BASE_VERBS
    nouns = NOT_PARTICIPLES | set("drunk felt smelt spelt".split())
    assert {form for form in forms - nouns if not is_participle(form)} == set()


def test_wrong_forms_of_the_past_are_right_now():
    assert [past(verb) for verb in ("open", "submit", "edit", "rewrite", "lend", "stick")] == [
        "opened", "submitted", "edited", "rewrote", "lent", "stuck",
    ]  # fmt: skip


def test_verbs_outside_the_lexicon_and_outside_the_dictionary():
    assert [past(verb) for verb in ("freeze", "forbid", "swear", "catch", "die", "hope")] == [
        "froze", "forbade", "swore", "caught", "died", "hoped",
    ]  # fmt: skip
    assert [past(verb) for verb in ("vlog", "frobnicate", "unfriend", "doxx", "blorfy")] == [
        "vlogged", "frobnicated", "unfriended", "doxxed", "blorfied",
    ]  # fmt: skip
    assert [gerund_base(word) for word in ("vlogging", "frobnicating", "yeeting", "doxxing")] == [
        "vlog", "frobnicate", "yeet", "doxx",
    ]  # fmt: skip


def test_the_case_of_the_verb_stays():
    assert past("Submit") == "Submitted"
    assert past("Vlog") == "Vlogged"
    assert third_person("CARRY") == "CARRIES"


def test_the_verbs_of_irregular_forms():
    assert [irregular_base(word) for word in ("went", "saw", "found", "forgotten", "has")] == [
        "go", "see", "find", "forget", "have",
    ]  # fmt: skip
    assert [irregular_base(word) for word in ("opened", "submitted", "boat", "names")] == [
        "opened", "submitted", "boat", "names",
    ]  # fmt: skip
    assert set(lemmas("lay", "VERB")) == {"lay", "lie"}


@pytest.mark.parametrize("word", ["hundred", "king", "ceiling", "nothing", "need", "feed", "indeed", "sibling"])
def test_a_noun_that_ends_like_a_participle_is_none(word):
    assert not is_participle(word)


@pytest.mark.parametrize("word", "opened consisted submitting forgotten woken lain lit worn frobnicated set".split())
def test_a_participle(word):
    assert is_participle(word)


def test_words_that_are_listed_as_no_participles_are_forms_that_would_pass():
    assert {word for word in NOT_PARTICIPLES if not word.endswith(("ed", "ing"))} == set()


def test_verbs_with_she():
    assert {"carries", "watches", "holds"} <= third_persons(BASE_VERBS)
    assert "carrys" not in third_persons(BASE_VERBS)


@given(st.text(max_size=20))
def test_any_text_has_forms(text):
    assert past(text).lower().startswith(text[:1].lower()) or past(text) == "was"
    assert isinstance(third_person(text), str)
    assert isinstance(irregular_base(text), str)


def test_the_tables_are_read_at_the_first_form_and_no_pickle_is():
    code = (
        "import sys, pickle, unmirage, unmirage.cli.main, unmirage.text.english.rewriter as r\n"
        "assert 'lemminflect' not in sys.modules\n"
        "def refuse(*_): raise AssertionError('a pickle was read')\n"
        "pickle.load = pickle.loads = refuse\n"
        "from unmirage.text.english.inflection import past\n"
        "assert past('frobnicate') == 'frobnicated'\n"
        "assert 'lemminflect' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
