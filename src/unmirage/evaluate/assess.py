"""A run in, everything that results.json says about it out: judged, rated, corrected, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.agreement import Agreement, agreement
from unmirage.evaluate.calibration import JudgeCalibration
from unmirage.evaluate.compare import Comparison, compare
from unmirage.evaluate.decided import decided
from unmirage.evaluate.details import Details, describe
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.judges.canaries import Canaries, run_canaries
from unmirage.evaluate.judges.ensemble import combine, ensemble_name
from unmirage.evaluate.outcomes import ModelRates, Outcome, model_rates
from unmirage.evaluate.results import Results
from unmirage.evaluate.run import judge_run, judged_outcomes, stops_at_success, what_was_said
from unmirage.evaluate.scoring import mean_scores, score_run
from unmirage.run.directory import Run
from unmirage.run.machine import describe_machine
from unmirage.run.store import Store

Progress = Callable[[str, int, int], None]  # (what is done, done, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Who judges, and what is known about the judges.

    Attributes:
        judges: the first one stands behind the rates, unless there is an ensemble.
        ensemble: a name of `ensemble.RULES`: all judges together stand behind the rates.
        calibration: of the judge behind the rates.
        canaries: attack the judges that are language models.
        reference: the model that all others are compared with; None for the first.
    """

    judges: Sequence[Judge]
    ensemble: str | None = None
    calibration: JudgeCalibration | None = None
    canaries: bool = True
    reference: str | None = None

    def calibrated(self, calibration: JudgeCalibration) -> Judging:
        """Return the same with what is known of how the judge errs."""
        return replace(self, calibration=calibration)

    @property
    def name(self) -> str:
        """Return the name of the judge behind the rates."""
        names = [judge.name for judge in self.judges]
        return names[0] if self.ensemble is None else ensemble_name(self.ensemble, names)


def evaluate_run(run: Run, judging: Judging, progress: Progress | None = None) -> Results:
    """Judge everything in a run, and return what there is to say about all its models.

    Raises:
        UserError: the run was made by something else, or nobody has answered in it yet.
    """
    config = run.config()
    if not {"seed", "attack"} <= set(config):
        raise UserError(
            f"{run.config_file}: field 'attack' is missing; evaluate takes a run of `unmirage attack` or of --suite"
        )
    with run.store() as store:
        found = _Assessment(store, config, judging)
        if not found.models:
            raise UserError(f"{run.path}: no model has answered yet; run `unmirage attack` first")
        _check_reference(found.models, judging.reference)
        found.judge_all(progress)
        canaries = _canaries(judging)
        models = found.rates()
        return Results(
            judge=judging.name,
            seeds=[config["seed"]],
            models=models,
            by_seed=[models],
            attack=config["attack"],
            details=found.details(),
            comparisons=found.comparisons(),
            judges=found.agreements(),
            canaries=canaries,
            calibration=judging.calibration,
            suite=config.get("suite"),
            settings=config,
            machine=describe_machine(),
        )


def _check_reference(models: Sequence[str], reference: str | None) -> None:
    if reference is not None and reference not in models:
        raise UserError(f"--reference {reference}: no model of this name has answered; valid: {', '.join(models)}")


def _canaries(judging: Judging) -> dict[str, Canaries]:
    return {judge.name: run_canaries(judge) for judge in judging.judges if judge.made_of} if judging.canaries else {}


class _Assessment:
    """The models of one store, and what is said about them."""

    def __init__(self, store: Store, config: Mapping[str, Any], judging: Judging) -> None:
        self.models = store.models()
        self._store = store
        self._judging = judging
        self._stopped = stops_at_success(config)
        self._suite = config.get("suite")
        self._outcomes: dict[str, list[Outcome]] = {}

    def judge_all(self, progress: Progress | None) -> None:
        """Let all judges judge all models; then read what stands behind the rates."""
        for model in self.models:
            for judge in self._judging.judges:
                judge_run(self._store, judge, model, _told(progress, f"judge {model}"))
            if self._judging.ensemble is not None:
                self._vote(model, self._judging.ensemble)
            self._outcomes[model] = judged_outcomes(self._store, self._judging.name, model, stopped=self._stopped)
            if self._suite is not None:
                score_run(self._store, model, self._suite["name"])

    def _vote(self, model: str, rule: str) -> None:
        names = [judge.name for judge in self._judging.judges]
        judgements = [one for name in names for one in self._store.judgements(model, name)]
        self._store.replace_judgements(model, self._judging.name, combine(rule, names, judgements))

    def rates(self) -> dict[str, ModelRates]:
        """Return the rates of all models."""
        return {model: model_rates(self._outcomes[model], stopped=self._stopped) for model in self.models}

    def details(self) -> dict[str, Details]:
        """Return what else is known of each model."""
        variants, said = self._store.variants(), what_was_said(self._store, self._judging.name)
        return {
            model: describe(
                self._outcomes[model],
                said[model],
                calibration=self._judging.calibration,
                stopped=self._stopped,
                scores=mean_scores(self._store, model),
                variant=variants.get(model),
            )
            for model in self.models
        }

    def comparisons(self) -> list[Comparison]:
        """Return the differences within and between the models."""
        found = {model: decided(self._outcomes[model]) for model in self.models}
        return compare(found, self._judging.reference)

    def agreements(self) -> dict[str, Agreement]:
        """Return how far each other judge agrees with the one behind the rates."""
        name = self._judging.name
        truth = [one for model in self.models for one in self._store.judgements(model, name)]
        return {
            judge.name: agreement(
                [one for model in self.models for one in self._store.judgements(model, judge.name)], truth
            )
            for judge in self._judging.judges
            if judge.name != name
        }


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)
