"""MM-SafetyBench as its authors publish it: questions as JSON by scenario, pictures as files by scenario and kind.

`processed_questions/01-Illegal_Activitiy.json` is `{"0": {"Rephrased Question(SD)": ..., "Rephrased Question": ...}}`,
and the picture of question 0 is `imgs/01-Illegal_Activitiy/SD/0.jpg`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.containers import text_file
from unmirage.data.images import ImageFolder
from unmirage.data.metered import Progress
from unmirage.data.mm_safetybench import SCENARIOS
from unmirage.data.rows import Row
from unmirage.data.source import Bad
from unmirage.errors import UserError

_QUESTIONS = "processed_questions"
# Which question goes with which pictures: the made ones alone are asked about as what they show.
_FIELDS = {"SD": "Rephrased Question(SD)", "SD_TYPO": "Rephrased Question", "TYPO": "Rephrased Question"}


@dataclass(frozen=True)
class OfficialScenario:
    """One scenario with one kind of picture, read as rows of the form that the hub has: `{id, question, image}`.

    Attributes:
        path: the file of questions.
        kind: of the pictures.
        root: the folder of the pictures.
    """

    path: Path
    kind: str
    root: Path

    container: ClassVar[str] = "json"

    def rows(self, bad: Bad, progress: Progress | None = None) -> Generator[Row, None, None]:
        """Yield the questions."""
        field = _FIELDS[self.kind]
        with closing(text_file(self.path, "json").rows(bad, progress)) as rows:
            for row in rows:
                name = row.identity()
                yield row._replace(fields={"id": name, "question": row.text(field), "image": f"{name}.jpg"})

    def pictures(self, root: Path) -> ImageFolder:  # noqa: ARG002
        """Return the pictures of the scenario and kind; these lie in no other place."""
        return ImageFolder(self.root)


def inner(folder: Path) -> Path:
    """Return the folder `data` in this one, where both forms may lie, or this one."""
    return folder / "data" if (folder / "data").is_dir() else folder


def authors_folder(folder: Path) -> Path | None:
    """Return the folder that holds the authors' questions: this one or the one in it; None where there is none."""
    return inner(folder) if (inner(folder) / _QUESTIONS).is_dir() else None


def official_scenarios(folder: Path, kinds: Sequence[str], images: Path) -> Iterator[tuple[str, str, OfficialScenario]]:
    """Yield the scenarios that are there with each of the kinds.

    Args:
        folder: as `authors_folder` found it.
        kinds: of pictures.
        images: the folder that the authors call `imgs`.

    Raises:
        UserError: no scenario is there, or questions without pictures are wanted: the files hold several wordings and
            do not say which of them is to stand alone.
    """
    if not _FIELDS.keys() >= set(kinds):
        raise UserError(
            f"{folder / _QUESTIONS}: does not say what to ask without pictures; "
            f"valid: the kinds {', '.join(_FIELDS)} alone, or the data as the hub has it"
        )
    named = {f"{number:02d}-{scenario}": scenario for number, scenario in enumerate(SCENARIOS, 1)}
    there = [name for name in named if (folder / _QUESTIONS / f"{name}.json").is_file()]
    if not there:
        raise UserError(f"{folder / _QUESTIONS}: has no file of a scenario; valid: {', '.join(named)}, each .json")
    for name in there:
        for kind in kinds:
            yield named[name], kind, OfficialScenario(folder / _QUESTIONS / f"{name}.json", kind, images / name / kind)
