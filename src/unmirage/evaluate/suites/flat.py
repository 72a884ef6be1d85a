"""Read benchmarks with one record per question, given the names of their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmirage.data.hub import HUB
from unmirage.data.rows import Row, listed, without_placeholder
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Item
from unmirage.evaluate.suites.reading import Check, ItemsOf
from unmirage.records import Sample

Label = Callable[[Row], bool | str]  # whether a model should refuse the query, or why the query is not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Names of the fields of a benchmark.

    Attributes:
        query: the question.
        id: identifier of the record; its number in the file if it has none.
        images: fields that may name the image, at least one of which must; empty for a text-only benchmark.
        category: fields that may name the category.
        group: field whose equal values mark dependent questions; "" for none.
        needs: further fields of the benchmark that must be present, because other files have those above, too.
        file: name of the file with these fields, for error messages.
    """

    query: str
    id: str = "id"
    images: tuple[str, ...] = ("image",)
    category: tuple[str, ...] = ("category",)
    group: str = ""
    needs: tuple[str, ...] = ()
    file: str = ""


def flat(fields: Fields, refused: bool | Label) -> ItemsOf:
    """Return a function that reads the question of a record.

    Args:
        fields: names of the record's fields.
        refused: label of all questions, or a function that returns the label of a record.
    """

    def items_of(row: Row) -> list[Item]:
        for name in (fields.query, *fields.needs):
            if name not in row.fields:
                valid = f"; valid: {fields.file}" if fields.file else ""
                raise row.error(f"field '{name}' is missing{valid}; the record has {listed(row.fields)}")
        record = row.optional_name(fields.id) or row.identity()
        label = refused if isinstance(refused, bool) else refused(row)
        sample = Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text(fields.query)),
            image=_image(row, fields.images) if fields.images else None,
            refused=bool(label),
            label_source="field",
            category=row.category(*fields.category),
            group=row.group(fields.group) if fields.group else None,
        )
        return [Item(sample=sample, left_out=label if isinstance(label, str) else "")]

    return items_of


def _image(row: Row, names: Sequence[str]) -> str:
    """Return the image that the first of these fields names; raise `UserError` if none does."""
    for name in names:
        image = row.image(name)
        if image is not None:
            return image
    raise row.error(f"field '{names[0]}' is missing or empty, but each question has an image")


def by_grade(field: str, *, safe: str, unsafe: str, undecided: Sequence[str]) -> Label:
    """Return a function that reads the label from a field with these values; undecided ones are not asked."""

    def label(row: Row) -> bool | str:
        grade = row.text(field).strip()
        if grade in undecided:
            return f"{field} {grade}"
        if grade not in (safe, unsafe):
            raise row.error(f"field '{field}' is {grade!r}; valid: {', '.join((safe, unsafe, *undecided))}")
        return grade == unsafe

    return label


def no_other(others: Mapping[str, str]) -> Check:
    """Return a check that refuses the files of other benchmarks with the same fields.

    Args:
        others: part of the name of such a file, its folder or configuration -> what to use instead.
    """

    def check(path: Path, items: Sequence[Item]) -> None:  # noqa: ARG001
        name = str(path) if str(path).startswith(HUB) else "/".join(path.parts[-2:])
        for part, instead in others.items():
            if part in name.casefold():
                raise UserError(f"{path}: these questions have another label; {instead}")

    return check
