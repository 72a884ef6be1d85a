"""Find the columns of a file of labeled responses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from unmirage.data.rows import Row, check_columns, listed
from unmirage.errors import UserError

# Accepted names of each column, in order of preference.
COLUMNS: dict[str, tuple[str, ...]] = {
    "query": ("query", "question", "prompt", "prompt_text", "instruction", "goal", "behavior"),
    "response": ("response", "completion", "answer", "output", "model_output", "generation"),
    "verdict": ("verdict", "final_verdict", "final_taxonomy", "final_label", "human_label", "gold", "label"),
    "annotator": ("annotator", "annotator_id", "rater", "rater_id", "worker_id"),
    "picture": ("picture", "picture_description", "image_description", "unsafe_image_description"),
    "model": ("model", "model_name"),
    "language": ("language", "lang"),
    "id": ("id",),
    "image": ("image",),
    "unsafe": ("unsafe",),
}
_REQUIRED = ("query", "response", "verdict")
_ANNOTATOR = re.compile(
    r"(?:annot(?:ation|ator)?|rater|label(?:l?er)?|coder|human|verdict)[ _-]?\d+(?:[ _-](?:label|verdict|annotation))?"
)
_SEVERAL = ("annotations", "labels", "verdicts", "votes")


@dataclass(frozen=True, slots=True)
class Columns:
    """The file's name of each column.

    Attributes:
        names: the file's column for each of ours that it has.
        annotators: columns with the labels of one annotator each, or with a list of labels.
    """

    names: Mapping[str, str]
    annotators: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], given: Mapping[str, str]) -> Columns:
        """Find the columns in the records; `given` has the user's choice.

        Raises:
            UserError: a required column is missing; the message names it and the columns that the file has.
        """
        present = dict.fromkeys(name for row in rows for name in row.fields)
        source = rows[0].source
        check_columns(given, COLUMNS, rows)
        lower = {name.casefold(): name for name in present} | {name: name for name in present}
        names = {
            ours: next(lower[name] for name in usual if name in lower)
            for ours, usual in COLUMNS.items()
            if any(name in lower for name in usual)
        } | dict(given)
        annotators = tuple(
            name for name in present if _ANNOTATOR.fullmatch(name.casefold()) or name.casefold() in _SEVERAL
        )
        for ours in _REQUIRED:
            if ours not in names and not (ours == "verdict" and annotators):
                raise UserError(_missing(source, ours, present))
        return cls(names, annotators)

    def place(self, row: Row, ours: str) -> str:
        """Return the record's name of a column. Records of one file may use different names."""
        main = self.names.get(ours, ours)
        usual = (name for name in (main, *COLUMNS[ours]) if row.fields.get(name) is not None)
        return next(usual, main)

    def required(self, row: Row, ours: str) -> str:
        """Return the text of a column that every record must have."""
        return row.text(self.place(row, ours))

    def optional(self, row: Row, ours: str) -> str | None:
        """Return the text of a column; None if it is missing or empty."""
        return row.optional_name(self.place(row, ours))


def _missing(source: str, ours: str, present: Mapping[str, object]) -> str:
    others = ", ".join(COLUMNS[ours][1:])
    close = (get_close_matches(name, present, n=1, cutoff=0.7) for name in COLUMNS[ours])
    hint = next((f" Did you mean '{one[0]}'?" for one in close if one), "")
    return (
        f"{source}: column '{ours}' (or {others}) is missing; it has {listed(present)}; "
        f"name yours: --columns {ours}=COLUMN.{hint}"
    )
