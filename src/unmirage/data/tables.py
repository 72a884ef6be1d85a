"""Read flat tables (JSONL, a JSON list, CSV, Parquet): one sample per row, with named or guessed columns.

Alpaca (`instruction`, `input`, `output`), ms-swift (`query`, `response`) and lists of attacks (`goal`) are such tables.
`system` and `history`, a list of [query, answer] pairs, are the context of the query. So are the earlier turns of a
query that is a transcript ("Human: ... Assistant: ..."). An answer that a column calls harmful (WildGuardMix, Aegis) is
`Sample.rejected`. Names of columns may have capitals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from unmirage.data.dialogue import asked, label_of, pictured, placed_turns
from unmirage.data.labels import ANSWER_LABELS, LABELS, is_empty, label_from_answer, parse_label
from unmirage.data.rows import PICTURES, Row, check_columns, shown
from unmirage.data.turns import ROLES, Said, history_in, text_of, transcript
from unmirage.errors import UserError
from unmirage.records import LabelSource, Placed, Sample, Turn

# Accepted names of each column, in order of preference.
COLUMNS: dict[str, tuple[str, ...]] = {
    "query": (
        *("query", "question", "prompt", "instruction", "text", "user_input"),
        *("goal", "behavior", "forbidden_prompt", "jailbreak_query", "prompt_text", "transcript", "turns", "input"),
    ),
    "answer": ("answer", "response", "output", "completion", "model_output"),
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
    "answer_label": ANSWER_LABELS,
}
_QUERIES = frozenset(COLUMNS["query"])

_SOURCES: dict[str, LabelSource] = {"field": "field", "answer": "answer", "stated": "stated"}
_TURNS = "turns"  # the queries of SORRY-Bench, one in each row
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
    answer_label: str


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has a query column."""
    return any(name.casefold() in _QUERIES for name in record)


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
    check_columns(columns, COLUMNS, first)
    filled = dict.fromkeys(name for row in first for name, value in row.fields.items() if not is_empty(value))
    # Names in lower case come first, then those with capitals, such as "Goal".
    known = [{name.casefold(): name for name in names} | {name: name for name in names} for names in (filled, present)]
    guessed = {
        ours: next((names[name] for names in known for name in usual if name in names), ours)
        for ours, usual in COLUMNS.items()
    }
    found = _Names(**(guessed | dict(columns)))
    _refuse_unclear(first, found, columns)
    return found


def _refuse_unclear(first: Sequence[Row], names: _Names, columns: Mapping[str, str]) -> None:
    """Raise an error for tables that may mean something else than their columns say."""
    if names.query == "text" and "query" not in columns and "role" in first[0].fields:
        raise first[0].error("is one message of a conversation (field 'role'); write one record for each conversation")
    if (names.query, names.answer, names.refused) == ("prompt", "completion", "label") and "refused" not in columns:
        row = next((row for row in first if not is_empty(row.fields.get("label"))), first[0])
        if parse_label(row.fields["label"], "label") is not None and str(row.fields["label"]).strip()[:1] in "01":
            raise row.error(
                f"field 'label' is {shown(row.fields['label'])}, which may judge the answer or the query; use --format "
                "kto if 1 is a good answer, or --columns refused=label if 1 is a query to refuse"
            )


def _sample(row: Row, names: _Names) -> Sample:
    query = _query(row, names)
    answer = row.optional_text(names.answer) or ""
    identity = row.identity(names.id)
    context = _context(row, names)
    said = transcript(row, query) if "Assistant:" in query else None
    if said is not None:
        query, answer = _unfolded(row, said, answer, context)
    bad = row.fields.get(names.answer_label)
    is_bad = bad is not None and parse_label(bad, names.answer_label) is True
    refused, source = _label(row, names, "" if is_bad else answer)
    images = _own_images(row)
    if images is None and any(turn.images for turn in context):
        row.fields.get("image")  # as `data.write` writes it: the first picture of the context
        images = ()
    # Later rows may have their pictures in another field than the first ones.
    fields = (names.image,) if names.image in row.fields else ()
    return Sample(
        id=identity,
        record=row.optional_name(names.record) or identity,
        answer="" if is_bad else answer,
        refused=refused,
        label_source=source,
        category=row.category(names.category),
        group=row.group(names.group),
        rejected=(answer if is_bad else "") or row.optional_text("rejected") or "",
        **(
            asked(row, query, row.image_paths(*fields), context)
            if images is None
            else {"query": query, **pictured(images, context)}
        ),
    )


def _unfolded(row: Row, said: Sequence[Said], answer: str, context: list[Turn]) -> tuple[str, str]:
    """Return the last query and its answer in a transcript; what precedes them is added to the context."""
    if said[-1].role == "assistant":
        answer = answer or text_of(said[-1:])
        said = said[:-1]
    if any(turn.role == before.role for turn, before in zip(said[1:], said, strict=False)):
        raise row.error("user and assistant turns of the transcript must alternate")
    context += placed_turns(row, said[:-1], ())
    return text_of(said[-1:]), answer


def _query(row: Row, names: _Names) -> str:
    """Return the query; the input of an Alpaca row, or the context of a Dolly row, comes after its instruction."""
    turns = row.fields.get(_TURNS) if names.query == _TURNS else None
    is_one = isinstance(turns, list) and len(turns) == 1 and isinstance(turns[0], str)
    query = str(turns[0]) if is_one and isinstance(turns, list) else row.text(names.query)
    more = row.optional_text(names.input) if names.query == "instruction" or names.input not in COLUMNS["input"] else ""
    if not more and names.query == "instruction" and isinstance(row.peek(_CONTEXT), str):
        more = row.optional_text(_CONTEXT)
    return f"{query}\n{more}" if more else query


def _context(row: Row, names: _Names) -> list[Turn]:
    """Return the system prompt and the earlier turns, which make no samples of their own."""
    earlier = row.fields.get(_CONTEXT)
    if earlier and not (isinstance(earlier, str) and (names.input == _CONTEXT or names.query == "instruction")):
        if isinstance(earlier, str):
            raise row.error(
                f"field '{_CONTEXT}' is text, not a list of turns; add it to the query with --columns input={_CONTEXT}"
            )
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
    found = row.peek("images")
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
