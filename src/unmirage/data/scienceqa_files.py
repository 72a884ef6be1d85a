"""ScienceQA as its authors publish it: all problems in one file, a picture's file below the problem's own folder.

`problems.json` is `{"1": {question, choices, answer, hint, image: "image.png" or null, split, subject, ...}}`; the
picture of problem 1 of the test set is `images/test/1/image.png`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.containers import text_file
from unmirage.data.images import ImageFolder, folder_in
from unmirage.data.metered import Progress
from unmirage.data.rows import Row
from unmirage.data.source import Bad
from unmirage.errors import UserError

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

    def rows(self, bad: Bad, progress: Progress | None = None) -> Generator[Row, None, None]:
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
