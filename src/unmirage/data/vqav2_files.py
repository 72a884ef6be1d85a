"""VQAv2 as its authors publish it: questions in one file, people's answers in another, pictures named by number.

`*_questions.json` is `{data_subtype: "val2014", questions: [{question_id, image_id, question}], ...}`, and
`*_annotations.json` `{annotations: [{question_id, answer_type, answers: [{answer, ...}], ...}], ...}`. The picture of
image 42 is `COCO_val2014_000000000042.jpg`, in a folder `val2014`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.images import ImageFolder, folder_in
from unmirage.data.metered import Progress
from unmirage.data.rows import Row, rows_in, shown
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.json_files import read_object

_QUESTIONS = "_questions.json"
_ANNOTATIONS = "_annotations.json"


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
        """The folder of the split's pictures where it lies beside the files, else that of the files."""
        return folder_in(self.questions.parent, _split(self.questions))

    def rows(self, bad: Bad, progress: Progress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
        """Yield the questions with their answers; one that nobody answered is a row without."""
        document = read_object(self.questions)
        annotated = rows_in(read_object(self.annotations), "annotations", str(self.annotations))
        answers = {_number(row): row.fields for row in annotated}
        for row in rows_in(document, "questions", str(self.questions)):
            own = answers.get(_number(row), {})
            image = _picture(row, document.get("data_subtype"))
            yield row._replace(fields={**row.fields, **own, "image": image})

    def pictures(self, root: Path) -> ImageFolder:
        """Return the pictures below `root`."""
        return ImageFolder(root)


def official_files(path: Path) -> OfficialVqa | None:
    """Return the two files of a split; None where there is no file of questions.

    Args:
        path: the file of questions, or a folder with one split in it.

    Raises:
        UserError: the folder has several splits, or there are no answers to the questions.
    """
    named = path.name.endswith(_QUESTIONS) and path.is_file()
    folder, split = (path.parent, _split(path)) if named else (path, "")
    questions = [path] if named else sorted(folder.glob(f"*{_QUESTIONS}"))
    annotations = sorted(folder.glob(f"*{split}{_ANNOTATIONS}"))
    if not questions:
        return None
    if len(questions) != 1 or len(annotations) != 1:
        raise UserError(
            f"{folder}: has {len(questions)} files *{split}{_QUESTIONS} and {len(annotations)} *{split}{_ANNOTATIONS}; "
            "valid: one of each, or the name of a file of questions with that of its split beside it"
        )
    return OfficialVqa(questions[0], annotations[0])


def _split(questions: Path) -> str:
    """Return "val2014" of "v2_OpenEnded_mscoco_val2014_questions.json"; its answers' file ends in that name as well."""
    return questions.name.removesuffix(_QUESTIONS).rpartition("_")[2]


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
