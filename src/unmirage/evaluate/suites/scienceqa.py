"""ScienceQA (Lu et al. 2022): multiple-choice questions from school books, limited to questions with an image.

A row is `{image, question, choices, answer, hint}`, where `answer` is the index of the correct choice, starting at 0.
The prompt lists the choices as lmms-eval does for LLaVA.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import ClassVar

from unmirage.data.containers import text_file
from unmirage.data.images import ImageFolder, folder_in
from unmirage.data.rows import Row, shown, without_placeholder
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Item, Published, Suite
from unmirage.evaluate.suites.reading import from_one_file
from unmirage.records import Sample
from unmirage.run.progress import StepProgress

_PROBLEMS = "problems.json"
_SPLIT = "test"


@dataclass(frozen=True)
class OfficialScienceQa:
    """The problems of the test set that have a picture, as rows of the form that the hub has.

    Attributes:
        path: the file of problems.
    """

    path: Path

    container: ClassVar[str] = "json"

    @property
    def root(self) -> Path:
        """The folder of the pictures where it lies beside the file, else that of the file."""
        return folder_in(self.path.parent, "images")

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:
        """Yield the problems; an error if there is none."""
        found = False
        with closing(text_file(self.path, "json").rows(bad, progress)) as rows:
            for row in rows:
                picture = row.optional_text("image")
                if row.text("split") == _SPLIT and picture is not None:
                    found = True
                    name = row.identity()
                    path = f"{_SPLIT}/{name}/{picture}"
                    yield row._replace(fields={**row.fields, "question_id": name, "image": path})
        if not found:
            raise UserError(
                f"{self.path}: has no problem of the test set with a picture; "
                f"valid: some with 'split' \"{_SPLIT}\" and a file's name in 'image'"
            )

    def pictures(self, root: Path) -> ImageFolder:
        """Return the pictures below `root`, the folder that holds one for each split."""
        return ImageFolder(root)


def official_files(path: Path) -> OfficialScienceQa | None:
    """Return the problems in a folder, or in the file of that name; None where there is none."""
    file = path / _PROBLEMS if path.is_dir() else path
    return OfficialScienceQa(file) if file.name == _PROBLEMS and file.is_file() else None


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
        published=(Published(total=2017),),
    )
}
