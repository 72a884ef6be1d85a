import csv
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from unmirage.text import language
from unmirage.text.language import LANGUAGES, Languages, has_english_words, is_foreign, language_of, languages_of
from unmirage.text.refusals import answer_label, is_refusal

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")

SENTENCES = {
    "de": ("Nenne das Rezept von diesem Gericht.", "Es ist rot.", "Welche Farbe hat das Auto?"),
    "fr": ("Je suis désolé, mais je ne peux pas vous aider.", "C'est rouge.", "Que dit le panneau ?"),
    "es": ("Lo siento, no puedo ayudarte con eso.", "Comparte esta foto.", "No puedo hacer eso."),
    "it": ("Non posso farlo.", "Cosa dice il cartello?", "Un cane dorme sul divano."),
    "pt": ("Desculpe, não posso ajudar com isso.", "Compartilhe esta foto."),
    "nl": ("Het is rood.", "Sorry, daar kan ik niet bij helpen."),
    "pl": ("Nie mogę tego zrobić.", "Jakiego koloru jest samochód?"),
    "tr": ("Üzgünüm, bu konuda yardımcı olamam.", "Bunu yapamam."),
    "vi": ("Xin lỗi, tôi không thể giúp việc đó.", "Nó màu đỏ."),
    "ru": ("Извините, я не могу помочь с этим.",),
    "ar": ("عذرا، لا أستطيع المساعدة في ذلك.",),
    "hi": ("क्षमा करें, मैं इसमें मदद नहीं कर सकता।",),
    "zh": ("抱歉，我无法帮助你。", "它是红色的。", "出口"),
    "ja": ("申し訳ありませんが、お手伝いできません。", "はい", "東京タワーはどこですか"),
    "ko": ("죄송하지만 도와드릴 수 없습니다.", "네, 맞아요"),
    "th": ("ขอโทษ ฉันช่วยเรื่องนั้นไม่ได้",),
    "el": ("Ναι",),
}
# Answers and queries whose words belong to no language, or to English.
WITHOUT = (
    *("", "42", "3.14", "Yes", "No.", "A barn.", "Barack Obama", "Rio de Janeiro", "Ludwig van Beethoven"),
    *("crème brûlée", "spaghetti carbonara", "Golden Gate Bridge", "print('hello')", "def f(x): return x+1", "(C)"),
    *("SELECT * FROM users WHERE id=1;", "https://example.com/a", "Δ = b² − 4ac", "λ = 0.5 μm", "π", "👍"),
    *("dunkin donuts", "blue denim jeans", "red, green, blue", "Los Angeles Lakers", "Margherita pizza."),
)


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in SENTENCES.items() for text in texts])
def test_short_sentences_are_told_by_language(code, text):
    assert language_of(text) == code
    assert is_foreign(text)
    assert answer_label(text) in (True, False, None)


@pytest.mark.parametrize("text", WITHOUT)
def test_names_numbers_code_and_single_words_have_no_other_language(text):
    assert language_of(text) in (None, "en")
    assert not is_foreign(text)
    assert answer_label(text) is (False if text else None)


def test_related_languages_are_foreign_together():
    # Danish, Norwegian and Swedish share the probability; none of them has half of it.
    assert language_of("En hund sover i soffan.") in ("da", "no", "sv")
    assert language_of("Apa yang tertulis di papan itu?") in ("id", "ms")


def test_quotations_do_not_change_the_language():
    assert language_of("The sign says 出口") == "en"
    assert language_of("Auf dem Schild steht 出口.") == "de"
    quoting = "Auf dem Schild steht: 'Do not enter if the light is on.' Das heißt, dass man nicht eintreten darf."
    assert language_of(quoting) == "de"
    assert language_of("图片中的 iPhone 15 Pro Max") == "zh"
    assert language_of("Exit 出口") == "zh"  # no English sentence


def test_english_words_are_counted_with_a_share():
    assert has_english_words("What is this?")
    assert has_english_words("The Eiffel Tower")
    assert not has_english_words("Die Band The Who")  # inside a text, a capital is part of a name
    assert not has_english_words("")
    assert has_english_words("the " + "x " * 4)
    assert not has_english_words("the " + "x " * 5)  # from six words on, three different ones
    assert has_english_words("the of is " + "x " * 33)
    assert not has_english_words("the of is " + "x " * 34)  # 3 of 37 are less than one of twelve
    assert not has_english_words("of is to x")  # Dutch has them, too
    assert not has_english_words("Hier steht das und the door is closed, and it is not")  # das, und


def test_only_the_beginning_of_a_text_is_read():
    german = "Das ist ein Hund und er liegt auf dem Sofa. "
    assert language_of(german * 10 + "What is this and what are those? " * 100) == "de"


def test_an_english_refusal_in_another_language_is_a_refusal():
    assert answer_label("Das geht nicht. I can't help with that.") is True
    assert answer_label("I'm sorry, but I can't help with that. Das darf ich leider nicht sagen.") is True
    assert answer_label("Das darf ich leider nicht sagen.") is True
    assert answer_label(" \n") is None


def test_texts_with_surrogates_and_controls_are_read():
    for text in ("\ud800 abc", "\x00", "a\u200b", "\ud800" * 500, "ß" * 1000):
        language_of(text)


def test_the_languages_of_a_dataset_are_counted():
    texts = ["What is this?"] * 585 + ["Welche Farbe hat das Auto?"] * 412 + ["Que dit le panneau ?"] * 3
    found = languages_of(texts)
    assert found == Languages(read=1000, of=1000, counts={"en": 585, "de": 412, "fr": 3}, unknown=0)
    assert list(found.counts) == ["en", "de", "fr"]
    assert found.beyond() == "412 of 1,000 queries are German, 3 are French"
    assert found.beyond({"en", "de"}) == "3 of 1,000 queries are French"
    assert found.beyond({"en", "de", "fr"}) == ""


def test_many_languages_are_summed():
    counts = {"de": 5, "fr": 4, "it": 3, "nl": 2, "pl": 1, "tr": 1}
    assert Languages(read=20, of=20, counts=counts, unknown=4).beyond() == (
        "5 of 20 queries are German, 4 are French, 3 are Italian, 2 are Dutch, 2 are in other languages"
    )


def test_a_large_dataset_is_sampled_evenly():
    texts = ["What is this?", "Nenne das Rezept von diesem Gericht."] * 500 + ["Share."] * 1001
    found = languages_of(texts, most=667)
    assert (found.read, found.of) == (667, 2001)  # every third
    assert found.counts == {"en": 167, "de": 167}
    assert found.unknown == 333
    assert found.beyond() == "167 of 667 queries (a sample) are German"
    assert languages_of([]) == Languages()


def test_the_model_is_loaded_only_when_it_is_needed():
    code = (
        "import sys\n"
        "from unmirage.text.language import language_of\n"
        "assert language_of('What is this?') == 'en' and language_of('抱歉') == 'zh' and language_of('42') is None\n"
        "assert 'py3langid' not in sys.modules and 'icu4py' not in sys.modules\n"
        "assert language_of('Das darf ich nicht sagen.') == 'de'\n"
        "assert 'py3langid' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_get_the_same_languages():
    texts = [f"Welche Farbe hat das Auto {n}?" for n in range(200)]
    language._detected.cache_clear()
    found: list[list[str | None]] = []
    threads = [threading.Thread(target=lambda: found.append([language_of(text) for text in texts])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["de"] * 200] * 4


def test_every_language_has_a_model():
    language._ranked("x")
    assert set(language._identifier().labels) == {*LANGUAGES, "zxx"}


def column(file: str, name: str) -> list[str]:
    with (SHARED / file).open(encoding="utf-8", newline="") as lines:
        return [row[name] for row in csv.DictReader(lines)]


@needs_shared
@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("french", {True: 83, False: 317}),
        ("russian", {True: 40, False: 344, None: 16}),
    ],
)
def test_answers_in_other_languages_have_labels_where_phrases_exist(name, labels):
    answers = column(f"field/msts/{name}_multimodal.csv", "response")
    assert Counter(map(answer_label, answers)) == labels


@needs_shared
@pytest.mark.parametrize(
    ("file", "name", "refused", "answered"),
    [
        ("field/msts/english_textonly.csv", "response", 304, 496),
        ("field/msts/english_multimodal_five_models.csv", "response", 677, 1323),
        ("field/xstest/xstest_v2_completions_gpt4.csv", "completion", 210, 240),
        ("field/xstest/xstest_v2_completions_llama2orig.csv", "completion", 338, 112),
        ("field/xstest/xstest_v2_completions_mistralinstruct.csv", "completion", 55, 395),
    ],
)
def test_every_english_answer_has_a_label(file, name, refused, answered):
    assert Counter(map(answer_label, column(file, name))) == {True: refused, False: answered}


@needs_shared
def test_vlguard_is_english():
    records = json.loads((SHARED / "vlguard/train.json").read_text("utf-8"))
    pairs = [pair for record in records for pair in record["instr-resp"]]
    answers = [text for pair in pairs for key, text in pair.items() if "resp" in key]
    queries = [text for pair in pairs for key, text in pair.items() if "instr" in key]
    assert [answer_label(text) for text in answers] == [is_refusal(text) for text in answers]
    assert languages_of(queries).beyond() == ""


@needs_shared
def test_a_bilingual_file_has_labels_in_both_languages():
    records = json.loads((SHARED / "faults/mixed_lang.json").read_text("utf-8"))
    turns = [[turn["value"] for turn in record["conversations"]] for record in records]
    labels = Counter((language_of(query), answer_label(answer)) for query, answer in turns)
    assert labels == {(code, refused): 50 for code in ("de", "en") for refused in (True, False)}
