"""Read alignment data, compare it with test data, train a model, and save it with a record of what made it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError
from unmirage.workflows.models import identity_of
from unmirage.workflows.overlaps import Compared

if TYPE_CHECKING:
    from unmirage.align import AlignConfig, AlignData, AlignResult
    from unmirage.models import HuggingFaceVLM

log = logging.getLogger(__name__)
FORGET, RETAIN, TRAIN = "forget", "retain", "train"
Progress = Callable[[str, int, int], None]


def read_data(
    retain: Sequence[Path], forget: Sequence[Path], format: str, columns: Mapping[str, str], images: Path | None
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
    sets = {file: load_samples(file, format, columns=columns, images=images) for file in (*retain, *forget)}
    roots = {one.image_root.resolve() for one in sets.values()}
    if len(roots) > 1:
        raise UserError("the data files lie in different folders; name the folder of all pictures with --images")
    return AlignData(
        retain=with_unique_ids(sample for file in retain for sample in sets[file]),
        forget=with_unique_ids(sample for file in forget for sample in sets[file]),
        images=ImageFolder(roots.pop()),
    )


def compare_data(
    data: AlignData, tests: Sequence[Path], format: str, columns: Mapping[str, str], images: Path | None
) -> Compared:
    """Return what the training data has in common with itself (forget and retain set) and with each test file.

    Args:
        data: the training data.
        tests: files that the model is going to be tested on.
        format, columns: of the test files.
        images: folder of their pictures; None for where each file has them.

    Raises:
        UserError: a test file cannot be read.
    """
    from unmirage.data import open_samples

    lists = {FORGET: (data.forget, data.images), RETAIN if data.forget else TRAIN: (data.retain, data.images)}
    for path in tests:
        file = open_samples(path, format, columns=columns, images=images)
        lists[str(path)] = (list(file), file.pictures)
    return Compared.of(lists)


def made_of(vlm: HuggingFaceVLM, files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what identifies the model and the data: hashes by file name, or a hub's commit."""
    from unmirage.run.fingerprint import sha256_of

    return {
        "model": identity_of(vlm),
        "data": {str(file): sha256_of(file) for file in files},
    }


@dataclass(frozen=True, slots=True)
class Aligned:
    """A finished training.

    Attributes:
        out: the new model directory.
        result: what the training did.
        compared: what training and test data have in common; None on processes that do not write.
    """

    out: Path
    result: AlignResult
    compared: Compared | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values of schema `unmirage.align/1`."""
        assert self.compared is not None
        return {
            "schema": "unmirage.align/1",
            "model": str(self.out),
            "steps": self.result.steps,
            "seconds": self.result.seconds,
            "stopped": self.result.stopped,
            "loss": self.result.parts,
            "overlap": self.compared.to_json(),
        }


def train_and_save(
    model: str,
    data: AlignData,
    files: Sequence[Path],
    config: AlignConfig,
    out: Path,
    *,
    compare: Callable[[], Compared],
    work: Path | None = None,
    adapter_only: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Aligned:
    """Train the model that `model` names, and write it to `out` with its card and the record of its training data.

    An interrupted training is continued from its work directory. Under `accelerate launch` all processes call this
    alike, and the main one writes.

    Args:
        model: model directory, adapter directory or hub id.
        data: forget and retain samples.
        files: that the samples are from.
        config: all settings.
        out: the new model directory.
        compare: returns what training and test data have in common; called on the main process alone.
        work: directory for caches, checkpoints and log; None for `out` with ".work" at its end.
        adapter_only: write the adapter in place of the whole model.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository.
        progress: called after each step.
    """
    from unmirage.align import align
    from unmirage.align.card import model_card
    from unmirage.align.processes import is_main_process, processes
    from unmirage.align.work import Work
    from unmirage.models import HuggingFaceVLM
    from unmirage.run.model import save_model

    processes()  # before the model is loaded: each process has a device of its own
    vlm = HuggingFaceVLM.load(model, out.name, revision=revision, trust_remote_code=trust_remote_code)
    parts = made_of(vlm, files)
    compared = compare() if is_main_process() else None
    for line in compared.lines() if compared else ():
        log.info(line)
    folder = work or out.with_name(f"{out.name}.work")

    def told(stage: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{stage} {out.name}", done, total)

    with _claimed(folder, {"model": parts["model"], "data": parts["data"], **config.model_dump(mode="json")}):
        result = align(vlm, data, config, told, folder)
        for name in result.ignored:
            log.warning("%s: checkpoint '%s' was not written to its end, and is ignored", folder, name)
        if result.writes:
            assert compared is not None  # the process that writes is the main one
            save_model(
                out,
                vlm,
                config.model_dump(mode="json"),
                result.state,
                adapter=result.adapter,
                adapter_only=adapter_only,
                base=model,
                card=model_card(out.name, model, config, result, parts),
                training=compared.training_record((FORGET, RETAIN, TRAIN), model),
            )
            Work(folder, config.keep_last).checkpoints.clear()
    return Aligned(out, result, compared)


@contextmanager
def _claimed(folder: Path, identity: dict[str, Any]) -> Iterator[None]:
    """Hold the work directory, on the main process alone; its settings must be those that it was made with."""
    from unmirage.align.processes import is_main_process
    from unmirage.run import open_run

    if not is_main_process():
        yield
        return
    with open_run(folder, identity):
        yield
