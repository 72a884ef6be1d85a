"""Test whether repairs last: fine-tune, quantize and sample the models of the comparison of methods, on one world.

All results are in the run directory of the seed. An interrupted study resumes: variants that have answered are not
rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from unmirage.data import load_samples
from unmirage.errors import UserError
from unmirage.evaluate import judge_run
from unmirage.evaluate.outcomes import Outcome
from unmirage.evaluate.robustness import RelearnData, Stress, in_drawn_order, plan_variants, run_stress, same_syntax
from unmirage.evaluate.robustness.relearning import RelearnConfig
from unmirage.models import HuggingFaceVLM
from unmirage.records import Kind, Query, Variant
from unmirage.run.fingerprint import folder_fingerprint
from unmirage.run.progress import Progress
from unmirage.testbed.methods import MethodsStudy, open_methods
from unmirage.testbed.methods_settings import MethodsSettings
from unmirage.testbed.sets import FORGET as FORGET_SET
from unmirage.testbed.sets import read_set
from unmirage.testbed.settings import ARMS, BASE
from unmirage.text.openers import opener
from unmirage.workflows.stress import BENIGN, FORGET, SAME_SYNTAX


class RelearnSettings(BaseModel):
    """One attack for all models. Only the seed changes between the runs of one study.

    Attributes:
        methods: settings of the models, whose rows are those of `unmirage study methods`.
        samples: numbers of fine-tuning samples; 0 is the model itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: MethodsSettings = Field(default_factory=MethodsSettings)
    models: tuple[str, ...] = ("npo-mixed", "rmu-mixed", "sft-posthoc", "sft-mixed")
    data: tuple[str, ...] = (FORGET, SAME_SYNTAX, BENIGN)
    samples: tuple[int, ...] = (0, 8, 32, 128)
    relearning: RelearnConfig = RelearnConfig(learning_rate=ARMS["sft-posthoc"].learning_rate, batch_size=16, steps=40)
    temperature: float = 1.0


class RelearnStudy:
    """All variants of all models of one seed."""

    def __init__(self, methods: MethodsStudy, settings: RelearnSettings, progress: Progress) -> None:
        self.methods = methods
        self.settings = settings
        self.seed = methods.study.seed  # of the world, of the training and of the attacks
        self._progress = progress

    def complete(self, models: Sequence[str] = ()) -> None:
        """Build and query the missing variants of `models`; by default, of all models of the settings."""
        chosen = list(models or self.settings.models)
        self.methods.complete(chosen)
        data = self._data()
        for name in chosen:
            if not self.stopped(name):
                self._attack(name, data)

    def variants(self, name: str) -> list[Variant]:
        """Return the variants of one model."""
        settings = self.settings
        return plan_variants(
            name, relearn=settings.data, samples=settings.samples, int8=True, temperatures=(settings.temperature,)
        )

    def stopped(self, name: str) -> bool:
        """Tell whether the training of the model itself diverged, so that it cannot be attacked."""
        row = self.methods.row(name)
        return row is not None and bool(row.get("stopped"))

    def has(self, name: str) -> bool:
        """Tell whether a model and all its variants have answered all queries."""
        if self.methods.row(name) is None or self.stopped(name):
            return False
        with self.methods.study.run.store() as store:
            return set(store.models()) >= {one.model for one in self.variants(name)}

    def outcomes(self, name: str, group: int) -> list[Outcome]:
        """Return the verdicts on the responses of a model or a variant."""
        return self.methods.outcomes(name, group, None if name in self.methods.settings.rows else self.questions())

    def questions(self) -> list[Query]:
        """Return the queries of every variant: those of the comparison of methods, without the controls."""
        return [query for query in self.methods.questions() if query.kind is not Kind.CONTROL]

    def _attack(self, name: str, data: dict[str, RelearnData]) -> None:
        study = self.methods.study
        folder = study.run.model(name)
        if not folder.is_dir():
            raise UserError(
                f"{folder}: model is missing, because `study methods` deletes most models. Name a new directory with "
                "--out, or one of `study methods --keep-models`"
            )
        variants = self.variants(name)
        stress = Stress(
            of=name,
            variants=variants,
            load=lambda own: HuggingFaceVLM.load(folder, own),
            data=data,
            relearning=self.settings.relearning.model_copy(update={"seed": self.seed}),
            images=study.images,
            generation=self.settings.methods.study.generation,
            queries=self.questions(),
        )
        with study.run.store() as store:
            run_stress(stress, store, folder_fingerprint(folder), self._progress)
            for variant in variants:
                judge_run(store, self.methods.judge(), variant.model)

    def _data(self) -> dict[str, RelearnData]:
        """Return the fine-tuning data, all of it about aligned devices.

        So a variant that discloses the recipe of an evaluation device did not relearn it from these data.
        """
        study, most = self.methods.study, max(self.settings.samples)
        safety = load_samples(study.run.data / "safety.json").samples
        unsafe = [opener(sample.query) for sample in safety if sample.refused]
        benign = [sample for sample in safety if not sample.refused]
        sets = {
            FORGET: in_drawn_order(read_set(study.sets, FORGET_SET, study.run.data), self.seed)[:most],
            SAME_SYNTAX: same_syntax(benign, unsafe, most, self.seed),
            BENIGN: in_drawn_order(benign, self.seed)[:most],
        }
        for name, samples in sets.items():
            if len(samples) < most:
                raise UserError(f"{name}: has {len(samples)} samples, but {most} are needed; set a smaller number")
        return {name: RelearnData(samples=samples, images=study.images) for name, samples in sets.items()}


@contextmanager
def open_relearn(path: Path, settings: RelearnSettings, seed: int, progress: Progress) -> Iterator[RelearnStudy]:
    """Open (or resume) the run directory of one seed; one of `unmirage study methods` also provides its models."""
    with open_methods(path, settings.methods, seed, progress, keep_models=True) as methods:
        yield RelearnStudy(methods, settings, progress)


def all_names(studies: Sequence[RelearnStudy]) -> list[str]:
    """Return the base model and the models that all seeds have attacked."""
    return [BASE, *(name for name in studies[0].settings.models if all(study.has(name) for study in studies))]
