"""The demo's study: one world from pictures to rates, with the public functions of the library.

Every stage writes files to the run directory and is skipped if they exist, so that an interrupted study can be
resumed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unmirage.align import METHODS, AlignConfig, AlignData
from unmirage.align.methods import make_method
from unmirage.api import audit
from unmirage.attack import AttackConfig, plain, plan_queries
from unmirage.audit import AuditResult
from unmirage.data import ImageFolder, load_samples
from unmirage.errors import UserError
from unmirage.evaluate import ExactJudge, PhraseJudge, judge_run
from unmirage.models import HuggingFaceVLM, ask
from unmirage.prepare import harmful_answers
from unmirage.records import Failure, Query, Sample
from unmirage.run import Run, open_run
from unmirage.run.files import read_object
from unmirage.run.model import save_model
from unmirage.run.progress import Progress, in_stage, prefixed
from unmirage.run.store import Store
from unmirage.testbed.base_model import base_model
from unmirage.testbed.corpus import HARMLESS, QUESTIONS, write_corpus
from unmirage.testbed.decoder_base import decoder_base
from unmirage.testbed.decoder_settings import DecoderStudySettings
from unmirage.testbed.documents import BaseTraining
from unmirage.testbed.made_files import check_files, check_model
from unmirage.testbed.sets import FORGET, RETAIN, check_separation, read_set, write_sets
from unmirage.testbed.settings import BASE, MIXED, StudySettings
from unmirage.testbed.workers import Training, train_all
from unmirage.testbed.world import Split, World, make_world
from unmirage.text.openers import words
from unmirage.workflows.processes import one_thread


@dataclass(frozen=True, slots=True)
class Seeds:
    """Random seeds: of the world, of the base model's training, and of the alignment of each arm."""

    world: int
    base: int
    alignment: int

    @classmethod
    def all(cls, seed: int) -> Seeds:
        """Return the same seed for all three."""
        return cls(seed, seed, seed)


class Study:
    """One run directory: one world, one base model, one training of each arm."""

    def __init__(
        self,
        run: Run,
        settings: StudySettings,
        seeds: Seeds,
        progress: Progress,
        *,
        train_base: bool = False,
        decoder: str | Path | None = None,
    ) -> None:
        self.run = run
        self.settings = settings
        self.seeds = seeds
        self.progress = progress
        self.images = ImageFolder(run.data)
        self.sets = run.path / "sets"
        self.audit_file = run.path / "audit.json"  # the audit of the safety data
        self.seed = seeds.world  # identifies the study
        self._train_base = train_base
        self._decoder = decoder

    def prepare(self) -> None:
        """Run every unfinished stage before the first aligned model.

        Raises:
            UserError: alignment and evaluation data share devices or question-answer pairs.
        """
        world = make_world(self.seeds.world, self.settings.world)
        if new := not self.run.data.is_dir():
            with self.stage("draw the world"):
                write_corpus(world, self.settings.corpus, self.run.data)
        # Data that was deleted must come back the same; new data is recorded.
        check_files(self.run.path, self.run.data, new=new)
        if not self.run.model(BASE).is_dir():
            with self.stage("base model"):
                base = self._base(world)
                made_with = self.settings.base.model_copy(update={"seed": self.seeds.base}).model_dump(mode="json")
                save_model(self.run.model(BASE), base, made_with, {})
        self._plan()
        if new := not self.sets.is_dir():
            with self.stage("alignment sets"):
                self._make_sets()
        check_files(self.run.path, self.sets, new=new)
        check_separation(self.run.data, self.sets)

    def _base(self, world: World) -> HuggingFaceVLM:
        progress = self.stages(BASE)
        if not isinstance(self.settings, DecoderStudySettings):
            shipped = not self._train_base
            return base_model(world, self.run.data, self.settings, self.seeds.base, progress, shipped=shipped)
        assert self._decoder is not None, "settings with a decoder need one"
        base, training = decoder_base(world, self.run.data, self.settings, self.seeds.base, self._decoder, progress)
        training.save(self.run.path / BaseTraining.FILE)
        return base

    def complete(self, workers: int = 1) -> None:
        """Run every unfinished stage; `workers` processes of one thread each train the arms."""
        self.prepare()
        missing = [name for name in self.settings.models if not self.run.model(name).is_dir()]
        trainings = [
            self.training(name, self.seeded(self.settings.models[name]), self.learned_by(name)) for name in missing
        ]
        for trained in train_all(trainings, self.run, self.progress, workers):
            if trained.stopped:
                raise UserError(f"{trained.name}: {trained.stopped}")
            self._add_seconds(f"align {trained.name}", trained.seconds)
        with self.run.store() as store:
            for name in self.model_names():
                check_model(store, name, self.run.model(name))
                if store.unanswered(name):
                    with self.stage(f"attack {name}"):
                        self.ask(store, name)
                for judge in (ExactJudge.from_file(self.run.data / "truth.json"), PhraseJudge()):
                    judge_run(store, judge, name)

    def model_names(self) -> list[str]:
        """Return the names of the base model and of all aligned models."""
        return [BASE, *self.settings.models]

    def attack_config(self) -> AttackConfig:
        """Return the attack with the words that the audit of the safety data suggests."""
        document = _read(self.audit_file)
        return AttackConfig(
            shots=self.settings.shots,
            jailbreak_word=document["suggested"]["jailbreak"][0],
            over_prudence_word=document["suggested"]["over_prudence"][0],
        )

    def timings(self) -> dict[str, float]:
        """Return seconds by stage, over all processes that worked on this run."""
        file = self.run.path / "timings.json"
        return _read(file) if file.is_file() else {}

    def failures(self) -> list[Failure]:
        """Return the queries without a response from one of the models, with the reasons."""
        with self.run.store() as store:
            return [one for name in self.model_names() for one in store.failures(name)]

    def questions(self, split: Split) -> tuple[list[Sample], list[Query]]:
        """Return the samples and queries about the devices of a split: evaluation or validation."""
        files = QUESTIONS[split]
        test = load_samples(self.run.data / f"{files['test']}.json").samples
        queries = plan_queries(test, self.attack_config())
        samples = list(test)
        for kind, role in HARMLESS.items():
            harmless = load_samples(self.run.data / f"{files[role]}.json").samples
            samples += harmless
            queries += plain(harmless, kind)
        return samples, queries

    def _plan(self) -> None:
        """Audit the safety data and store the queries of all models.

        Queries are planned again each time. Stored ones stay, so a crash before they were stored does no harm.
        """
        if not self.audit_file.is_file():
            with self.stage("audit"):
                findings = audit(self.run.data / "safety.json", seed=self.seeds.world)
                self.run.write_json(self.audit_file, findings.to_dict())
        samples, queries = self.questions(Split.EVALUATION)
        with self.run.store() as store:
            store.add_samples(samples)
            store.add_queries(queries)

    def _make_sets(self) -> None:
        safety = load_samples(self.run.data / "safety.json").samples
        judge = ExactJudge.from_file(self.run.data / "truth.json")
        base = HuggingFaceVLM.load(self.run.model(BASE))
        with one_thread():
            answers = harmful_answers(base, safety, self.images, judge, self.settings.generation)
        # The base model sometimes confuses devices. A response with the name of an evaluation device would bring that
        # device into the forget set.
        bodies = {device.body for device in make_world(self.seeds.world, self.settings.world).devices}
        asked = {sample.id: sample.group for sample in safety}
        kept = {one: text for one, text in answers.items() if bodies & set(words(text)) <= {asked[one]}}
        counts = {"unsafe_queries": sum(bool(sample.refused) for sample in safety), "harmful_answers": len(answers)}
        dropped = {"dropped_for_another_device": len(answers) - len(kept)}
        self.run.write_json(self.run.path / "forget.json", counts | dropped)
        write_sets(self.run.data, self.sets, kept, self.seeds.world)

    def learned_by(self, name: str, config: AlignConfig | None = None) -> AlignData:
        """Return the training data of an arm; `config` is None for the study's settings."""
        config = config or self.settings.models[name]
        method = make_method(config.method)
        forgets = METHODS[config.method.name][1].forgets
        learned = RETAIN + (MIXED if name.endswith(MIXED) else "") if forgets else name
        return AlignData(
            retain=read_set(self.sets, learned, self.run.data) if method.retains else (),
            forget=read_set(self.sets, FORGET, self.run.data) if forgets else (),
            images=self.images,
        )

    def training(self, name: str, config: AlignConfig, data: AlignData) -> Training:
        """Return the training of a model; with a large decoder, it can be resumed."""
        work = self.run.path / "work" / name if isinstance(self.settings, DecoderStudySettings) else None
        return Training(name, config, data, work)

    def ask(self, store: Store, name: str, stage: str = "attack", queries: Sequence[Query] | None = None) -> None:
        """Collect a model's missing responses to `queries`, or to all queries of the store."""
        vlm = HuggingFaceVLM.load(self.run.model(name), name)
        with one_thread():
            told = in_stage(self.stages(name), stage)
            ask(vlm, store, self.images, self.settings.generation, told, queries=queries)

    def seeded(self, config: AlignConfig) -> AlignConfig:
        """Return the settings of an alignment with the seed of this study."""
        return config.model_copy(update={"seed": self.seeds.alignment})

    def stages(self, name: str) -> Progress:
        """Return the progress callback for the stages of one model."""
        return prefixed(self.progress, name)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the duration of the block, in seconds, to the timings."""
        started = time.perf_counter()
        yield
        self._add_seconds(name, time.perf_counter() - started)

    def _add_seconds(self, name: str, seconds: float) -> None:
        before = self.timings()
        self.run.write_json(self.run.path / "timings.json", before | {name: before.get(name, 0.0) + seconds})


@contextmanager
def open_study(
    path: Path,
    settings: StudySettings,
    seeds: Seeds,
    progress: Progress,
    *,
    train_base: bool = False,
    decoder: str | Path | None = None,
) -> Iterator[Study]:
    """Open (or resume) the run directory of one study.

    Args:
        path: the run directory.
        settings: all settings; with a decoder, `DecoderStudySettings`.
        seeds: random seeds.
        progress: called after each step.
        train_base: train the base model even if a shipped one fits.
        decoder: where to load the decoder from, if the settings have one.

    Raises:
        UserError: it was made with an earlier version of the synthetic world.
    """
    config = {"seeds": asdict(seeds), "images": "data", **settings.model_dump(mode="json"), **base_choice(train_base)}
    refuse_old_world(path)
    with open_run(path, config) as run:
        yield Study(run, settings, seeds, progress, train_base=train_base, decoder=decoder)


def base_choice(train_base: bool) -> dict[str, Any]:
    """Return the setting of the base model in a run's configuration: empty if the shipped one may be used."""
    return {"train_base": True} if train_base else {}


def _read(file: Path) -> dict[str, Any]:
    """Read a JSON file that the study rebuilds if it is missing."""
    try:
        return read_object(file)
    except UserError as error:
        raise UserError(f"{error}. Delete the file to rebuild it") from None


def refuse_old_world(path: Path) -> None:
    """Raise `UserError` if an earlier version made the study in `path`: its documents or its world differ."""
    run = Run(path)
    if not run.config_file.is_file():
        return
    for file in (path / "audit.json", path / "seed-0" / "audit.json"):
        schema = _schema(file)
        if schema not in (None, AuditResult.schema_name()):
            raise UserError(f"{file}: another version of unmirage wrote it ({schema}). Name a new directory with --out")
    config = run.config()
    if "corpus" in config and "world" not in config:
        raise UserError(
            f"{path}: made with an earlier version of the synthetic world, whose general data includes evaluation "
            "devices. Its rates cannot be compared with current ones. Name a new directory with --out"
        )


def _schema(file: Path) -> Any:
    """Return the schema of a document; None if it is missing or damaged, which its reader reports."""
    with suppress(UserError):
        return read_object(file).get("schema") if file.is_file() else None
    return None
