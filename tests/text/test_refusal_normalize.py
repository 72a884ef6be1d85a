"""Answers are brought into one form, and what they only quote is hidden."""

import pytest

from unmirage.text.refusals.normalize import is_told, plain, unquoted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  I’M\n\tSORRY  ", "i'm sorry"),
        ("**Assistant:** ✅ I cant, wont, dont, and isnt.", "i can't, won't, don't, and isn't."),
        ("I want a scant wonton.", "i want a scant wonton."),
        ("ChatGPT: AI: Hello", "hello"),
        ("can\u200bnot\u00adhelp", "cannothelp"),
        ("“Je ne peux pas”", "je ne peux pas"),
        ('"A" and "b"', '"a" and "b"'),
        ("抱歉，我不能。", "抱歉,我不能."),
        ("عذرًا", "عذرا"),
        ("de\u0301sole\u0301", "désolé"),  # decomposed
        ("snake_case", "snake case"),
        ("", ""),
        ("🙂🙂", ""),
    ],
)
def test_plain(text, line):
    assert plain(text) == line


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ('he says "i cannot" and goes', "he says and goes"),
        ("prints 'i can't write' and exits", "prints and exits"),
        ("the dogs' bowl isn't the cats' bowl", "the dogs' bowl isn't the cats' bowl"),
        ("the sign reads: i cannot. i won't. it is red.", "the . it is red."),
        ("the man says i won't share, and leaves. i agree.", "the man . i agree."),
        ("as i said, i cannot help", "as i said, i cannot help"),
        ("our policy states that i cannot help", "our policy states that i cannot help"),
        ("that said, i cannot help", "that said, i cannot help"),
        ("i cannot come, reads the letter", ""),
        ("nothing is quoted here", "nothing is quoted here"),
    ],
)
def test_unquoted(line, left):
    found = unquoted(line)
    assert len(found) == len(line)  # positions stay
    assert " ".join(found.split()) == left


def test_is_told():
    assert is_told("i am unable to attend, reads the letter in the photo.")
    assert not is_told("i am unable to attend. the letter reads well.")
