"""The work of the study's processes: train a model, ask it a run's queries, and collect answers to forget."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.guards import DivergenceError
from unmirage.data.images import Pictures
from unmirage.data.overlap import fingerprints_of
from unmirage.data.sample_file import SampleFile
from unmirage.data.training_record import TrainingRecord
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.pretrained.asking import WHOLE, Part, ask_once
from unmirage.run.files import write_json_atomic
from unmirage.run.fingerprint import folder_fingerprint
from unmirage.run.model import save_model
from unmirage.run.progress import Progress, in_stage
from unmirage.run.store import Store
from unmirage.workflows.prepare import PrepareRequest, check_sets, plan_prepare, run_prepare

_ENDS = 8  # steps to average for the losses at the start and at the end


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a stage: wall time, and CPU time of the process."""

    seconds: float
    cpu: float

    @classmethod
    def since(cls, wall: float, cpu: float) -> Spent:
        """Return the time since two readings of the clocks."""
        return cls(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class Train:
    """Train a model from the base, and write it; its record has whether it diverged.

    Attributes:
        name: name of the model.
        base, out: directories of the base model and of the new model.
        record: file of the training's record.
    """

    name: str
    base: Path
    out: Path
    record: Path
    config: AlignConfig
    data: AlignData
    notes: tuple[str, ...] = ()

    def __call__(self, progress: Progress) -> Spent:
        """Train."""
        wall, cpu = time.perf_counter(), time.process_time()
        vlm = HuggingFaceVLM.load(self.base, self.name)
        told: dict[str, Any] = {"rows": len(self.data.retain), "forget_rows": len(self.data.forget)}
        told["refused"] = sum(bool(one.refused) for one in self.data.retain)
        told |= {"notes": list(self.notes), "stopped": "", "steps": 0, "losses": {}}
        try:
            result = align(vlm, self.data, self.config, progress)
        except DivergenceError as error:
            told |= {"stopped": str(error), "steps": error.step}
        else:
            ends = (result.parts[:_ENDS], result.parts[-_ENDS:])
            losses = {part: [fmean(step[part] for step in end) for end in ends] for part in result.parts[0]}
            told |= {"steps": result.steps, "losses": losses}
        spent = Spent.since(wall, cpu)
        told |= {"seconds": round(spent.seconds, 1), "cpu_seconds": round(spent.cpu, 1)}
        self.record.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(self.record, told)
        if not told["stopped"]:
            prints = fingerprints_of((*self.data.forget, *self.data.retain), self.data.images)
            settings = self.config.model_dump(mode="json")
            save_model(self.out, vlm, settings, result.state, training=TrainingRecord.of([prints]))
        return spent


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a model the queries of a run that it has not answered.

    Attributes:
        name: name of the model.
        model: directory of the model.
        store: store of the run, which has the queries.
        expected: number of queries, for the estimate of the time.
        known: stores of other runs of this model, with their pictures.
        part: which of the queries to ask.
    """

    name: str
    model: Path
    store: Path
    pictures: Pictures
    generation: GenerationConfig
    expected: int
    known: Sequence[tuple[Path, Pictures]] = ()
    part: Part = WHOLE

    def __call__(self, progress: Progress) -> Spent:
        """Ask; a model that diverged has no directory, and is not asked."""
        wall, cpu = time.perf_counter(), time.process_time()
        if self.model.is_dir():
            vlm = HuggingFaceVLM.load(self.model, self.name)
            with Store(self.store) as store:
                store.add_model(self.name, folder_fingerprint(self.model))
                step = in_stage(progress, "ask")
                ask_once(vlm, store, self.pictures, self.generation, step, self.known, self.part)
        return Spent.since(wall, cpu)


@dataclass(frozen=True, slots=True)
class CollectForget:
    """Let the base model answer unsafe training queries, and write the forget and retain sets of `unmirage prepare`.

    Attributes:
        base: directory of the base model.
        data: the training queries to use.
        out: folder of the sets.
        queries: number of unsafe queries, for the estimate of the time.
    """

    base: Path
    data: SampleFile
    out: Path
    settings: Mapping[str, Any]
    queries: int

    def __call__(self, progress: Progress) -> Spent:
        """Collect the answers; those of an interrupted process are kept."""
        wall, cpu = time.perf_counter(), time.process_time()
        request = PrepareRequest(
            data=self.data,
            general=None,
            answers_from=[str(self.base)],
            judge="phrases",
            config={},
            generation=dict(self.settings),
            endpoint={},
            cache=None,
        )
        check_sets(run_prepare(plan_prepare(request), self.out, progress))
        return Spent.since(wall, cpu)


def forget_data(folder: Path) -> AlignData:
    """Return the forget and retain sets in a folder of `CollectForget`."""
    from unmirage.workflows.align import AlignFiles

    return AlignFiles(retain=[folder / "retain.jsonl"], forget=[folder / "forget.jsonl"]).read()


@dataclass(frozen=True, slots=True)
class Unlearn:
    """Train a model on the sets of `CollectForget`, which are read when they exist."""

    train: Train
    sets: Path

    def __call__(self, progress: Progress) -> Spent:
        """Train."""
        return replace(self.train, data=forget_data(self.sets))(progress)
