"""Tables of studies in narrow and wide terminals: no number is cut."""

import pytest
from rich.console import Console

from unmirage.cli import study

HEADS = ("model", "wordings", "ASR before → after", "control", "plain unsafe refused")
ROWS = [
    ("sft-diversified", "ours", "11.2 → 67.0 [61–73]", "10.8 [7–16]", "88.8 [84–92]"),
    ("sft-posthoc", "given", "86.2 [82–90] (n=600)", "", "n/a"),
]


@pytest.fixture
def printed(monkeypatch):
    def run(width, heads=HEADS, rows=ROWS):
        console = Console(width=width, record=True, highlight=False)
        monkeypatch.setattr(study, "out", console)
        study.print_table(heads, rows)
        return console.export_text()

    return run


@pytest.mark.parametrize("width", [20, 40, 55, 60, 70, 80, 200])
def test_no_word_is_cut(printed, width):
    text = printed(width)
    assert "…" not in text
    words = {word for row in [HEADS, *ROWS] for cell in row for word in cell.split()}
    found = set(text.replace(": ", " ").split())
    assert words - set(HEADS[0].split()) <= found | {"wordings"}


def test_a_table_that_fits_has_one_line_per_row_and_no_line_is_wider_than_the_terminal(printed):
    lines = printed(100).splitlines()
    assert len([line for line in lines if line.strip()]) == 2 + len(ROWS)
    assert max(map(len, printed(60).splitlines())) <= 60


def test_a_row_is_a_block_of_lines_where_the_table_would_not_fit(printed):
    assert printed(30).splitlines()[:5] == [
        "sft-diversified",
        "  wordings: ours",
        "  ASR before → after: 11.2 → 67.0 [61–73]",
        "  control: 10.8 [7–16]",
        "  plain unsafe refused: 88.8 [84–92]",
    ]


def test_spare_width_goes_to_the_columns_that_need_least():
    columns = [["model", "a"], ["one", "1 2"], ["some words", "1"]]
    assert study._widths(columns, 5 + 2 + 3 + 2 + 10) == [5, 3, 10]
    assert study._widths(columns, 5 + 2 + 3 + 2 + 6) == [5, 3, 6]
    assert study._widths(columns, 5 + 2 + 3 + 2 + 4) is None
