"""Base class of results: short text, Jupyter table, data frame and JSON file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from unmirage.errors import UserError
from unmirage.run.files import write_json_atomic

_MOST_ROWS = 16
_LONGEST_CELL = 40

Row = Mapping[str, Any]


class Result(ABC):
    """Base of the objects that the public functions return."""

    __slots__ = ()

    @abstractmethod
    def heading(self) -> str:
        """Return a one-line title of the result."""

    @abstractmethod
    def summary(self) -> Sequence[Row]:
        """Return the rows of the short table; all rows have the same columns."""

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """Return the rows of the data frame; all rows have the same columns."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""

    def to_frame(self) -> Any:
        """Return the result as a pandas data frame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("to_frame: pandas is not installed. Install it: pip install pandas") from None
        return pandas.DataFrame(self.rows())

    def save(self, path: str | Path) -> Path:
        """Write the document as JSON, atomically, and return its path."""
        write_json_atomic(Path(path), self.to_json())
        return Path(path)

    def __repr__(self) -> str:
        shown, more = self._shown()
        lines = [self.heading(), *_aligned(shown)]
        return "\n".join([*lines, f"... and {more:,} more"] if more else lines)

    def _repr_html_(self) -> str:
        shown, more = self._shown()
        head = "".join(f"<th>{escape(name)}</th>" for name in shown[0]) if shown else ""
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in shown
        )
        rest = f"<p>and {more:,} more</p>" if more else ""
        return (
            f"<p>{escape(self.heading())}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
        )

    def _shown(self) -> tuple[Sequence[Row], int]:
        rows = self.summary()
        return rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    text = f"{value:.3f}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table with its header; numbers are right-aligned."""
    if not rows:
        return []
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    numeric = [all(row[name] is None or isinstance(row[name], int | float) for row in rows) for name in names]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    ]
