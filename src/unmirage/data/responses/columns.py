"""Find the columns of a table of responses: as the user names them, else by their usual names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from unmirage.data.labels import is_empty
from unmirage.data.rows import PICTURES, Row, check_columns, listed, shown
from unmirage.errors import UserError

LEFT_OUT = "-"  # the column of ours that the user does not want to be read


class Usual(NamedTuple):
    """The usual names of a column.

    Attributes:
        names: these.
        others: names that usually mean something else; they count only without one of `names`.
        single: whether two names in one file are an error, instead of the first one being taken.
    """

    names: tuple[str, ...]
    others: tuple[str, ...] = ()
    single: bool = False


COLUMNS: Mapping[str, Usual] = {
    "query": Usual(
        ("query", "question", "prompt", "instruction", "goal", "behavior", "prompt_text", "user_prompt", "messages"),
        ("input", "user_input", "text", "conversation", "conversations"),
        single=True,
    ),
    "response": Usual(
        (
            *("response", "model_response", "model_output", "prediction", "completion", "generation", "output"),
            *("text_output", "output_text", "generated_text", "reply", "responses", "outputs", "generations"),
        ),
        ("answer",),
        single=True,
    ),
    "model": Usual(("model", "model_name", "model_id")),
    "unsafe": Usual(
        ("unsafe", "is_unsafe", "harmful", "is_harmful", "safe", "is_safe", "prompt_harm_label"),
        ("label",),
        single=True,
    ),
    "sample": Usual(("sample", "sample_id", "pair", "pair_id")),
    "id": Usual(("id", "question_id", "prompt_id", "query_id", "case_id", "behavior_id", "index", "idx", "uid")),
    "record": Usual(("record", "record_id")),
    "group": Usual(("group",)),
    "image": Usual(PICTURES),
    "kind": Usual(("kind",)),
    "shot": Usual(("shot",)),
    "word": Usual(("word",)),
    "ended": Usual(("ended", "finish_reason", "stop_reason")),
    "refusal": Usual(("refusal",)),
    "thoughts": Usual(("thoughts", "reasoning", "reasoning_content", "thinking")),
    "tokens": Usual(("tokens",)),
    "category": Usual(("category", "harm_category", "harmful_category", "hazard_category", "semantic_category")),
    "error": Usual(("error",)),
}


class Names(dict[str, str]):
    """The file's column for each of ours that it has.

    Attributes:
        stated: those of ours that the user or the format names; the others are guessed.
    """

    def __init__(self, found: Mapping[str, str], stated: Collection[str]) -> None:
        super().__init__(found)
        self.stated = frozenset(stated)

    def __str__(self) -> str:
        return ", ".join(f"{ours} = {shown(theirs)}" for ours, theirs in self.items())


def find_columns(
    first: Sequence[Row],
    columns: Mapping[str, str],
    preset: Mapping[str, str] | None = None,
    guessed: Collection[str] = tuple(COLUMNS),
) -> Names:
    """Return the columns of a table.

    Args:
        first: the first rows; they determine which columns there are.
        columns: the file's column for some of ours, as the user names them; "-" leaves one of ours out.
        preset: the same as the format has them; the user's take precedence.
        guessed: those of ours that may be found by their usual names.

    Raises:
        UserError: a column is unknown or missing, or two columns may be the same one of ours.
    """
    present = dict.fromkeys(name for row in first for name in row.fields)
    source = first[0].source
    check_columns(columns, COLUMNS, first, LEFT_OUT)
    filled = {name for row in first for name, value in row.fields.items() if not is_empty(value)}
    stated = {**(preset or {}), **columns}
    found = dict(stated)
    for ours in guessed:
        guess = None if ours in found else _guess(ours, present, filled, set(stated.values()), source)
        if guess is not None:
            found[ours] = guess
    kept = {ours: theirs for ours, theirs in found.items() if theirs != LEFT_OUT}
    ordered = {ours: kept[ours] for ours in COLUMNS if ours in kept}
    return Names(ordered, stated)


def _guess(
    ours: str, present: Collection[str], filled: Collection[str], taken: Collection[str], source: str
) -> str | None:
    """Return the file's column with a usual name; columns that the user names for something else do not count."""
    usual = COLUMNS[ours]
    for names in (usual.names, usual.others):
        fits = [name for known in names for name in present if name.casefold() == known and name not in taken]
        fits = [name for name in fits if name in filled] or fits
        if len(fits) > 1 and usual.single:
            raise UserError(
                f"{source}: columns {' and '.join(map(shown, fits))} may both be the "
                f"{'label' if ours == 'unsafe' else ours}; "
                f"name one: --columns {ours}={fits[0]}"
            )
        if fits:
            return fits[0]
    return None


def missing(ours: str, first: Sequence[Row], fix: str = "") -> UserError:
    """Return the error for a file without a column that must be there."""
    present = dict.fromkeys(name for row in first for name in row.fields)
    usual = ", ".join(COLUMNS[ours].names[:4])
    return UserError(
        f"{first[0].source}: no column for the {ours} ({usual}, ...) found; it has {listed(present)}; "
        f"name it: --columns {ours}=NAME{fix}"
    )
