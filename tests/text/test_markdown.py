"""Tables in Markdown."""

from unmirage.text.markdown import markdown_table


def test_the_first_column_is_left_and_numbers_are_right():
    assert markdown_table(["model", "n"], [["base", "3"], ["npo", "12"]]) == (
        "| model | n |\n| --- | ---: |\n| base | 3 |\n| npo | 12 |"
    )


def test_more_columns_may_be_left():
    assert markdown_table(["a", "b", "1"], [], left=2).splitlines()[1] == "| --- | --- | ---: |"


def test_a_bar_in_a_cell_does_not_end_it():
    assert markdown_table(["candidate"], [["npo | rmu"]]).endswith("| npo \\| rmu |")
