"""VQAv2 as its authors publish it: questions in one file, people's answers in another, pictures named by number.

`*_questions.json` is `{data_subtype: "val2014", questions: [{question_id, image_id, question}], ...}`, and
`*_annotations.json` `{annotations: [{question_id, answer_type, answers: [{answer, ...}], ...}], ...}`. The picture of
image 42 is `COCO_val2014_000000000042.jpg`, in a folder `val2014`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from unmirage.data.images import ImageFolder
from unmirage.data.metered import Progress
from unmirage.data.rows import Row, shown
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.json_files import read_object

_QUESTIONS = "*_questions.json"
_ANNOTATIONS = "*_annotations.json"


@dataclass(frozen=True)
class OfficialVqa:
    """The two files of one split, read as rows of the form that the hub has: a question, its answers, its picture.

    Attributes:
        questions: the file of questions.
        annotations: the file of answers.
    """

    questions: Path
    annotations: Path

    container: ClassVar[str] = "json"

    @property
    def path(self) -> Path:
        """The file of questions."""
        return self.questions

    @property
    def root(self) -> Path:
        """The folder of the files."""
        return self.questions.parent

    def rows(self, bad: Bad, progress: Progress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
        """Yield the questions with their answers; one that nobody answered is a row without."""
        document = read_object(self.questions)
        annotated = _listed(read_object(self.annotations), "annotations", self.annotations)
        answers = {_number(row): row.fields for row in annotated}
        for row in _listed(document, "questions", self.questions):
            own = answers.get(_number(row), {})
            image = _picture(row, document.get("data_subtype"))
            yield row._replace(fields={**row.fields, **own, "image": image})

    def pictures(self, root: Path) -> ImageFolder:
        """Return the pictures below `root`."""
        return ImageFolder(root)


def official_files(folder: Path) -> OfficialVqa | None:
    """Return the two files in a folder; None where it has no file of questions.

    Raises:
        UserError: the folder has several, or one without the answers to it.
    """
    questions, annotations = sorted(folder.glob(_QUESTIONS)), sorted(folder.glob(_ANNOTATIONS))
    if not questions:
        return None
    if len(questions) != 1 or len(annotations) != 1:
        raise UserError(
            f"{folder}: has {len(questions)} files {_QUESTIONS} and {len(annotations)} {_ANNOTATIONS}; "
            "valid: one of each, of the same split"
        )
    return OfficialVqa(questions[0], annotations[0])


def _listed(document: dict[str, Any], field: str, path: Path) -> Generator[Row, None, None]:
    values = document.get(field)
    if not isinstance(values, list):
        raise UserError(f"{path}: field '{field}' is {shown(values)}; valid: a list, as VQAv2's file has it")
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise UserError(f"{path}: {field}[{number - 1}] is {shown(value)}; valid: an object")
        yield Row(value, number, str(path), "record", number)


def _number(row: Row) -> str:
    number = row.optional_name("question_id")
    if number is None:
        raise row.error("field 'question_id' is missing; valid: a number, by which the answers are found")
    return number


def _picture(row: Row, split: object) -> str:
    number = row.fields.get("image_id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise row.error(f"field 'image_id' is {shown(number)}; valid: the number of a picture of COCO")
    if not isinstance(split, str) or not split.isalnum():
        raise UserError(f"{row.source}: field 'data_subtype' is {shown(split)}; valid: the split, such as 'val2014'")
    return f"COCO_{split}_{number:012d}.jpg"
