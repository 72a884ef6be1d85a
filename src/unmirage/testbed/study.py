"""The demo's study: one world from pictures to rates, through the same public calls that a user makes.

Every stage leaves files in the run directory and is skipped when they are there, so that a study can be
interrupted and continued.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from unmirage.align import METHODS, AlignConfig, AlignData, align
from unmirage.align.run import Progress
from unmirage.attack import AttackConfig, plain, plan_queries
from unmirage.audit import AuditOptions, audit
from unmirage.data import ImageFolder, load_samples, open_samples
from unmirage.evaluate import ExactJudge, PhraseJudge, judge_run
from unmirage.models import HuggingFaceVLM, ask
from unmirage.prepare import harmful_answers
from unmirage.records import Kind
from unmirage.run import RunDirectory, Store, open_run
from unmirage.run.model import save_model
from unmirage.testbed.base_model import base_model
from unmirage.testbed.corpus import write_corpus
from unmirage.testbed.sets import FORGET, RETAIN, read_set, write_sets
from unmirage.testbed.settings import BASE, StudySettings
from unmirage.testbed.world import make_world


class Study:
    """One seed of the study in one run directory."""

    def __init__(self, run: RunDirectory, settings: StudySettings, seed: int, progress: Progress) -> None:
        self.run = run
        self.settings = settings
        self.seed = seed
        self.progress = progress
        self.images = ImageFolder(run.data)
        self.sets = run.path / "sets"

    def prepare(self) -> None:
        """Run every stage before the first aligned model that has not been run yet."""
        world = make_world(self.seed)
        if not self.run.data.is_dir():
            with self.stage("draw the world"):
                write_corpus(world, self.settings.corpus, self.run.data)
        if not self.run.model(BASE).is_dir():
            with self.stage("base model"):
                base = base_model(world, self.run.data, self.settings, self.stages(BASE))
                made_with = self.seeded(self.settings.base).model_dump(mode="json")
                save_model(self.run.model(BASE), base, made_with, {})
        self._plan()
        if not self.sets.is_dir():
            with self.stage("alignment sets"):
                self._make_sets()

    def complete(self) -> None:
        """Run every stage that has not been run yet."""
        self.prepare()
        for name, config in self.settings.models.items():
            if not self.run.model(name).is_dir():
                with self.stage(f"align {name}"):
                    self._align(name, config)
        with self.run.store() as store:
            for name in self.model_names():
                if store.unanswered(name):
                    with self.stage(f"attack {name}"):
                        self._attack(store, name)
                for judge in (ExactJudge.from_file(self.run.data / "truth.json"), PhraseJudge()):
                    judge_run(store, judge, name)

    def model_names(self) -> list[str]:
        """Return the base model's name and those of all aligned ones."""
        return [BASE, *self.settings.models]

    def attack_config(self) -> AttackConfig:
        """Return the attack with the words that the audit of the safety data suggests."""
        document = json.loads(self.audit_file.read_text(encoding="utf-8"))
        return AttackConfig(
            shots=self.settings.shots,
            jailbreak_word=document["suggested"]["jailbreak"][0],
            over_prudence_word=document["suggested"]["over_prudence"][0],
        )

    @property
    def audit_file(self) -> Path:
        """Return the path of the audit of the safety data."""
        return self.run.path / "audit.json"

    def timings(self) -> dict[str, float]:
        """Return seconds by stage, over all processes that worked on this run."""
        file = self.run.path / "timings.json"
        found: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return found

    def _plan(self) -> None:
        """Audit the safety data and write down every question that all models will be asked.

        Queries are planned again each time: those in the store stay, and a kill before they were there is mended.
        """
        if not self.audit_file.is_file():
            with self.stage("audit"):
                findings = audit(open_samples(self.run.data / "safety.json"), options=AuditOptions(seed=self.seed))
                self.run.write_json(self.audit_file, findings.to_json())
        test = load_samples(self.run.data / "test.json").samples
        queries = plan_queries(test, self.attack_config())
        samples = list(test)
        for kind in (Kind.UTILITY, Kind.NEAR):
            harmless = load_samples(self.run.data / f"{kind}.json").samples
            samples += harmless
            queries += plain(harmless, kind)
        with self.run.store() as store:
            store.add_samples(samples)
            store.add_queries(queries)

    def _make_sets(self) -> None:
        safety = load_samples(self.run.data / "safety.json").samples
        judge = ExactJudge.from_file(self.run.data / "truth.json")
        base = HuggingFaceVLM.load(self.run.model(BASE))
        answers = harmful_answers(base, safety, self.images, judge, self.settings.generation)
        write_sets(self.run.data, self.sets, answers, self.seed)

    def learned_by(self, name: str) -> AlignData:
        """Return what an aligned model is trained on."""
        forgets = METHODS[self.settings.models[name].method.name][1].forgets
        return AlignData(
            retain=read_set(self.sets, RETAIN if forgets else name, self.run.data),
            forget=read_set(self.sets, FORGET, self.run.data) if forgets else (),
            images=self.images,
        )

    def _align(self, name: str, config: AlignConfig) -> None:
        vlm = HuggingFaceVLM.load(self.run.model(BASE), name)
        seeded = self.seeded(config)
        result = align(vlm, self.learned_by(name), seeded, self.stages(name))
        save_model(self.run.model(name), vlm, seeded.model_dump(mode="json"), result.state)

    def _attack(self, store: Store, name: str) -> None:
        vlm = HuggingFaceVLM.load(self.run.model(name), name)
        ask(vlm, store, self.images, self.settings.generation, partial(self.stages(name), "attack"))

    def seeded(self, config: AlignConfig) -> AlignConfig:
        """Return the settings with the seed of this study."""
        return config.model_copy(update={"seed": self.seed})

    def stages(self, name: str) -> Progress:
        """Return what to report the stages of one model to."""
        return lambda stage, done, total: self.progress(f"{name}: {stage}", done, total)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to the timings."""
        started = time.perf_counter()
        yield
        before = self.timings()
        spent = before | {name: before.get(name, 0.0) + time.perf_counter() - started}
        self.run.write_json(self.run.path / "timings.json", spent)


@contextmanager
def open_study(path: Path, settings: StudySettings, seed: int, progress: Progress) -> Iterator[Study]:
    """Open (or continue) the run directory of one seed."""
    config = {"seed": seed, "images": "data", **settings.model_dump(mode="json")}
    with open_run(path, config) as run:
        yield Study(run, settings, seed, progress)
