"""Write tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table without a line break at its end.

    Args:
        heads: column heads.
        rows: cells.
        left: number of columns that are aligned left; the others have numbers, which are aligned right.
    """
    rule = ["---"] * left + ["---:"] * (len(heads) - left)
    lines = ([cell.replace("|", r"\|") for cell in line] for line in (heads, rule, *rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
