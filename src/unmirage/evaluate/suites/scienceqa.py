"""ScienceQA (Lu et al. 2022): multiple-choice questions from school books, limited to questions with an image.

A row is `{image, question, choices, answer, hint}`, where `answer` is the index of the correct choice, starting at 0.
The prompt lists the choices as lmms-eval does for LLaVA.
"""

from __future__ import annotations

from string import ascii_uppercase

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row, shown
from unmirage.data.scienceqa_files import official_files
from unmirage.evaluate.suites.base import Item, Suite
from unmirage.evaluate.suites.reading import from_one_file
from unmirage.records import Sample

LETTER = "Answer with the option's letter from the given choices directly."
_MOST = len(ascii_uppercase)


def items_of(row: Row) -> list[Item]:
    """Return the question of a row."""
    question = without_placeholder(row.text("question"))
    choices = _choices(row)
    letter = ascii_uppercase[_right(row, len(choices))]
    record = row.optional_name("question_id") or row.identity()
    hint = row.optional_text("hint")
    listed = "\n".join(f"{name}. {choice}" for name, choice in zip(ascii_uppercase, choices, strict=False))
    context = f"Context: {hint}\n" if hint else ""
    sample = Sample(
        id=record,
        record=record,
        query=question,
        answer=letter,
        image=row.image(),
        refused=False,
        label_source="field",
        category=row.category("subject", "topic"),
    )
    prompt = f"{context}{question}\n{listed}\n{LETTER}"
    return [Item(sample=sample, prompt=prompt, answers=(letter,), choices=choices)]


def _choices(row: Row) -> tuple[str, ...]:
    values = row.fields.get("choices")
    if not isinstance(values, list) or not 2 <= len(values) <= _MOST or not all(isinstance(v, str) for v in values):
        raise row.error(f"field 'choices' is {shown(values)}; valid: a list of 2 to {_MOST} strings")
    return tuple(values)


def _right(row: Row, count: int) -> int:
    place = row.fields.get("answer")
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < count:
        raise row.error(f"field 'answer' is {shown(place)}; valid: the index of a choice, 0 to {count - 1}")
    return place


SUITES = {
    "scienceqa": Suite(
        name="scienceqa",
        purpose="utility",
        about="ScienceQA-IMG: multiple-choice questions about images in school books (2,017)",
        hub="lmms-lab-encoder/ScienceQA",
        default="hf:lmms-lab-encoder/ScienceQA:ScienceQA-IMG@test",
        max_new_tokens=128,
        find=from_one_file(items_of, several=official_files),
    )
}
