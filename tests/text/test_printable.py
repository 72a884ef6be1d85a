import pytest

from unmirage.text.printable import clean, short


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [
        ("\x1b[31mred\x1b[0m and \x9b1mbold", "red and bold"),
        ("\x1b]0;title\x07rest", "rest"),
        ("nul\x00 bell\x07 delete\x7f", "nul bell delete"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("left\u202eright\u2066", "leftright"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("<script>", "<script>"),
        ("https://me:pass@host/x", "https://[hidden]host/x"),
        ("token hf_abcdefghijklmnopqrstuvwx.", "token [hidden]."),
        ("مرحبا 日本 👩‍🔬", "مرحبا 日本 👩‍🔬"),
    ],
)
def test_text_is_cleaned_of_what_would_mislead_a_reader(dirty, shown):
    assert clean(dirty) == shown


def test_what_is_cut_is_counted():
    assert clean("a" * 1_000_000, 3) == "aaa … (999,997 more characters)"
    assert short("a" * 1_000_000, 5) == "aaaa…"
    assert short("two\nlines", 20) == "two lines"
