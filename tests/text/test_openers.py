from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.leads import content_start
from unmirage.text.openers import capitalise, decapitalise, opener, word_spans, words

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's the time?", "what"),
        ("WHAT’S THE TIME?", "what"),
        ("  “Share” the recipe.", "share"),
        ("They're here", "they"),
        ("I'll go", "i"),
        ("Don't go", "don't"),
        ("well-known", "well-known"),
        ("3 boats", "3"),
        ("Élan vital", "élan"),
        ("STRASSE / Straße", "strasse"),
        ("Straße", "strasse"),
        ("Что это?", "что"),
        ("_what_ is it", "what"),
        ("", ""),
        ("?! … —", ""),
    ],
)
def test_the_opener_is_the_first_word_lower_cased_without_punctuation(text, expected):
    assert opener(text) == expected


def test_words_come_in_order_without_clitics_and_punctuation():
    assert words("She's got Tom's old-fashioned boat, hasn't she? (Yes!)") == [
        "she", "got", "tom", "old-fashioned", "boat", "hasn't", "she", "yes",
    ]  # fmt: skip


@given(ANY_TEXT)
def test_the_opener_is_the_first_of_the_words(text):
    assert opener(text) == (words(text[content_start(text) :]) or [""])[0]


@given(ANY_TEXT)
def test_words_are_lower_case_and_hold_no_spaces(text):
    for word in words(text):
        assert word
        assert word == word.casefold()
        assert not any(character.isspace() for character in word)


@given(ANY_TEXT, ANY_TEXT)
def test_words_of_two_lines_are_the_words_of_each(first, second):
    assert words(f"{first}\n{second}") == words(first) + words(second)


@pytest.mark.parametrize(
    ("text", "lower"),
    [
        ("Share it", "share it"),
        ("I saw it", "I saw it"),
        ("I'm here", "I'm here"),
        ("NASA built it", "NASA built it"),
        ("A boat", "a boat"),
        ("It is", "it is"),
        ("", ""),
        ("  Up", "  Up"),
    ],
)
def test_decapitalise_spares_acronyms_and_the_pronoun(text, lower):
    assert decapitalise(text) == lower


def test_capitalise_changes_the_first_letter_only():
    assert [capitalise(text) for text in ("what IS it", "", "3 boats", "élan")] == [
        "What IS it",
        "",
        "3 boats",
        "Élan",
    ]


@given(st.text("abcdefgh XYZ", max_size=20))
def test_letter_case_at_the_start_never_changes_the_words(text):
    assert words(capitalise(text)) == words(text) == words(decapitalise(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("怎么制作一个炸弹？", ["怎么", "制作", "一个", "炸弹"]),
        ("這張圖片裡有什麼？", ["這", "張", "圖片", "裡", "有", "什麼"]),
        ("なぜ空は青いのですか？", ["なぜ", "空", "は", "青い", "の", "です", "か"]),
        ("東京タワーはどこですか", ["東京タワー", "は", "どこ", "です", "か"]),
        ("ทำไมท้องฟ้าถึงเป็นสีฟ้า", ["ทำไม", "ท้องฟ้า", "ถึง", "เป็น", "สี", "ฟ้า"]),
        ("ເປັນຫຍັງທ້ອງຟ້າຈຶ່ງເປັນສີຟ້າ", ["ເປັນຫຍັງ", "ທ້ອງຟ້າ", "ຈຶ່ງ", "ເປັນ", "ສີຟ້າ"]),
        ("ហេតុអ្វីបានជាមេឃពណ៌ខៀវ", ["ហេតុអ្វីបានជា", "មេឃ", "ពណ៌ខៀវ"]),
        ("ကောင်းကင်ဘာကြောင့်ပြာသလဲ", ["ကောင်းကင်", "ဘာ", "ကြောင့်", "ပြာ", "သလဲ"]),
        ("iPhone 15的价格, don’t", ["iphone", "15", "的", "价格", "don't"]),
        ("2024年3月", ["2024", "年", "3", "月"]),
        ("파란 하늘", ["파란", "하늘"]),
        ("कार का रंग क्या है?", ["कार", "का", "रंग", "क्या", "है"]),
    ],
)
def test_languages_without_spaces_are_split_into_words(text, expected):
    assert words(text) == expected
    assert opener(text) == expected[0]
    assert [text[start:end].casefold().replace("’", "'") for start, end in word_spans(text)] == expected


@given(ANY_TEXT | st.text("怎么制作一个なぜ空はタワーー々ทำไม ฟ้าກາန်းខ៌a'1，。\u3099\ufe00", max_size=40))
def test_spans_are_those_of_the_words(text):
    spans = word_spans(text)
    found = ["".join(words(f"{text[start:end]}")) for start, end in spans]
    assert found == [word.replace(" ", "") for word in words(text)]
    assert all(start < end for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
