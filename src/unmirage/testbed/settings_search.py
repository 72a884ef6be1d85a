"""Choose the settings of every arm on validation devices, each with the same budget of candidates.

The first round trains each arm at six learning rates. The second round changes one other setting of the method, in
three ways, each at the best learning rate so far and at twice that rate. The best of all twelve candidates is chosen.

The choice does not use the attack, because it is unknown when a model is safety-tuned. It maximizes the harmonic mean
of three rates on unattacked queries: unsafe queries without a harmful response, answered benign queries, and utility.
The rates after the attack are recorded too, for the trade-off curve.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

from unmirage.align import AlignConfig
from unmirage.documents import dumped, parsed
from unmirage.evaluate import ExactJudge, ModelRates, judge_run, judged_outcomes, model_rates
from unmirage.models import HuggingFaceVLM, ask
from unmirage.records import Rate
from unmirage.run import Store
from unmirage.run.files import read_json
from unmirage.run.machine import describe_machine
from unmirage.testbed.documents import Candidate, SettingsChoice
from unmirage.testbed.methods_rates import COLUMNS
from unmirage.testbed.settings import Change, changed
from unmirage.testbed.study import Study
from unmirage.testbed.workers import Trained, train_all
from unmirage.testbed.world import Split
from unmirage.text.markdown import markdown_table
from unmirage.workflows.processes import one_thread

RATES = 6  # number of learning rates of the first round, each twice the previous one
# The lowest learning rate of the first round, by method.
LOWEST = {
    "sft": 1e-4,
    "npo": 5e-5,
    "rmu": 1e-4,
    "ga": 5e-6,
    "grad-diff": 1e-5,
    "kl-min": 1e-5,
    "sim-npo": 5e-5,
    "adaptive-rmu": 1e-4,
    "dpo": 5e-5,
    "task-vector": 1e-4,
}
# Changes of the second round, by method.
OTHER_SETTINGS: dict[str, tuple[Change, ...]] = {
    "sft": ({"steps": 60}, {"steps": 240}, {"steps": 360}),
    "npo": ({"beta": 0.1}, {"beta": 0.3}, {"beta": 1.0}),
    "rmu": ({"layer": 2}, {"scale": 5.0}, {"scale": 80.0}),
    "ga": ({"steps": 50}, {"steps": 200}, {"steps": 400}),
    "grad-diff": ({"gamma": 0.3}, {"gamma": 3.0}, {"gamma": 10.0}),
    "kl-min": ({"gamma": 0.3}, {"gamma": 3.0}, {"gamma": 10.0}),
    "sim-npo": ({"beta": 0.8}, {"beta": 8.0}, {"gamma": 3.0}),
    "adaptive-rmu": ({"layer": 2}, {"scale": 1.25}, {"scale": 20.0}),
    "dpo": ({"beta": 0.03}, {"beta": 0.3}, {"gamma": 3.0}),
    "task-vector": ({"scale": 0.5}, {"scale": 2.0}, {"scale": 4.0}),
}


def first_round(start: AlignConfig) -> list[Change]:
    """Return the learning rates of the first round for an arm."""
    return [{"learning_rate": LOWEST[start.method.name] * 2**step} for step in range(RATES)]


def second_round(start: AlignConfig, best: Change) -> list[Change]:
    """Return the candidates of the second round; `best` won the first round."""
    rate = best["learning_rate"]
    return [
        {"learning_rate": factor * rate, **other} for other in OTHER_SETTINGS[start.method.name] for factor in (1, 2)
    ]


def score(rates: ModelRates) -> float:
    """Return the harmonic mean of three goals: not complying, answering benign queries, and utility."""
    kept = (1 - _value(rates.asr.before), _value(rates.benign_answered.before), _value(rates.utility))
    return harmonic_mean(kept)


def _value(rate: Rate) -> float:
    assert rate.value is not None, "validation data has queries of every kind"
    return rate.value


def validation_rates(study: Study, vlm: HuggingFaceVLM, file: Path) -> ModelRates:
    """Evaluate a model on the validation devices with the exact judge, and return its rates."""
    samples, queries = study.questions(Split.VALIDATION)
    with Store(file) as store:
        store.add_samples(samples)
        store.add_queries(queries)
        with one_thread():
            ask(vlm, store, study.images, study.settings.generation)
        judge_run(store, ExactJudge.from_file(study.run.data / "truth.json"), vlm.name)
        return model_rates(judged_outcomes(store, ExactJudge.name, vlm.name))


class SettingsSearch:
    """The search in one study's run directory; candidates with rates are not trained again.

    Args:
        study: its models are the starts.
        candidates: by method, to try these in a single round; None for the two rounds.
    """

    def __init__(self, study: Study, candidates: Mapping[str, Sequence[Change]] | None = None) -> None:
        self.study = study
        self._candidates = candidates
        self._folder = study.run.path / "search"

    def complete(self, workers: int = 1) -> None:
        """Train and judge every missing candidate."""
        self.study.prepare()
        self._folder.mkdir(exist_ok=True)
        starts = self.study.settings.models
        self._run([(arm, change) for arm, start in starts.items() for change in self._first(start)], workers)
        self._run([(arm, change) for arm, start in starts.items() for change in self._second(arm, start)], workers)

    def document(self, commit: str = "") -> SettingsChoice:
        """Return every candidate with its validation rates and score, and the choice for each arm."""
        arms = {
            arm: tuple(self._told(arm, change) for change in (*self._first(start), *self._second(arm, start)))
            for arm, start in self.study.settings.models.items()
        }
        return SettingsChoice(
            commit=commit,
            machine=describe_machine(),
            seeds=asdict(self.study.seeds),
            chosen={arm: chosen(candidates) for arm, candidates in arms.items()},
            arms=arms,
            settings=self.study.settings.model_dump(mode="json"),
        )

    def _first(self, start: AlignConfig) -> Sequence[Change]:
        return first_round(start) if self._candidates is None else self._candidates[start.method.name]

    def _second(self, arm: str, start: AlignConfig) -> list[Change]:
        if self._candidates is not None:
            return []
        return second_round(start, chosen([self._told(arm, change) for change in first_round(start)]))

    def _run(self, candidates: Sequence[tuple[str, Change]], workers: int) -> None:
        missing = {
            _name(arm, change): (arm, change) for arm, change in candidates if not self._file(arm, change).is_file()
        }
        trainings = [
            self.study.training(name, self.study.seeded(config), self.study.learned_by(arm, config))
            for name, (arm, change) in missing.items()
            for config in [changed(self.study.settings.models[arm], change)]
        ]
        for trained in train_all(trainings, self.study.run, self.study.progress, workers):
            self._judge(*missing[trained.name], trained)

    def _told(self, arm: str, change: Change) -> Candidate:
        found: Candidate = parsed(Candidate, read_json(self._file(arm, change)))
        return found

    def _file(self, arm: str, change: Change) -> Path:
        return self._folder / f"{_name(arm, change)}.json"

    def _judge(self, arm: str, change: Change, trained: Trained) -> None:
        """Evaluate a candidate, write its rates, and delete its model."""
        file, seconds = self._file(arm, change), round(trained.seconds, 1)
        if trained.stopped:
            self._write(file, Candidate(change=change, seconds=seconds, score=0.0, stopped=trained.stopped))
            return
        model = self.study.run.model(trained.name)
        vlm = HuggingFaceVLM.load(model, trained.name)
        rates = validation_rates(self.study, vlm, file.with_suffix(".sqlite"))
        columns: dict[str, Any] = {
            column: rate(rates) for column, rate in COLUMNS.items() if not column.startswith("ir_")
        }
        self._write(file, Candidate(change=change, seconds=seconds, score=score(rates), **columns))
        shutil.rmtree(model)

    def _write(self, file: Path, candidate: Candidate) -> None:
        told = {name: value for name, value in dumped(candidate).items() if value is not None}
        self.study.run.write_json(file, told)


def chosen(candidates: Sequence[Candidate]) -> Change:
    """Return the change of the candidate with the best score; ties go to the first."""
    return max(candidates, key=lambda one: one.score).change


def described(change: Change) -> str:
    """Return a change as "0.0004, beta 0.3"."""
    others = [f"{key} {value:g}" for key, value in change.items() if key != "learning_rate"]
    return ", ".join([f"{change['learning_rate']:g}", *others])


def _name(arm: str, change: Change) -> str:
    return f"{arm}@{described(change).replace(', ', '+').replace(' ', '=')}"


_COLUMNS = {
    "ASR before → after": ("asr_before", "asr_after"),
    "benign answered before → after": ("benign_answered_before", "benign_answered_after"),
    "utility": ("utility",),
    "neighbor utility": ("neighbor_utility",),
}


def heads() -> list[str]:
    """Return the column heads of the table."""
    return ["arm", "settings", "score", *_COLUMNS]


def table(document: SettingsChoice) -> list[list[str]]:
    """Return a row for each candidate, rates in percent; the chosen settings have a star."""
    rows = []
    for arm, candidates in document.arms.items():
        for one in candidates:
            star = " *" if one.change == document.chosen[arm] else ""
            rows.append([arm, f"{described(one.change)}{star}", f"{one.score:.3f}", *_cells(one)])
    return rows


def _cells(candidate: Candidate) -> list[str]:
    if candidate.stopped is not None:
        return ["diverged", *[""] * (len(_COLUMNS) - 1)]
    return [" → ".join(f"{100 * getattr(candidate, name).value:.0f}" for name in names) for names in _COLUMNS.values()]


def markdown(document: SettingsChoice) -> str:
    """Return the table in Markdown."""
    return markdown_table(heads(), table(document)) + "\n"
