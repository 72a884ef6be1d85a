"""TextVQA as its authors publish it: questions with their answers in one file, what OCR read in another.

`TextVQA_0.5.1_val.json` is `{data: [{question_id, image_id, question, answers: [text, ...], ...}], ...}`, and
`TextVQA_Rosetta_OCR_v0.2_val.json` `{data: [{image_id, ocr_tokens: [text, ...], ...}], ...}`. The picture of image
"0a1b" is `0a1b.jpg`, of both splits in a folder `train_images`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.images import ImageFolder, folder_in
from unmirage.data.metered import Progress
from unmirage.data.rows import Row, rows_in
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.json_files import read_object

_QUESTIONS = "TextVQA_[0-9]*_{split}.json"
_OCR = "TextVQA_Rosetta_OCR_*_{split}.json"
# The test set has no answers to score by.
_SPLITS = ("val", "train")


@dataclass(frozen=True)
class OfficialTextVqa:
    """The questions of one split, as rows of the form that the hub has: a question, its answers, its picture.

    Attributes:
        path: the file of questions.
        ocr: the file of what OCR read; None where it is not beside it, and then no row has any.
    """

    path: Path
    ocr: Path | None

    container: ClassVar[str] = "json"

    @property
    def root(self) -> Path:
        """The folder of the pictures where it lies beside the file, else that of the file."""
        return folder_in(self.path.parent, "train_images")

    def rows(self, bad: Bad, progress: Progress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
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


def official_files(path: Path) -> OfficialTextVqa | None:
    """Return the questions and what OCR read; None where there is no file of questions.

    Args:
        path: the file of questions, or a folder with it, of which the validation split is taken.

    Raises:
        UserError: the folder has several versions of a split.
    """
    for split in _SPLITS:
        pattern = _QUESTIONS.format(split=split)
        found = _one(path, pattern) if path.is_dir() else path if path.match(pattern) else None
        if found is not None:
            return OfficialTextVqa(found, _one(found.parent, _OCR.format(split=split)))
    return None


def _one(folder: Path, pattern: str) -> Path | None:
    found = sorted(folder.glob(pattern))
    if len(found) > 1:
        raise UserError(f"{folder}: has {len(found)} files {pattern}; valid: one of them")
    return found[0] if found else None
