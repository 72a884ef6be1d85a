import pytest

from unmirage.data.rows import Row, shown
from unmirage.errors import UserError


def row(**fields):
    return Row("x.json: record 3 of 9", 3, fields)


def test_missing_text_names_place_field_and_what_there_is():
    with pytest.raises(UserError, match=r"^x\.json: record 3 of 9: field 'query' is missing; the record has 'q'$"):
        row(q="a").text("query")


@pytest.mark.parametrize("value", [5, ["a"], {"a": 1}, True])
def test_text_of_another_type_is_refused(value):
    with pytest.raises(UserError, match="field 'query' must be text, not"):
        row(query=value).text("query")


def test_the_first_filled_field_is_taken():
    assert row(a="", b=None, c="x").optional_text("a", "b", "c", "d") == "x"
    assert row(a="").optional_text("a") is None


def test_an_id_may_be_text_a_number_or_the_place_in_the_file():
    assert row(id="v").identity() == "v"
    assert row(id=0).identity() == "0"
    assert row().identity() == "3"
    with pytest.raises(UserError, match="field 'id' must be text, not True"):
        row(id=True).identity()


def test_a_bad_picture_path_names_the_field():
    with pytest.raises(UserError, match=r"record 3 of 9: field 'image': image path '/etc/x\.png' is absolute"):
        row(image="/etc/x.png").image()
    assert row().image() is None


def test_shown_is_one_short_line_without_control_characters():
    text = shown("a\n\x1b[31m" + "b" * 100)
    assert text.startswith(r"'a\n\x1b[31mb")
    assert len(text) == 60
