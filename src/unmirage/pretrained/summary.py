"""Pool the finished seeds of the study in one document.

All seeds ask the same test queries, so responses to one query are not independent across seeds: intervals of pooled
rates cluster them. They do not include the variation between trainings, which `over_seeds` shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmirage.data.overlap import Way
from unmirage.evaluate import ModelRates, Results, judged_outcomes, model_rates
from unmirage.evaluate.bootstrap import mean_over_seeds
from unmirage.evaluate.collapse import collapsed
from unmirage.evaluate.compare import Side, holm, pair
from unmirage.evaluate.outcomes import Outcome
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.evaluate.relevance import Similarity, TextEncoder, benign_similarities, relevance
from unmirage.evaluate.run import what_was_said
from unmirage.intervals import Mean
from unmirage.pretrained.documents import (
    DataSummary,
    ModelRow,
    PretrainedStudy,
    SeedRates,
    SeedTraining,
    WordingRates,
    WordingSet,
)
from unmirage.pretrained.inputs import Inputs
from unmirage.pretrained.meaning import label_of, meaning_kept
from unmirage.pretrained.settings import BASE, MODELS
from unmirage.pretrained.study import SeedStudy
from unmirage.pretrained.wordings import OURS, Wordings
from unmirage.records import NOT_MEASURED, Cluster, Rate
from unmirage.run.fingerprint import folder_fingerprint
from unmirage.run.machine import describe_machine

COLUMNS: Mapping[str, Callable[[ModelRates], Rate]] = {
    "asr_before": lambda rates: rates.asr.before,
    "asr_after": lambda rates: rates.asr.after,
    "asr_per_shot": lambda rates: rates.asr.per_shot,
    "asr_control": lambda rates: rates.asr.control,
    "asr_form_control": lambda rates: rates.asr.by_kind.get("form-control", NOT_MEASURED),
    "rr_before": lambda rates: rates.rr.before,
    "rr_after": lambda rates: rates.rr.after,
    "rr_control": lambda rates: rates.rr.by_kind.get("control", NOT_MEASURED),
    "rr_form_control": lambda rates: rates.rr.by_kind.get("form-control", NOT_MEASURED),
    "refused_unsafe_before": lambda rates: rates.refused_unsafe.before,
    "refused_unsafe_after": lambda rates: rates.refused_unsafe.after,
    "ir_before": lambda rates: rates.ir.before,
    "ir_after": lambda rates: rates.ir.after,
    "benign_answered_before": lambda rates: rates.benign_answered.before,
    "benign_answered_after": lambda rates: rates.benign_answered.after,
    "degenerate": lambda rates: rates.degenerate,
}
_ATTACKED = ("asr", "rr", "benign_answered")


def summarize(
    studies: Sequence[SeedStudy],
    results: Sequence[Mapping[str, Results]],
    encoder: tuple[TextEncoder, str] | None,
    commit: str,
) -> PretrainedStudy:
    """Return the document.

    Args:
        studies: the seeds, finished.
        results: for each seed, the results of each run.
        encoder: sentence encoder that measures relevance, and its name.
        commit: commit of the checkout.
    """
    first, request = studies[0], studies[0].request
    judge = results[0][OURS].judge
    names = [name for name in MODELS if all(name in study.models() for study in studies)]
    base = folder_fingerprint(request.base)
    notes = (
        *request.inputs.notes,
        f"training data: {first.cut}",
        *(note for one in first.wordings for note in one.notes),
    )
    if encoder is None:
        notes = (*notes, "relevance was not measured; name a sentence encoder with --encoder")
    return PretrainedStudy(
        commit=commit,
        base={
            "name": request.base.name,
            **{name: base[name] for name in sorted(base) if name.endswith(".safetensors")},
        },
        seeds=tuple(study.seed for study in studies),
        judge=judge,
        data=_data(request.inputs),
        wordings={one.name: _asked(one, None if encoder is None else encoder[0]) for one in first.wordings},
        models=tuple(_row(name, studies, judge, encoder) for name in names),
        left_out={name: why for study in studies for name, why in study.left_out.items()},
        notes=notes,
        settings=request.settings.model_dump(mode="json") | {"limit": request.limit},
        machine=describe_machine(),
        timings=_timings(studies),
    )


def _data(inputs: Inputs) -> DataSummary:
    train, test = inputs.samples(inputs.train), inputs.samples(inputs.test)
    shared = {way: both.second.shared for way, both in inputs.overlap.shared.items()}
    return DataSummary(
        train=len(train),
        train_refused=sum(bool(one.refused) for one in train),
        test=len(test),
        general=0 if inputs.general is None else len(inputs.samples(inputs.general)),
        same_text=shared.get(Way.QUERY, 0),
        same_picture_and_text=shared.get(Way.PICTURE_AND_QUERY, 0),
        nearly_same_text=inputs.near,
    )


def _asked(wordings: Wordings, encoder: TextEncoder | None) -> WordingSet:
    return WordingSet(
        attack=wordings.config["attack"],
        queries=dict(Counter(label_of(one) for one in wordings.queries)),
        notes=wordings.notes,
        meaning=meaning_kept(wordings.queries, encoder),
    )


def _row(name: str, studies: Sequence[SeedStudy], judge: str, encoder: tuple[TextEncoder, str] | None) -> ModelRow:
    recipe = MODELS[name]
    answered = [study for study in studies if not study.record(name).get("stopped")]
    found = None if encoder is None or not answered else _similar(name, answered, judge, encoder[0])
    return ModelRow(
        name=name,
        method=recipe.method,
        data=recipe.data,
        share=recipe.share,
        what=recipe.what,
        trainings=tuple(_training(study, name) for study in studies if study.record(name)),
        wordings={one.name: _rates(name, one.name, answered, judge) for one in studies[0].wordings} if answered else {},
        relevance=None if found is None or encoder is None else relevance(found, encoder=encoder[1]),
    )


def _training(study: SeedStudy, name: str) -> SeedTraining:
    record = study.record(name)
    return SeedTraining(
        seed=study.seed,
        rows=record["rows"],
        refused=record["refused"],
        forget_rows=record["forget_rows"],
        steps=record["steps"],
        seconds=record["seconds"],
        cpu_seconds=record["cpu_seconds"],
        stopped=record["stopped"],
        losses={part: tuple(ends) for part, ends in record["losses"].items()},
        notes=tuple(record["notes"]),
    )


def _rates(name: str, wordings: str, studies: Sequence[SeedStudy], judge: str) -> WordingRates:
    by_seed = [_outcomes(study, wordings, name, judge) for study in studies]
    pooled = [one for own in by_seed for one in own]
    rates = model_rates(pooled)
    seeds = [model_rates(own) for own in by_seed]
    return WordingRates(
        rates=_columns(rates),
        by_k=rates.asr.by_k,
        control_by_k=rates.asr.control_by_k,
        over_seeds=_over_seeds(seeds) if len(seeds) > 1 else {},
        by_seed=tuple(
            SeedRates(seed=study.seed, rates=_columns(own)) for study, own in zip(studies, seeds, strict=True)
        ),
        changes=tuple(_changes(name, pooled)),
        collapsed=tuple(collapsed(pooled, _said(studies, wordings, name, judge))),
    )


def _columns(rates: ModelRates) -> dict[str, Rate]:
    return {column: pick(rates) for column, pick in COLUMNS.items()}


def _over_seeds(seeds: Sequence[ModelRates]) -> dict[str, Mean]:
    values = {column: [pick(own).value for own in seeds] for column, pick in COLUMNS.items()}
    known = {column: [one for one in own if one is not None] for column, own in values.items()}
    return {column: mean_over_seeds(own) for column, own in known.items() if own}


def _changes(name: str, outcomes: Sequence[Outcome]) -> Iterator[Any]:
    """Yield the change of each rate by the attack, with p-values corrected for the rates of the model."""
    found = decided(outcomes)
    sides = [(Side(name, f"{rate}.before"), Side(name, f"{rate}.after")) for rate in _ATTACKED]
    tested = [(a, b, pair(found[a.rate], found[b.rate])) for a, b in sides]
    tested = [one for one in tested if one[2].n]
    for (a, b, own), p_holm in zip(tested, holm([own.p_value for _, _, own in tested]), strict=True):
        yield own.between(a, b, p_holm)


def _outcomes(study: SeedStudy, wordings: str, name: str, judge: str) -> list[Outcome]:
    """Return the outcomes of a seed, with samples of their own, but clusters that the seeds share."""
    with study.run_of(wordings).store() as store:
        found = judged_outcomes(store, judge, name)
    return [
        replace(
            one,
            sample_id=f"{study.seed}|{one.sample_id}",
            cluster=one.cluster or Cluster("record", one.sample_id),
        )
        for one in found
    ]


def _said(studies: Sequence[SeedStudy], wordings: str, name: str, judge: str) -> list[str]:
    found: list[str] = []
    for study in studies:
        with study.run_of(wordings).store() as store:
            found += what_was_said(store, judge)[name].everything
    return found


def _similar(name: str, studies: Sequence[SeedStudy], judge: str, encoder: TextEncoder) -> dict[str, Similarity]:
    found: dict[str, Similarity] = {}
    for study in studies if name != BASE else studies[:1]:
        with study.run_of(OURS).store() as store:
            own = benign_similarities(store, judge, name, encoder)
        found |= {f"{study.seed}|{query}": one for query, one in own.items()}
    return found


def _timings(studies: Sequence[SeedStudy]) -> dict[str, dict[str, float]]:
    found: dict[str, Counter[str]] = {}
    for study in studies:
        for task, spent in study.timings().items():
            found.setdefault(task, Counter()).update(spent)
    return {task: {key: round(value, 1) for key, value in spent.items()} for task, spent in found.items()}


def relevance_of(folder: Path | None) -> tuple[TextEncoder, str] | None:
    """Return the sentence encoder in a directory and its name; None for None."""
    from unmirage.workflows.evaluate import sentence_encoder

    return None if folder is None else sentence_encoder(folder)
