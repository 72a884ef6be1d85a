import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.scoring import named_letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" B\n", "B"),
        ("B.", "B"),
        ("B. a whale", "B"),
        ("The answer is B.", "B"),
        ("It swims. The answer is B, as fish do not suckle.", "B"),
        ("B. The answer is C.", "B"),
        ("The answer is A. No: The answer is B.", None),  # two are stated
        ("The answer is B", None),  # LLaVA's pattern asks for a sign behind the letter
        ("D", None),  # there are three options
        ("D. a crow", None),
        ("b", None),
        ("(B)", None),
        ("B) a whale", None),
        ("Be careful.", None),
        ("a whale", None),
        ("", None),
        ("?", None),
    ],
)
def test_the_letter_that_a_response_names(text, letter):
    assert named_letter(text, 3) == letter


@given(st.text(), st.integers(2, 26))
def test_any_text_names_one_of_the_options_or_none(text, choices):
    assert named_letter(text, choices) in {None, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:choices]}
