"""Evaluate a run: judge its responses, compute rates and comparisons, and return the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.agreement import JudgeQuality, agreement
from unmirage.evaluate.calibration import JudgeCalibration, MainCalibration
from unmirage.evaluate.compare import Comparison, compare
from unmirage.evaluate.details import ModelResults, describe
from unmirage.evaluate.graded import GradedHarm, graded_responses
from unmirage.evaluate.judges import Judge, PhraseJudge
from unmirage.evaluate.judges.canaries import run_canaries
from unmirage.evaluate.judges.ensemble import combine, ensemble_name
from unmirage.evaluate.outcomes import Outcome
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.evaluate.relevance import (
    MeanComparison,
    Relevance,
    Similarities,
    TextEncoder,
    benign_similarities,
    compare_relevance,
    missing_benign,
    relevance,
)
from unmirage.evaluate.results import Results, Suite
from unmirage.evaluate.run import judge_run, judged_outcomes, stops_at_success, what_was_said
from unmirage.evaluate.scoring import mean_scores, score_run
from unmirage.models.base import thinking_note
from unmirage.records import Judgement
from unmirage.run.directory import Run
from unmirage.run.machine import describe_machine
from unmirage.run.progress import Progress, in_stage
from unmirage.run.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The judges and how to use them.

    Attributes:
        judges: the first one determines the rates, unless `ensemble` is set.
        ensemble: a key of `ensemble.RULES`; all judges together then determine the rates.
        calibration: error rates of the judge that determines the rates.
        canaries: whether to test judges that are language models with attacks.
        reference: model that all others are compared with; None selects the first model.
        encoder: sentence encoder that measures the relevance of benign responses; None to leave it out.
        encoder_name: name of the encoder in the results.
    """

    judges: Sequence[Judge]
    ensemble: str | None = None
    calibration: JudgeCalibration | None = None
    canaries: bool = True
    reference: str | None = None
    encoder: TextEncoder | None = None
    encoder_name: str = "encoder"

    @property
    def name(self) -> str:
        """Return the name of the judge or ensemble that determines the rates."""
        names = [judge.name for judge in self.judges]
        return names[0] if self.ensemble is None else ensemble_name(self.ensemble, names)


def evaluate_run(
    run: Run, judging: Judging, progress: Progress | None = None, config: Mapping[str, Any] | None = None
) -> Results:
    """Judge all responses in a run and return the results for all its models.

    Args:
        run: the run.
        judging: how to judge.
        progress: called after each verdict.
        config: configuration of the run; None for its own.

    Raises:
        UserError: another command made the run, or it has no responses yet.
    """
    config = run.config() if config is None else config
    if not {"seed", "attack"} <= set(config):
        raise UserError(
            f"{run.config_file}: field 'attack' is missing. Pass a run of `unmirage attack`, or use --suite."
        )
    with run.store() as store:
        found = _Assessment(store, config, judging)
        if not found.models:
            raise UserError(f"{run.path}: the run has no responses yet. Run `unmirage attack` first.")
        _check_reference(found.models, judging.reference)
        found.judge_all(progress)
        models = found.results()
        return Results.of(
            judge=judging.name,
            seeds=[config["seed"]],
            models=models,
            by_seed=[models],
            attack=config["attack"],
            comparisons=tuple(found.comparisons()),
            relevance_comparisons=tuple(found.relevance_comparisons()),
            judges=found.qualities(),
            suite=Suite(**config["suite"]) if config.get("suite") else None,
            notes=(*(config.get("notes") or ()), *found.notes()),
            settings=config,
            machine=describe_machine(),
        )


def _check_reference(models: Sequence[str], reference: str | None) -> None:
    if reference is not None and reference not in models:
        raise UserError(f"--reference {reference}: the run has no responses of this model; valid: {', '.join(models)}")


class _Assessment:
    """Evaluates the models of one store."""

    def __init__(self, store: Store, config: Mapping[str, Any], judging: Judging) -> None:
        self.models = store.models()
        self._store = store
        self._judging = judging
        self._stopped = stops_at_success(config)
        self._suite = config.get("suite")
        self._outcomes: dict[str, list[Outcome]] = {}
        self._similar: dict[str, Similarities] = {}

    def judge_all(self, progress: Progress | None) -> None:
        """Run all judges on all models, then read the outcomes that determine the rates."""
        for model in self.models:
            for judge in self._judging.judges:
                judge_run(self._store, judge, model, in_stage(progress, f"judge {model}"))
            if self._judging.ensemble is not None:
                self._vote(model, self._judging.ensemble)
            self._outcomes[model] = judged_outcomes(self._store, self._judging.name, model, stopped=self._stopped)
            if self._judging.encoder is not None:
                self._similar[model] = benign_similarities(
                    self._store, self._judging.name, model, self._judging.encoder
                )
            if self._suite is not None:
                score_run(self._store, model, self._suite["name"])

    def _vote(self, model: str, rule: str) -> None:
        names = [judge.name for judge in self._judging.judges]
        judgements = [one for name in names for one in self._store.judgements(model, name)]
        self._store.replace_judgements(model, self._judging.name, combine(rule, names, judgements))

    def results(self) -> dict[str, ModelResults]:
        """Return the rates and details of each model."""
        variants, said = self._store.variants(), what_was_said(self._store, self._judging.name)
        return {
            model: describe(
                self._outcomes[model],
                said[model],
                calibration=self._judging.calibration,
                stopped=self._stopped,
                scores=mean_scores(self._store, model),
                variant=variants.get(model),
                graded=self._graded(model),
                relevance=self._relevance(model),
            )
            for model in self.models
        }

    def _relevance(self, model: str) -> Relevance | None:
        if model not in self._similar:
            return None
        found = self._similar[model]
        return relevance(found, encoder=self._judging.encoder_name, missing=missing_benign(self._store, found))

    def _graded(self, model: str) -> dict[str, GradedHarm]:
        names = [judge.name for judge in self._judging.judges if getattr(judge, "is_graded", False)]
        return {name: graded_responses(self._store, name, model, stopped=self._stopped) for name in names}

    def notes(self) -> list[str]:
        """Return a line for each thing that limits the results.

        A server did not do what was requested, a judge has no phrases for the language of some responses, or a model
        was trained with other prompts than it was asked with.
        """
        judges = self._judging.judges
        responses = [one.text for model in self.models for one in self._store.responses(model)]
        found = self._store.notes([*self.models, *(f"judge {judge.name}" for judge in judges)])
        found += [judge.note(responses) for judge in judges if isinstance(judge, PhraseJudge)]
        found += [thinking_note(model, self._store.model_files(model)) for model in self.models]
        return [note for note in found if note]

    def comparisons(self) -> list[Comparison]:
        """Return the comparisons within and between models."""
        found = {model: decided(self._outcomes[model]) for model in self.models}
        return compare(found, self._judging.reference)

    def relevance_comparisons(self) -> list[MeanComparison]:
        """Return the differences of relevance between the reference and each other model."""
        return compare_relevance(self._similar, self._judging.reference)

    def qualities(self) -> dict[str, JudgeQuality]:
        """Return the quality of each judge, and of the ensemble, as far as it was measured."""
        name, judges, calibration = self._judging.name, self._judging.judges, self._judging.calibration
        truth = self._judgements(name)
        found = {one.name: agreement(self._judgements(one.name), truth) for one in judges if one.name != name}
        for judge in judges if self._judging.canaries else ():
            if judge.fingerprint:
                own = found.get(judge.name, JudgeQuality())
                found[judge.name] = replace(own, canaries=run_canaries(judge))
        if calibration is not None:
            found[name] = replace(found.get(name, JudgeQuality()), calibration=MainCalibration.by(calibration))
        return found

    def _judgements(self, judge: str) -> list[Judgement]:
        return [one for model in self.models for one in self._store.judgements(model, judge)]
