import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.images import check_path
from unmirage.data.rows import Row, shown, without_placeholder
from unmirage.errors import UserError


def row(**fields):
    return Row(fields, 3, "x.json", "record", 3)


def test_missing_text_names_place_field_and_what_there_is():
    with pytest.raises(UserError, match=r"^x\.json: record 3: field 'query' is missing; the record has 'q'$"):
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
    with pytest.raises(UserError, match=r"record 3: field 'image': image path '/etc/x\.png' is absolute"):
        row(image="/etc/x.png").image()
    assert row().image() is None


@given(st.text("ab./~:\\\n ", min_size=1, max_size=12) | st.text(min_size=1))
def test_a_picture_path_is_taken_exactly_if_the_check_lets_it_pass(path):
    try:
        check_path(path)
    except UserError:
        with pytest.raises(UserError, match="field 'image': image path"):
            row(image=path).image()
    else:
        assert row(image=path).image() == path


def test_a_part_of_a_record_names_its_place():
    (part,) = row(turns=[{"a": 1}]).parts("turns", "turns")
    with pytest.raises(UserError, match=r"^x\.json: record 3, turns\[0\]: field 'b' is missing"):
        part.text("b")
    with pytest.raises(UserError, match=r"field 'turns\[1\]' must be an object, not 5"):
        list(row(turns=[{}, 5]).parts("turns", "turns"))
    with pytest.raises(UserError, match="field 'turns' must be a list of turns, not None"):
        list(row().parts("turns", "turns"))


def test_rows_of_one_category_share_a_string():
    names = [row(b="".join(["vio", "lence"])).category("a", "b") for _ in range(2)]
    assert names == ["violence"] * 2
    assert names[0] is names[1]
    assert row(a=7).category("a") == "7"
    assert row(a="", b=None).category("a", "b") is None


def test_shown_is_one_short_line_without_control_characters():
    text = shown("a\n\x1b[31m" + "b" * 100)
    assert text.startswith(r"'a\n\x1b[31mb")
    assert len(text) == 60


@pytest.mark.parametrize("query", ["<image>\nWhat is it?", "What is it?\n<image>", "<image> <image>What is it?"])
def test_the_placeholder_goes_with_the_space_around_it(query):
    assert without_placeholder(query) == "What is it?"


def test_a_query_without_one_stays_as_it_is():
    assert without_placeholder(" What <img> is\nit? ") == " What <img> is\nit? "
    assert without_placeholder("Is <image> it?") == "Is  it?"
