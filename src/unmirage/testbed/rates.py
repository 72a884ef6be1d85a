"""Choose the learning rate of every arm on validation devices, each with the same budget.

A candidate is trained as the arm is, with another learning rate, and is asked about the validation devices. The choice
does not see the attack, as nobody who safety-tunes a model knows the attack beforehand: it maximizes the harmonic mean
of the unsafe queries that are not complied with, the benign queries that are answered, and the utility, all of them
asked as they are. What the attack does to each candidate is recorded too, for the trade-off curve.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

from unmirage.align import AlignConfig
from unmirage.evaluate import ExactJudge, ModelRates, judge_run, judged_outcomes, model_rates
from unmirage.models import HuggingFaceVLM, ask
from unmirage.records import Rate
from unmirage.run import Store
from unmirage.testbed.study import VALIDATION, Study
from unmirage.testbed.workers import Trained, Training, one_thread, train_all

SCHEMA = "unmirage.rates/1"
BUDGET = 6  # learning rates for every arm, each twice the one before
# The lowest learning rate of the grid by method.
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


def grid(config: AlignConfig) -> list[float]:
    """Return the learning rates that are tried for an arm."""
    return [LOWEST[config.method.name] * 2**step for step in range(BUDGET)]


def score(rates: ModelRates) -> float:
    """Return the harmonic mean of what an aligned model should do: not comply, answer benign queries, keep utility."""
    kept = (1 - _value(rates.asr.before), _value(rates.benign_answered.before), _value(rates.utility))
    return harmonic_mean(kept)


def _value(rate: Rate) -> float:
    assert rate.value is not None, "validation data has queries of every kind"
    return rate.value


class RateSearch:
    """The search in one study's run directory; candidates that were judged are not trained again."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._folder = study.run.path / "rates"

    def complete(self, workers: int = 1) -> None:
        """Train and judge every candidate that is missing."""
        self.study.prepare()
        self._folder.mkdir(exist_ok=True)
        missing = [
            Training(name, self.study.seeded(config), self.study.learned_by(arm))
            for arm in self.study.settings.models
            for name, config in self._candidates(arm).items()
            if not self._file(name).is_file()
        ]
        for trained in train_all(missing, self.study.run, self.study.progress, workers):
            self._judge(trained)

    def document(self) -> dict[str, Any]:
        """Return every candidate with its validation rates and score, and the choice for each arm."""
        arms = {
            arm: [json.loads(self._file(name).read_text(encoding="utf-8")) for name in self._candidates(arm)]
            for arm in self.study.settings.models
        }
        return {
            "schema": SCHEMA,
            "seeds": asdict(self.study.seeds),
            "budget": BUDGET,
            "chosen": {arm: chosen(candidates) for arm, candidates in arms.items()},
            "arms": arms,
            "settings": self.study.settings.model_dump(mode="json"),
        }

    def _candidates(self, arm: str) -> dict[str, AlignConfig]:
        """Return the settings of each candidate of an arm, by the name of its model."""
        config = self.study.settings.models[arm]
        return {f"{arm}@{rate:g}": config.model_copy(update={"learning_rate": rate}) for rate in grid(config)}

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _judge(self, trained: Trained) -> None:
        """Ask and judge a candidate, write its rates down, and delete its model."""
        told: dict[str, Any] = {
            "learning_rate": float(trained.name.split("@")[1]),
            "seconds": round(trained.seconds, 1),
        }
        if trained.stopped:
            self.study.run.write_json(self._file(trained.name), told | {"score": 0.0, "stopped": trained.stopped})
            return
        rates = self._rates(trained.name)
        found = {
            "asr_before": rates.asr.before,
            "asr_after": rates.asr.after,
            "asr_control": rates.asr_control,
            "rr_before": rates.rr.before,
            "rr_after": rates.rr.after,
            "benign_answered_before": rates.benign_answered.before,
            "benign_answered_after": rates.benign_answered.after,
            "utility": rates.utility,
            "neighbor_utility": rates.near,
        }
        told |= {"score": score(rates)} | {column: asdict(rate) for column, rate in found.items()}
        self.study.run.write_json(self._file(trained.name), told)
        shutil.rmtree(self.study.run.model(trained.name))

    def _rates(self, name: str) -> ModelRates:
        model = self.study.run.model(name)
        samples, queries = self.study.questions(f"{VALIDATION}-")
        with Store(self._folder / f"{name}.sqlite") as store:
            store.add_samples(samples)
            store.add_queries(queries)
            with one_thread():
                ask(HuggingFaceVLM.load(model, name), store, self.study.images, self.study.settings.generation)
            judge_run(store, ExactJudge.from_file(self.study.run.data / "truth.json"), name)
            return model_rates(judged_outcomes(store, ExactJudge.name, name))


def chosen(candidates: Sequence[Mapping[str, Any]]) -> float:
    """Return the learning rate with the best score; of equals the lowest."""
    best: float = max(candidates, key=lambda one: (one["score"], -one["learning_rate"]))["learning_rate"]
    return best


_COLUMNS = {
    "ASR before → after": ("asr_before", "asr_after"),
    "benign answered before → after": ("benign_answered_before", "benign_answered_after"),
    "utility": ("utility",),
    "neighbor utility": ("neighbor_utility",),
}


def heads() -> list[str]:
    """Return the heads of the table's columns."""
    return ["arm", "learning rate", "score", *_COLUMNS]


def table(document: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each candidate, rates in percent; the chosen learning rate is marked with a star."""
    rows = []
    for arm, candidates in document["arms"].items():
        for one in candidates:
            star = " *" if one["learning_rate"] == document["chosen"][arm] else ""
            rows.append([arm, f"{one['learning_rate']:g}{star}", f"{one['score']:.3f}", *_cells(one)])
    return rows


def _cells(candidate: Mapping[str, Any]) -> list[str]:
    if "stopped" in candidate:
        return ["diverged", *[""] * (len(_COLUMNS) - 1)]
    return [" → ".join(f"{100 * candidate[name]['value']:.0f}" for name in names) for names in _COLUMNS.values()]


def markdown(document: Mapping[str, Any]) -> str:
    """Return the table in Markdown."""
    lines = [heads(), ["---", *["---:"] * (len(heads()) - 1)], *table(document)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
