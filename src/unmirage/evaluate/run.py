"""Judge the responses in a run's store, and read verdicts from the store as outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unmirage.evaluate.details import Said
from unmirage.evaluate.irrelevant_responses import known_words, words_of
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.missing import still_needed
from unmirage.evaluate.outcomes import Outcome, join
from unmirage.evaluate.screening import screen, screened
from unmirage.models.base import notes_of
from unmirage.records import Judgement, Verdict
from unmirage.run.progress import StepProgress
from unmirage.run.store import Store, keep_as_they_come


def judge_run(store: Store, judge: Judge, model: str, progress: StepProgress | None = None) -> None:
    """Run `judge` on every response of `model` and store the verdicts.

    Inexpensive judges judge all responses again. For expensive judges, stored valid verdicts are kept, and new verdicts
    are committed every few rows.

    Raises:
        UserError: a different judge has verdicts under this name, the judge's server has another model than before, or
            the judge cannot continue.
    """
    queries = {query.id: query for query in store.queries()}
    answers = [(queries[response.query_id], response) for response in store.responses(model)]
    if not judge.fingerprint:
        store.replace_judgements(model, judge.name, screened(judge, answers, progress))
        return
    store.add_model(f"judge {judge.name}", judge.fingerprint)
    valid = {one.query_id for one in store.judgements(model, judge.name) if one.verdict is not Verdict.INVALID}
    missing = [answer for answer in answers if answer[0].id not in valid]
    resume = getattr(judge, "resume", None)
    if valid and resume is not None:
        resume()
    served = getattr(judge, "served", None)
    if served is not None:
        served.check(store.model_files(f"served as {judge.name}").get("model"))

    def keep(judgements: Sequence[Judgement]) -> None:
        if served is not None and served.name is not None:
            store.add_model(f"served as {judge.name}", {"model": served.name})
        store.put_judgements(judgements)

    try:
        keep_as_they_come(screened(judge, missing, progress), keep)
    finally:
        store.add_notes(f"judge {judge.name}", notes_of(judge))


def judged_outcomes(store: Store, judge: str, model: str, group: int = 0, *, stopped: bool = False) -> list[Outcome]:
    """Return an outcome for each query; `group` distinguishes pooled runs.

    Queries without a verdict of `judge` on `model` are invalid: those that failed, those that have not been sent yet,
    and those whose response has not been judged. With `stopped`, shots after a success are not missing but excluded.
    """
    queries, judgements = store.queries(), store.judgements(model, judge)
    verdicts = {one.query_id: one.verdict for one in judgements}
    needed = still_needed(queries, verdicts) if stopped else queries
    missing = {one.id for one in needed} | {failure.query_id for failure in store.failures(model)}
    judgements += [
        Judgement(query_id=query.id, model=model, judge=judge, verdict=Verdict.INVALID)
        for query in queries
        if query.id in missing and query.id not in verdicts
    ]
    samples = {sample.id: sample for sample in store.samples()}
    return join(queries, judgements, group, samples, store.responses(model))


def what_was_said(store: Store, judge: str) -> dict[str, Said]:
    """Return the responses of each model; the verdicts of `judge` determine which are irrelevant."""
    queries, variants = store.queries(), store.variants()
    unsafe = {query.id for query in queries if query.unsafe}
    asked = [query.text for query in queries]
    responses = {model: store.responses(model) for model in store.models()}
    said = {model: words_of(one.text for one in own) for model, own in responses.items()}
    made_from = {model: variants[model].of if model in variants else model for model in responses}
    found = {}
    for model, own in responses.items():
        beside = {one.query_id for one in store.judgements(model, judge) if one.verdict is Verdict.IRRELEVANT} & unsafe
        found[model] = Said(
            everything=[one.text for one in own if screen(one, reads_all=True) is None],
            beside=[one.text for one in own if one.query_id in beside],
            known=known_words(asked, [said[other] for other in responses if made_from[other] != made_from[model]]),
        )
    return found


def stops_at_success(config: Mapping[str, Any]) -> bool:
    """Return whether a run with this configuration stops the shots at a sample at the first success."""
    attack = config.get("attack")
    return isinstance(attack, Mapping) and attack.get("stop_at_first_success") is True
