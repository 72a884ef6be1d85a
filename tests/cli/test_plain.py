from hypothesis import given
from hypothesis import strategies as st

from unmirage.cli.console import plain


def test_escapes_controls_and_direction_marks_are_taken_out():
    assert plain("\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07end").plain == "red end"
    assert plain("a\u202eb\nc\ud800").plain == "ab c"


def test_markup_stays_as_it_is():
    assert plain("[bold]x[/bold]").plain == "[bold]x[/bold]"


def test_long_texts_are_cut():
    assert plain("w" * 1_000_000, 10).plain == "w" * 9 + "…"


@given(st.text(st.characters(codec=None)))
def test_what_comes_out_is_printable_and_short(text):
    shown = plain(text).plain
    assert shown.isprintable()
    assert len(shown) <= 60
