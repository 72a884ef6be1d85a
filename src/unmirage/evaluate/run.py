"""Judge the responses in a run's store, and read the verdicts back as outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.gaps import unasked
from unmirage.evaluate.judges import Judge, judge_response
from unmirage.evaluate.outcomes import ModelRates, Outcome, join, model_rates
from unmirage.evaluate.results import Results
from unmirage.records import Judgement, Verdict
from unmirage.run.directory import RunDirectory
from unmirage.run.machine import describe_machine
from unmirage.run.store import Store


def judge_run(store: Store, judge: Judge, model: str) -> None:
    """Let `judge` give a verdict on every response of `model`, replacing what it said before."""
    queries = {query.id: query for query in store.queries()}
    judgements = [judge_response(judge, queries[response.query_id], response) for response in store.responses(model)]
    store.replace_judgements(model, judge.name, judgements)


def judged_outcomes(store: Store, judge: str, model: str, group: int = 0, *, stopped: bool = False) -> list[Outcome]:
    """Return an outcome for each verdict of `judge` on `model`; `group` tells apart runs that are pooled.

    A query that could not be asked is one without a verdict. Where shots were `stopped` at a success, so is one that
    is still to be asked: without it, a sample that nothing has broken yet would pass for one that nothing breaks.
    """
    queries, judgements = store.queries(), store.judgements(model, judge)
    failed = {failure.query_id for failure in store.failures(model)}
    if stopped:
        failed |= {query.id for query in unasked(store, judge, model, stopped=True)}
    failed -= {one.query_id for one in judgements}
    judgements += [
        Judgement(query_id=query.id, model=model, judge=judge, verdict=Verdict.INVALID)
        for query in queries
        if query.id in failed
    ]
    return join(queries, judgements, group)


def stops_at_success(config: Mapping[str, Any]) -> bool:
    """Say whether a run of this configuration asks a sample no more once an attack on it succeeded."""
    attack = config.get("attack")
    return isinstance(attack, Mapping) and attack.get("stop_at_first_success") is True


def evaluate_run(run: RunDirectory, judge: Judge) -> Results:
    """Judge everything in a run of `unmirage attack` and return the rates of all its models.

    Raises:
        UserError: the run was made by something else, or nobody has answered in it yet.
    """
    config = run.config()
    if not {"seed", "attack"} <= set(config):
        raise UserError(f"{run.config_file}: field 'attack' is missing; evaluate takes a run of `unmirage attack`")
    stopped = stops_at_success(config)
    models: dict[str, ModelRates] = {}
    with run.store() as store:
        for name in store.models():
            judge_run(store, judge, name)
            outcomes = judged_outcomes(store, judge.name, name, stopped=stopped)
            models[name] = model_rates(outcomes, stopped=stopped)
    if not models:
        raise UserError(f"{run.path}: no model has answered yet; run `unmirage attack` first")
    return Results(
        judge=judge.name,
        seeds=[config["seed"]],
        models=models,
        by_seed=[models],
        attack=config["attack"],
        settings=config,
        machine=describe_machine(),
    )
