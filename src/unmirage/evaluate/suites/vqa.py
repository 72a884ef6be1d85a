"""Open questions about images with ten human answers each: VQAv2, TextVQA and VizWiz.

A row is `{question_id?, image_id?, question, image, answers}`, as on the hub. The answers are strings or objects
`{answer, ...}`. Prompts end like those that LLaVA-1.5 was trained and evaluated with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.images import ImageFolder, folder_in
from unmirage.data.rows import Row, rows_in, shown, without_placeholder
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Find, Item, Published, Suite
from unmirage.evaluate.suites.reading import ItemsOf, from_one_file
from unmirage.records import Sample
from unmirage.run.files import read_object
from unmirage.run.progress import StepProgress

_VQAV2_QUESTIONS = "_questions.json"
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

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
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


def official_vqav2(path: Path) -> OfficialVqa | None:
    """Return the two files of a split; None where there is no file of questions.

    Args:
        path: the file of questions, or a folder with one split in it.

    Raises:
        UserError: the folder has several splits, or there are no answers to the questions.
    """
    named = path.name.endswith(_VQAV2_QUESTIONS) and path.is_file()
    folder, split = (path.parent, _split(path)) if named else (path, "")
    questions = [path] if named else sorted(folder.glob(f"*{_VQAV2_QUESTIONS}"))
    annotations = sorted(folder.glob(f"*{split}{_ANNOTATIONS}"))
    if not questions:
        return None
    if len(questions) != 1 or len(annotations) != 1:
        raise UserError(
            f"{folder}: has {len(questions)} files *{split}{_VQAV2_QUESTIONS} and {len(annotations)} "
            f"*{split}{_ANNOTATIONS}; "
            "valid: one of each, or the name of a file of questions with that of its split beside it"
        )
    return OfficialVqa(questions[0], annotations[0])


def _split(questions: Path) -> str:
    """Return "val2014" of "v2_OpenEnded_mscoco_val2014_questions.json"; its answers' file ends in that name as well."""
    return questions.name.removesuffix(_VQAV2_QUESTIONS).rpartition("_")[2]


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


_TEXTVQA_QUESTIONS = "TextVQA_[0-9]*_{split}.json"
_OCR = "TextVQA_Rosetta_OCR_*_{split}.json"
# The test set has no answers to score by.
_SPLITS = ("val", "train")


@dataclass(frozen=True)
class OfficialTextVqa:
    """The questions of one split, as rows of the form that the hub has: a question, its answers, its picture.

    Attributes:
        path: the file of questions.
        ocr: file of the OCR tokens; None if it is not in the folder of `path`. Rows then have no OCR tokens.
    """

    path: Path
    ocr: Path | None

    container: ClassVar[str] = "json"

    @property
    def root(self) -> Path:
        """The folder of the pictures where it lies beside the file, else that of the file."""
        return folder_in(self.path.parent, "train_images")

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
        """Yield the questions, with what OCR read in the picture where that is known."""
        read = {}
        if self.ocr is not None:
            found = rows_in(read_object(self.ocr), "data", str(self.ocr))
            read = {row.text("image_id"): {"ocr_tokens": row.fields.get("ocr_tokens")} for row in found}
        for row in rows_in(read_object(self.path), "data", str(self.path)):
            name = row.text("image_id")
            yield row._replace(fields={**row.fields, **read.get(name, {}), "image": f"{name}.jpg"})

    def pictures(self, root: Path) -> ImageFolder:
        """Return the pictures below `root`."""
        return ImageFolder(root)


def official_textvqa(path: Path) -> OfficialTextVqa | None:
    """Return the questions and what OCR read; None where there is no file of questions.

    Args:
        path: the file of questions, or a folder with it, of which the validation split is taken.

    Raises:
        UserError: the folder has several versions of a split.
    """
    for split in _SPLITS:
        pattern = _TEXTVQA_QUESTIONS.format(split=split)
        found = _one(path, pattern) if path.is_dir() else path if path.match(pattern) else None
        if found is not None:
            return OfficialTextVqa(found, _one(found.parent, _OCR.format(split=split)))
    return None


def _one(folder: Path, pattern: str) -> Path | None:
    found = sorted(folder.glob(pattern))
    if len(found) > 1:
        raise UserError(f"{folder}: has {len(found)} files {pattern}; valid: one of them")
    return found[0] if found else None


SHORT = "Answer the question using a single word or phrase."
UNSURE = "When the provided information is insufficient, respond with 'Unanswerable'."
_PEOPLE = 10

Prompt = Callable[[Row, str], str]  # (record, question) -> prompt


def _items_of(prompt: Prompt) -> ItemsOf:
    def items_of(row: Row) -> list[Item]:
        question = without_placeholder(row.text("question"))
        answers = _answers(row)
        identity = row.optional_name("question_id") or row.identity()
        image, picture = row.image(), row.optional_name("image_id")
        sample = Sample(
            id=identity,
            record=picture or image or identity,
            query=question,
            answer=Counter(answers).most_common(1)[0][0],
            image=image,
            refused=False,
            label_source="field",
            category=row.category("answer_type", "category"),
            group=picture,  # rows of a Parquet file do not share images, so the image id identifies the group
        )
        return [Item(sample=sample, prompt=prompt(row, question), answers=answers)]

    return items_of


def _answers(row: Row) -> tuple[str, ...]:
    """Return the human answers; raise `UserError` for a split without answers, such as a test split."""
    values = row.fields.get("answers")
    if not isinstance(values, list) or len(values) != _PEOPLE:
        found = f"{len(values)} answers" if isinstance(values, list) else shown(values)
        raise row.error(f"field 'answers' is {found}; valid: a list of {_PEOPLE} answers, as a validation split has")
    return tuple(_answer(row, index, value) for index, value in enumerate(values))


def _answer(row: Row, index: int, value: object) -> str:
    text = value.get("answer") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise row.error(
            f"field 'answers[{index}]' is {shown(value)}; valid: a string, or an object with a string in 'answer'"
        )
    return text


def _short(row: Row, question: str) -> str:  # noqa: ARG001
    return f"{question}\n{SHORT}"


def _or_unanswerable(row: Row, question: str) -> str:  # noqa: ARG001
    return f"{question}\n{UNSURE}\n{SHORT}"


def _with_ocr(row: Row, question: str) -> str:
    tokens = row.fields.get("ocr_tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise row.error(f"field 'ocr_tokens' is {shown(tokens)}; valid: a list of strings, or the suite 'textvqa'")
    return f"{question}\nReference OCR token: {', '.join(tokens)}\n{SHORT}"


def _suite(name: str, about: str, hub: str, find: Find, total: int, split: str = "validation") -> Suite:
    return Suite(
        name=name,
        purpose="utility",
        about=about,
        hub=hub,
        default=f"hf:{hub}@{split}",
        max_new_tokens=128,
        find=find,
        published=(Published(total=total),),
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "vqav2",
            "VQAv2: open questions about photographs",
            "lmms-lab-encoder/VQAv2",
            from_one_file(_items_of(_short), several=official_vqav2),
            214354,
        ),
        _suite(
            "textvqa",
            "TextVQA: questions about text in images (5,000)",
            "lmms-lab-encoder/textvqa",
            from_one_file(_items_of(_short), several=official_textvqa),
            5000,
        ),
        _suite(
            "textvqa-ocr",
            "TextVQA with OCR tokens in the prompt, as for LLaVA-1.5",
            "lmms-lab-encoder/textvqa",
            from_one_file(_items_of(_with_ocr), several=official_textvqa),
            5000,
        ),
        _suite(
            "vizwiz",
            "VizWiz: questions by blind people, some of them unanswerable",
            "lmms-lab-encoder/VizWiz-VQA",
            from_one_file(
                _items_of(_or_unanswerable),
                names=("val.json", "Annotations/val.json"),
                folders={"val": "val", "../val": "../val"},
            ),
            4319,
            "val",
        ),
    )
}
