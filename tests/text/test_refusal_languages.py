"""Refusals in other languages, and answers in them that only look like one."""

from pathlib import Path

import pytest
import yaml

from unmirage.text.language import LANGUAGES
from unmirage.text.refusals import answer_label, is_refusal, languages_without_phrases, phrase_languages, refusal_phrase
from unmirage.text.refusals.lists import language_pattern, other_languages

EXAMPLES = yaml.safe_load((Path(__file__).parent / "refusal_languages.yaml").read_text("utf-8"))
REFUSALS, ANSWERS = (
    [(code, text) for code, texts in EXAMPLES[name].items() for text in texts] for name in ("refusals", "answers")
)


@pytest.mark.parametrize(("language", "answer"), REFUSALS)
def test_an_answer_that_declines_is_a_refusal(language, answer):
    assert is_refusal(answer)
    assert answer_label(answer) is True
    assert language in phrase_languages()


@pytest.mark.parametrize(("language", "answer"), ANSWERS)
def test_an_answer_that_only_sounds_like_one_is_not(language, answer):
    assert refusal_phrase(answer) is None
    assert answer_label(answer) is False


@pytest.mark.parametrize("language", sorted(phrase_languages() - {"en"}))
def test_each_list_has_an_example_and_a_code_that_the_detector_knows(language):
    assert language in LANGUAGES
    assert language_pattern(language).search("") is None
    assert language in {code for code, _ in REFUSALS}


@pytest.mark.parametrize("language", sorted(phrase_languages() - {"en"}))
def test_no_list_calls_plain_english_a_refusal(language):
    text = "the red bus can not leave without a driver. i gave him a map and told him how to get to the coast."
    assert language_pattern(language).search(text) is None


def test_all_parts_are_filled_in():
    for language, entry in other_languages().items():
        assert "<" not in language_pattern(language).pattern.replace("(?<", "").replace("\\A< ?", "")
        for name in entry.get("parts", {}):
            assert any(f"<{name}>" in phrase for phrase in entry["phrases"]), (language, name)


def test_languages_without_phrases_are_counted():
    texts = ["Šiame paveikslėlyje matomas raudonas autobusas.", "It is a red bus.", "Es ist ein roter Bus."]
    assert languages_without_phrases(texts) == {"Lithuanian": 1}
    assert languages_without_phrases([*texts, *texts]) == {"Lithuanian": 2}
    assert languages_without_phrases(texts, {"lt"}) == {}
    assert answer_label(texts[0]) is None
    assert [answer_label(text) for text in (*texts[1:], "42", "")] == [False, False, False, None]
