"""Read flat tables (JSONL, a JSON list, CSV, Parquet): one sample per row, with named or guessed columns.

Alpaca (`instruction`, `input`, `output`) and ms-swift (`query`, `response`) are such tables. `system` and `history`, a
list of [query, answer] pairs, are the context of the query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from unmirage.data.dialogue import ROLES, Said, asked, history_in, label_of, pictured, placed_turns
from unmirage.data.labels import LABELS, is_empty, label_from_answer
from unmirage.data.rows import PICTURES, Row, listed, shown
from unmirage.errors import UserError, unknown
from unmirage.records import LabelSource, Placed, Sample, Turn

# Accepted names of each column, in order of preference.
COLUMNS: dict[str, tuple[str, ...]] = {
    "query": ("query", "question", "prompt", "instruction", "text"),
    "answer": ("answer", "response", "output", "completion"),
    "refused": (LABELS[0], "label", *LABELS[1:]),
    "image": PICTURES,
    "id": ("id", "sample_id", "question_id"),
    "record": ("record", "record_id"),
    "category": ("category", "harmful_subcategory", "harmful_category"),
    "label_source": ("label_source",),
    "group": ("group",),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "input": ("input",),
}

_SOURCES: dict[str, LabelSource] = {"field": "field", "answer": "answer", "stated": "stated"}
_CONTEXT = "context"  # earlier turns as `data.write` writes them


class _Names(NamedTuple):
    """The file's name of each column."""

    query: str
    answer: str
    refused: str
    image: str
    id: str
    record: str
    category: str
    label_source: str
    group: str
    system: str
    history: str
    input: str


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has a query column."""
    return any(name in record for name in COLUMNS["query"])


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; columns are guessed from this row alone."""
    return table_reader([row])(row)


def table_reader(first: Sequence[Row], columns: Mapping[str, str] | None = None) -> Callable[[Row], list[Sample]]:
    """Return the `samples_of` function of a table.

    Args:
        first: the table's first rows, which determine the columns present.
        columns: the file's column for each of ours, such as {"query": "prompt"}; others are guessed from `COLUMNS`.
    """
    names = _resolve(first, columns or {})
    return lambda row: [_sample(row, names)]


def _resolve(first: Sequence[Row], columns: Mapping[str, str]) -> _Names:
    """Return the file's column for each of ours; missing ones keep our name."""
    present = dict.fromkeys(name for row in first for name in row.fields)
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise unknown("column", ours, COLUMNS)
        if theirs not in present:
            place = f"{first[0].source}: has no column {shown(theirs)} for '{ours}' in its first {len(first):,} records"
            raise UserError(f"{place}; it has {listed(present)}")
    filled = dict.fromkeys(name for row in first for name, value in row.fields.items() if not is_empty(value))
    guessed = {
        ours: next((name for names in (filled, present) for name in usual if name in names), ours)
        for ours, usual in COLUMNS.items()
    }
    return _Names(**(guessed | dict(columns)))


def _sample(row: Row, names: _Names) -> Sample:
    query = _query(row, names)
    answer = row.optional_text(names.answer) or ""
    identity = row.identity(names.id)
    refused, source = _label(row, names, answer)
    context = _context(row, names)
    images = _own_images(row)
    if images is None and row.fields.get(_CONTEXT) and any(turn.images for turn in context):
        row.fields.get("image")  # the first of those turns
        images = ()
    return Sample(
        id=identity,
        record=row.optional_name(names.record) or identity,
        answer=answer,
        refused=refused,
        label_source=source,
        category=row.category(names.category),
        group=row.group(names.group),
        rejected=row.optional_text("rejected") or "",
        **(
            asked(row, query, row.image_paths(names.image), context)
            if images is None
            else {"query": query, **pictured(images, context)}
        ),
    )


def _query(row: Row, names: _Names) -> str:
    """Return the query; the input of an Alpaca row comes after its instruction."""
    query = row.text(names.query)
    more = row.optional_text(names.input) if names.query == "instruction" or names.input != "input" else None
    return query if more is None else f"{query}\n{more}"


def _context(row: Row, names: _Names) -> list[Turn]:
    """Return the system prompt and the earlier turns, which make no samples of their own."""
    if row.fields.get(_CONTEXT):
        return [_turn(one) for one in row.parts(_CONTEXT, "turns")]
    if not row.fields.get(names.system) and not row.fields.get(names.history):
        return []
    system = row.optional_text(names.system)
    before = [] if system is None else [Said("system", [system], row)]
    return placed_turns(row, [*before, *history_in(row, names.history)], ())


def _turn(one: Row) -> Turn:
    """Return an earlier turn as `data.write` writes it."""
    role = ROLES.get(one.text("role"))
    if role is None:
        raise one.error(f"field 'role' is {shown(one.fields['role'])}; valid: system, user, assistant")
    return Turn(role, one.text("text"), _own_images(one) or ())


def _own_images(row: Row) -> tuple[Placed, ...] | None:
    """Return pictures with their places, as `data.write` writes them; None if the record has none."""
    found = row.fields.get("images")
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) and "at" in one for one in found):
        return None
    row.fields.get("image")  # the first of them
    placed = []
    for one in row.parts("images", "pictures"):
        at = one.fields["at"]
        if not isinstance(at, int) or at < 0:
            raise one.error(f"field 'at' is {shown(at)}; valid: a number of characters")
        placed.append(Placed(one.checked(one.text("image")), at))
    return tuple(placed)


def _label(row: Row, names: _Names, answer: str) -> tuple[bool | None, LabelSource]:
    """Return the label from its column, or from the answer if the column is empty."""
    column = names.refused
    if is_empty(row.fields.get(column)):
        return label_from_answer(answer)
    refused, source = label_of(row, answer, column)
    return refused, source if refused is None else _source(row, names.label_source)


def _source(row: Row, column: str) -> LabelSource:
    stated = row.optional_text(column) or "field"
    if stated not in _SOURCES:
        raise row.error(f"field '{column}' is {shown(stated)}; valid: {', '.join(_SOURCES)}")
    return _SOURCES[stated]


def parse_columns(text: str) -> dict[str, str]:
    """Return {"query": "prompt", ...} for "query=prompt,..."."""
    named: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise UserError(f"--columns: {part!r} is not NAME=COLUMN; valid: query=prompt,answer=output")
        named[ours] = theirs
    return named
