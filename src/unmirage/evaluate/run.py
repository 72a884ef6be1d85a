"""Judge the responses in a run's store, and read the verdicts back as outcomes."""

from __future__ import annotations

from unmirage.errors import UserError
from unmirage.evaluate.judges import Judge, judge_response
from unmirage.evaluate.outcomes import ModelRates, Outcome, join, model_rates
from unmirage.evaluate.results import Results
from unmirage.run.directory import RunDirectory
from unmirage.run.machine import describe_machine
from unmirage.run.store import Store


def judge_run(store: Store, judge: Judge, model: str) -> None:
    """Let `judge` give a verdict on every response of `model`, replacing what it said before."""
    queries = {query.id: query for query in store.queries()}
    judgements = [judge_response(judge, queries[response.query_id], response) for response in store.responses(model)]
    store.replace_judgements(model, judge.name, judgements)


def judged_outcomes(store: Store, judge: str, model: str, group: int = 0) -> list[Outcome]:
    """Return an outcome for each verdict of `judge` on `model`; `group` tells apart runs that are pooled."""
    return join(store.queries(), store.judgements(model, judge), group)


def evaluate_run(run: RunDirectory, judge: Judge) -> Results:
    """Judge everything in a run of `unmirage attack` and return the rates of all its models.

    Raises:
        UserError: the run was made by something else, or nobody has answered in it yet.
    """
    config = run.config()
    if not {"seed", "attack"} <= set(config):
        raise UserError(f"{run.config_file}: field 'attack' is missing; evaluate takes a run of `unmirage attack`")
    models: dict[str, ModelRates] = {}
    with run.store() as store:
        for name in store.models():
            judge_run(store, judge, name)
            models[name] = model_rates(judged_outcomes(store, judge.name, name))
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
