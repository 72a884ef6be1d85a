"""Turn the arguments of commands and public functions into objects: data, models, runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.data.written import conversation_record
from unmirage.errors import UserError
from unmirage.records import Sample
from unmirage.run.progress import Progress

if TYPE_CHECKING:
    from unmirage.data import Pictures, SampleFile
    from unmirage.models import VLM, HuggingFaceVLM
    from unmirage.records import Query
    from unmirage.run import Run

log = logging.getLogger(__name__)
PathLike = str | Path
# Arguments of `open_samples` that functions with `**reading` accept.
READING = ("format", "columns", "images", "skip_bad", "label")


def opened(data: PathLike | SampleFile, reading: Mapping[str, Any], progress: Progress | None = None) -> SampleFile:
    """Return the samples of a file.

    Args:
        data: the file.
        reading: arguments of `open_samples`.
        progress: called while the file is read.

    Raises:
        UserError: arguments are given for a file that is already open.
    """
    from unmirage.data import SampleFile, open_samples

    if isinstance(data, SampleFile):
        if given := [name for name, value in reading.items() if value not in (None, "auto", False, {})]:
            raise UserError(f"{given[0]}: the data are already open; pass it to open_samples")
        return data
    if progress is None:
        return open_samples(data, **reading, check_labels=True)
    return open_samples(data, **reading, check_labels=True, progress=partial(progress, f"read {Path(data).name}"))


def log_reading(file: SampleFile) -> None:
    """Log what the last reading of a file skipped, left out or did not read, if anything."""
    if file.skipped.count:
        log.warning("%s: %d records were skipped", file.source, file.skipped.count)
    for note in notes_on(file):
        log.warning(note)


def notes_on(file: SampleFile) -> list[str]:
    """Return what the last reading of a file left out for want of a label, or did not read, one line each."""
    notes = []
    if file.without_label.count:
        left_out = counted(file.without_label.count, "sample")
        notes.append(f"{file.source}: {left_out} without a label left out; the first: {file.without_label.examples[0]}")
    notes += [
        f"{file.source}: field {name} of {counted(count, 'record')} is not read" for name, count in file.unread.items()
    ]
    return notes


def counted(number: int, thing: str) -> str:
    """Return "1 record" or "2,000 records"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def check_pictures(queries: Sequence[Query], pictures: Pictures, root: Path, fix: str = "Pass") -> None:
    """Raise `UserError` if no image of the queries exists, and log how many are missing if some are.

    Args:
        queries: the queries.
        pictures: their images.
        root: folder of the image files.
        fix: beginning of the sentence that tells what to do.
    """
    named = list(dict.fromkeys(query.image for query in queries if query.image is not None))
    missing = [name for name in named if not pictures.exists(name)]
    if not missing:
        return
    told = f"{len(missing):,} of {len(named):,} images are missing, such as {missing[0][:200]!r}"
    problem = f"{root}: {told}. {fix} their folder with --images."
    if len(missing) == len(named):
        raise UserError(problem)
    log.warning("%s", problem)


def conversations(samples: Iterable[Sample]) -> dict[str, str]:
    """Return the setting of a run that identifies earlier turns and placed pictures; empty if no sample has any.

    Older versions dropped them, so a run of theirs cannot be resumed with them.
    """
    told = [[sample.id, conversation_record(sample)] for sample in samples if sample.images or sample.context]
    return {"conversations": sha256(json.dumps(told).encode()).hexdigest()} if told else {}


def found_run(run: PathLike | Run) -> Run:
    """Return the run in a directory."""
    from unmirage.run import Run, existing_run

    return existing_run(run.path if isinstance(run, Run) else Path(run))


def folder_of(out: PathLike | Run) -> Path:
    """Return the directory of a run that may not exist yet."""
    from unmirage.run import Run

    return out.path if isinstance(out, Run) else Path(out)


def paths(given: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return one or several paths as a list."""
    return [Path(given)] if isinstance(given, str | Path) else [Path(one) for one in given]


def local_model(
    model: PathLike | HuggingFaceVLM, dtype: str = "auto", device: str = "auto"
) -> Callable[[], HuggingFaceVLM]:
    """Return a function that loads a model with local weights, or returns the given object.

    Raises:
        UserError: `dtype` or `device` is set for a model that is already loaded.
    """
    from unmirage.workflows.models import check_not_loaded, load_local

    if isinstance(model, str | Path):
        return lambda: load_local(str(model), None, dtype=dtype, device=device)
    check_not_loaded(dtype=dtype, device=device)
    return lambda: model


def silent(stage: str, done: int, total: int) -> None:
    """Report no progress."""


def source_of(model: PathLike | VLM) -> str:
    """Return the directory, hub id or server of a model, to load its weights again.

    Raises:
        UserError: the model was not loaded from any of them.
    """
    source = str(model) if isinstance(model, str | Path) else getattr(model, "source", "")
    if not source:
        raise UserError("model: was not loaded from a directory, hub id or server, so it cannot be loaded again")
    return source
