"""Candidate words: whole words of a vocabulary, and word lists with errors that name the line."""

import pytest

from unmirage.errors import UserError
from unmirage.text.openers import word_spans
from unmirage.text.vocabulary import read_words, real_words


def test_only_whole_lower_case_words_count():
    tokens = [
        " what",
        " Share",
        "ing",
        " wing",
        " x",
        " a",
        " i",
        " don't",
        " 12",
        "  two",
        " what",
        "",
        " ",
        " é",
        " été",
    ]
    assert real_words(tokens) == ["a", "i", "what", "wing", "été"]


def test_a_word_list_keeps_its_order(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("What\n\n  share \nwhat\ndon't\n", "utf-8")
    assert read_words(path) == ["what", "share", "don't"]


@pytest.mark.parametrize("line", ["two words", "what?", "12 3", "x" * 41, "-"])
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "words.txt"
    path.write_text(f"what\n{line}\n", "utf-8")
    with pytest.raises(UserError, match=r"words\.txt', line 2: .* is not one word"):
        read_words(path)


def test_no_word_and_no_file(tmp_path):
    path = tmp_path / "words.txt"
    with pytest.raises(UserError, match="cannot be read"):
        read_words(path)
    path.write_text("\n")
    with pytest.raises(UserError, match="contains no words"):
        read_words(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UserError, match="cannot be read"):
        read_words(path)


def test_words_stand_where_their_spans_say():
    text = " What's the  colour, of 料理?"
    assert [text[start:end] for start, end in word_spans(text)] == ["What's", "the", "colour", "of", "料理"]
