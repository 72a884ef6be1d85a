"""One seed of the study: audit, training sets, trainings, attacks and rates, resumable at every stage."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from unmirage.align import AlignConfig, AlignData
from unmirage.api import audit
from unmirage.data import open_samples
from unmirage.data.images import Pictures
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import write_samples
from unmirage.errors import UserError
from unmirage.evaluate import Results
from unmirage.models.base import GenerationConfig
from unmirage.pretrained.asking import WHOLE, Part
from unmirage.pretrained.inputs import Inputs, with_first_sentences
from unmirage.pretrained.sets import TrainingSet, TrainingSets
from unmirage.pretrained.settings import BASE, MODELS, PretrainedSettings
from unmirage.pretrained.tasks import Ask, CollectForget, Spent, Train, Unlearn
from unmirage.pretrained.wordings import OURS, Wordings, given_wordings, our_wordings
from unmirage.records import Sample
from unmirage.run import Run, open_run
from unmirage.run.files import new_folder, read_object, write_json_atomic, write_text_atomic
from unmirage.run.progress import Progress
from unmirage.workflows.evaluate import judge_and_rate
from unmirage.workflows.processes import Task

FORGET = "forget answers"
RATIONALES = "rationales.txt"
_HALVES = {", first half": Part(0, 2), ", second half": Part(1, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to study; see `unmirage.study_pretrained`.

    Attributes:
        base: directory of the base model.
        models: names of the models, in the order of `MODELS`.
        encoder: directory of a sentence encoder; None without.
        left_out: models that are not made, with the reasons.
    """

    base: Path
    inputs: Inputs
    settings: PretrainedSettings
    models: tuple[str, ...]
    limit: int | None
    encoder: Path | None
    left_out: Mapping[str, str] = field(default_factory=dict)


class SeedStudy:
    """The run directory of one seed.

    Attributes:
        left_out: models that are not made, such as those that the data do not allow, with the reasons.
        cut: how answers were cut, in one line.
    """

    def __init__(self, run: Run, request: Request, seed: int, first: Path | None) -> None:
        """Open a seed; `first` is the directory of another seed, whose responses of the base model are copied."""
        self.run = run
        self.seed = seed
        self.left_out = dict(request.left_out)
        self.cut = ""
        self.request = request
        self._first = first
        self._sets: dict[str, TrainingSet] = {}

    @cached_property
    def wordings(self) -> list[Wordings]:
        """The queries of each run. The training data are audited first, for the words of the attack."""
        request, file = self.request, self.run.path / "audit.json"
        if not file.is_file():
            audit(request.inputs.train).save(file)
        found = [our_wordings(request.inputs.test, file, request.encoder, request.limit, request.settings)]
        if request.inputs.queries:
            found.append(given_wordings(request.inputs.queries, request.inputs.test, request.limit, request.settings))
        return found

    def prepare(self, like: SeedStudy | None = None) -> None:
        """Store the queries of all runs, and make the training sets; `like` is another seed of the same study."""
        if like is not None:
            self.wordings = like.wordings
            shutil.copyfile(like.run.path / "audit.json", self.run.path / "audit.json")
        for one in self.wordings:
            with self.opened(one) as run, run.store() as store:
                store.add_samples(one.samples)
                store.add_queries(one.queries)
        phrases = self.run.path / RATIONALES
        if not phrases.is_file():
            write_text_atomic(phrases, "\n".join(self.request.settings.rationales) + "\n")
        self._make_sets()

    def tasks(self) -> list[Task]:
        """Return what is left to do: trainings, and the queries that models have not answered."""
        found: list[Task] = []
        models = self.models()
        if any(MODELS[name].method in ("npo", "rmu") and not self.is_done(name) for name in models):
            found += self._collect_forget()
        # The base model last: it needs no training, so it fills the time in which the last model trains.
        for name in sorted(models, key=lambda name: name == BASE):
            if not self.is_done(name):
                found += [*self._training(name), *self._asking(name)]
        return found

    def models(self) -> list[str]:
        """Return the names of the models, without those that the data do not allow."""
        return [name for name in self.request.models if name not in self.left_out]

    def record(self, name: str) -> dict[str, Any]:
        """Return the record of a model's training; empty if it has none."""
        file = self._record(name)
        return read_object(file) if file.is_file() else {}

    def is_done(self, name: str) -> bool:
        """Return whether a model has answered all queries, or its training diverged."""
        return bool(self.record(name).get("stopped")) or not any(self.unanswered(name).values())

    def unanswered(self, name: str) -> dict[str, int]:
        """Return the number of queries of each run that a model has not answered."""
        found = {}
        for one in self.wordings:
            with self.run_of(one.name).store() as store:
                found[one.name] = len(store.unanswered(name))
        return found

    def finished(self, task: str, spent: Spent, *, keep_models: bool) -> None:
        """Record the time of a task, and delete a model that has answered all queries."""
        file = self.run.path / "timings.json"
        before = read_object(file) if file.is_file() else {}
        old = before.get(task, {"seconds": 0.0, "cpu_seconds": 0.0})
        now = {"seconds": old["seconds"] + spent.seconds, "cpu_seconds": old["cpu_seconds"] + spent.cpu}
        write_json_atomic(file, before | {task: {key: round(value, 1) for key, value in now.items()}})
        name = task.split(" ")[1]
        if task.startswith("ask ") and not keep_models and name != BASE and self.is_done(name):
            shutil.rmtree(self.run.model(name), ignore_errors=True)

    def timings(self) -> dict[str, dict[str, float]]:
        """Return seconds and CPU seconds by task, over all processes that worked on this seed."""
        file = self.run.path / "timings.json"
        return read_object(file) if file.is_file() else {}

    def evaluate(self, progress: Progress) -> dict[str, Results]:
        """Judge all responses, write the results.json of each run, and return the results by run."""
        judge = f"phrases:{self.run.path / RATIONALES}"
        return {
            one.name: judge_and_rate(
                self.run_of(one.name),
                [judge],
                reference=BASE,
                encoder=self.request.encoder if one.name == OURS else None,
                progress=progress,
            )[0]
            for one in self.wordings
        }

    def run_of(self, name: str) -> Run:
        """Return the run directory of a wording."""
        return Run(self.run.path / name)

    @contextmanager
    def opened(self, wordings: Wordings) -> Iterator[Run]:
        """Create or reopen the run of a wording, and lock it."""
        config = {"study": "pretrained", "trained_with_seed": self.seed, **wordings.config}
        with open_run(self.run.path / wordings.name, config) as run:
            yield run

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the runs of all wordings while processes write into them."""
        with ExitStack() as stack:
            for one in self.wordings:
                stack.enter_context(self.opened(one))
            yield

    def _make_sets(self) -> None:
        wanted = [name for name in self.request.models if MODELS[name].method == "sft"]
        general = self.request.inputs.general
        settings, inputs = self.request.settings, self.request.inputs
        safety, self.cut = self._cut(inputs.train)
        if not safety:
            raise UserError(f"{inputs.train.source}: no sample has an answer to train on; give data with answers")
        more = None if general is None else (self._cut(general)[0], general.pictures)
        sets = TrainingSets(safety, inputs.train.pictures, more, settings, self.seed)
        for name in wanted:
            try:
                self._sets[name] = sets.make(MODELS[name])
            except UserError as error:
                self.left_out[name] = str(error)

    def _cut(self, file: SampleFile) -> tuple[list[Sample], str]:
        samples = self.request.inputs.samples(file)
        return with_first_sentences(samples, cut=self.request.settings.first_sentence)

    def _training(self, name: str) -> list[Task]:
        recipe = MODELS[name]
        if recipe.method == "none" or self.run.model(name).is_dir():
            return []
        unlearns = recipe.method != "sft"
        data = self._sets.get(name, TrainingSet((), self.request.inputs.train.pictures))
        work = Train(
            name,
            self.request.base,
            self.run.model(name),
            self._record(name),
            self._config(recipe.method),
            AlignData(retain=data.samples, images=data.pictures),
            data.notes,
        )
        task = Task(f"train {name}", work)
        return [replace(task, work=Unlearn(work, self._forget), after=(FORGET,)) if unlearns else task]

    def _config(self, method: str) -> AlignConfig:
        config: AlignConfig = getattr(self.request.settings, method)
        return config.model_copy(update={"seed": self.seed})

    def _asking(self, name: str) -> list[Task]:
        """Return the tasks of each run; a later run copies responses to equal prompts from the earlier ones.

        The base model's queries are two tasks: it is asked last, and one task would leave the other process idle.
        """
        settings, found = self.request.settings, list[Task]()
        known: list[tuple[Path, Pictures]] = []
        generation = GenerationConfig(max_new_tokens=settings.max_new_tokens, batch_size=settings.batch_size)
        model = self.request.base if name == BASE else self.run.model(name)
        after: tuple[str, ...] = (f"train {name}",)
        left = self.unanswered(name)
        for one in self.wordings:
            store = self.run_of(one.name).path / "store.sqlite"
            if name == BASE and self._first is not None:
                known.append((self._first / one.name / "store.sqlite", one.pictures))
            work = Ask(name, model, store, one.pictures, generation, left[one.name], tuple(known))
            parts = _HALVES if name == BASE else {"": WHOLE}
            expected = math.ceil(left[one.name] / len(parts))
            own = {
                f"ask {name} {one.name}{half}": replace(work, part=part, expected=expected)
                for half, part in parts.items()
            }
            found += [Task(title, ask, after) for title, ask in own.items()]
            known.append((store, one.pictures))
            after = tuple(own)
        return found

    def _collect_forget(self) -> list[Task]:
        """Return the task that makes the forget and retain sets, unless they exist here or in another seed."""
        if (self._forget / "prepare.json").is_file():
            return []
        other = None if self._first is None else self._first / "forget"
        if other is not None and (other / "prepare.json").is_file():
            with new_folder(self._forget) as new:
                shutil.copytree(other, new, dirs_exist_ok=True)
            return []
        settings, train = self.request.settings, self.request.inputs.train
        file = self.run.path / "forget-queries.jsonl"
        samples, _ = self._cut(train)
        unsafe = [one for one in samples if one.refused]
        unsafe = random.Random("forget").sample(unsafe, min(len(unsafe), settings.forget_queries))
        write_samples([*unsafe, *(one for one in samples if not one.refused)], file)
        data = replace(open_samples(file, images=train.image_root), pictures=train.pictures)
        how = {"max_new_tokens": settings.forget_tokens, "batch_size": settings.batch_size}
        return [Task(FORGET, CollectForget(self.request.base, data, self._forget, how, len(unsafe)))]

    @property
    def _forget(self) -> Path:
        return self.run.path / "forget"

    def _record(self, name: str) -> Path:
        return self.run.path / "training" / f"{name}.json"


@contextmanager
def open_seed(
    out: Path, request: Request, seed: int, config: Mapping[str, Any], others: Sequence[Path]
) -> Iterator[SeedStudy]:
    """Open or resume the run directory of one seed, and lock it.

    Args:
        others: directories of other seeds; those with other settings are ignored.
    """
    own = {"study": "pretrained", **config}
    first = next((one for one in others if _has_settings(Run(one), own)), None)
    with open_run(out, {**own, "seed": seed}) as run:
        yield SeedStudy(run, request, seed, first)


def _has_settings(run: Run, config: Mapping[str, Any]) -> bool:
    """Return whether a run of another seed has the same settings, so that its base model gave the same responses."""
    return run.config_file.is_file() and {k: v for k, v in run.config().items() if k != "seed"} == config
