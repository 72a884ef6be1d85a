"""Read the data files of `unmirage align`, compare them, and identify them and the model by hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unmirage.cli.model_target import identity
from unmirage.cli.options import parse_columns
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.align import AlignData
    from unmirage.cli.overlaps import Compared
    from unmirage.models import HuggingFaceVLM


FORGET, RETAIN, TRAIN = "forget", "retain", "train"


def read_data(
    retain: Sequence[Path], forget: Sequence[Path], format: str, columns: str, images: Path | None
) -> AlignData:
    """Return the samples of all files; their pictures must lie in one folder.

    Raises:
        UserError: no file is named, or their pictures lie in different folders.
    """
    from unmirage.align import AlignData
    from unmirage.data import ImageFolder, load_samples
    from unmirage.data.ids import with_unique_ids

    if not retain and not forget:
        raise UserError("no data: name what to keep with --retain FILE, what to forget with --forget FILE, or both")
    sets = {
        file: load_samples(file, format, columns=parse_columns(columns), images=images) for file in (*retain, *forget)
    }
    roots = {one.image_root.resolve() for one in sets.values()}
    if len(roots) > 1:
        raise UserError("the data files lie in different folders; name the folder of all pictures with --images")
    return AlignData(
        retain=with_unique_ids(sample for file in retain for sample in sets[file]),
        forget=with_unique_ids(sample for file in forget for sample in sets[file]),
        images=ImageFolder(roots.pop()),
    )


def compare_data(data: AlignData, tests: Sequence[Path], format: str, columns: str, images: Path | None) -> Compared:
    """Return what the training data has in common with itself (forget and retain set) and with each test file.

    Args:
        data: the training data.
        tests: files that the model is going to be tested on.
        format, columns: of the test files.
        images: folder of their pictures; None for where each file has them.

    Raises:
        UserError: a test file cannot be read.
    """
    from unmirage.cli.overlaps import Compared
    from unmirage.data import open_samples

    lists = {FORGET: (data.forget, data.images), RETAIN if data.forget else TRAIN: (data.retain, data.images)}
    for path in tests:
        file = open_samples(path, format, columns=parse_columns(columns), images=images)
        lists[str(path)] = (list(file), file.pictures)
    return Compared.of(lists)


def made_of(model: str, vlm: HuggingFaceVLM, files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what identifies the model and the data: hashes by file name, or a hub's commit."""
    from unmirage.run.fingerprint import sha256_of

    return {
        "model": identity(model, vlm),
        "data": {str(file): sha256_of(file) for file in files},
    }
