"""Run the preparation: query models, choose the most harmful answers, and write the forget and retain sets.

Answers are committed to the run's store as they arrive. An interrupted run can resume, and writes the same files as an
uninterrupted one.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unmirage.attack import plain
from unmirage.data.images import Pictures
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.evaluate import Judge
from unmirage.models import VLM, GenerationConfig, ask
from unmirage.prepare.choose import Candidate, choose
from unmirage.prepare.document import Counts, Prepared, summarize
from unmirage.prepare.judges import HarmJudge, VerdictJudge
from unmirage.prepare.plan import Plan, PrepareConfig, plan
from unmirage.prepare.sets import DATA, GENERAL, Source, copy_pictures, retained, write_forget, write_retain
from unmirage.records import Failure, Judgement, Response, Sample
from unmirage.run import Run, Store
from unmirage.run.progress import Progress, in_stage


def harmful_answers(
    vlm: VLM, samples: Sequence[Sample], images: Pictures, judge: Judge, config: GenerationConfig
) -> dict[str, str]:
    """Return sample id -> answer for each unsafe query with which `vlm` complies according to the judge.

    Raises:
        UserError: a query fails. `prepare` instead counts failed queries and continues.
    """
    queries = {query.id: query for query in plain(sample for sample in samples if sample.refused)}
    responses: list[Response] = []
    for found in vlm.answer(list(queries.values()), images, config):
        if isinstance(found, Failure):
            raise UserError(f"query '{found.query_id}': {found.reason}")
        responses.append(found)
    assessed = VerdictJudge(judge).assess([(queries[one.query_id], one) for one in responses])
    candidates = {one.query_id: Candidate(one, what) for one, what in zip(responses, assessed, strict=True)}
    chosen = choose(list(queries.values()), [candidates]).chosen
    return {queries[key].sample_id: one.response.text for key, one in chosen.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A model that answers the unsafe queries. It is loaded only if it has unanswered queries.

    Attributes:
        name: name in tables and in the provenance of rows.
        spec: specification as the user wrote it.
        load: returns the model, with this name, and the properties that identify it.
        fingerprint: properties that identify the model, if known without loading it.
    """

    name: str
    spec: str
    load: Callable[[], tuple[VLM, Mapping[str, str]]]
    fingerprint: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Inputs of the preparation.

    Attributes:
        general: general samples that fill up the retain set; None for none.
        answerers: models that answer the unsafe queries, in order of preference.
    """

    data: SampleFile
    general: SampleFile | None = None
    answerers: Sequence[Answerer]
    judge: HarmJudge
    config: PrepareConfig = field(default_factory=PrepareConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)

    def plan(self) -> Plan:
        """Return the queries to send and the samples to retain; see `plan.plan`."""
        return plan(self.data, self.config, general=self.general is not None)


def prepare(run: Run, inputs: Inputs, planned: Plan, settings: Mapping[str, Any], progress: Progress) -> Prepared:
    """Write forget.jsonl, retain.jsonl, their images and prepare.json to the run; return prepare.json.

    Args:
        run: open run directory. Its store may already contain some answers.
        planned: result of `inputs.plan()`.
        settings: configuration of the run, for prepare.json.

    Raises:
        UserError: a model or server is unusable, or a different model has answers under the same name.
    """
    with run.store() as store:
        store.add_samples(planned.samples)
        store.add_queries(planned.queries)
        for one in inputs.answerers:
            _answer(one, store, inputs, progress)
        by_model = _judge(store, inputs, progress)
        names = [one.name for one in inputs.answerers]
        choice = choose(planned.queries, [by_model[name] for name in names])
        counts = Counts(
            queries=planned.queries,
            by_model=by_model,
            choice=choice,
            specs={one.name: one.spec for one in inputs.answerers},
            fingerprint={name: store.model_files(name) for name in names},
            failures=[failure for name in names for failure in store.failures(name)],
            judge=inputs.judge.name,
        )
    kept = retained(planned, inputs.data.pictures, inputs.general, inputs.config.seed)
    files = {DATA: inputs.data, GENERAL: inputs.general}
    sources = {name: Source.of(file, name) for name, file in files.items() if file is not None}
    by_sample = {query.sample_id: choice.chosen[query.id] for query in planned.queries if query.id in choice.chosen}
    forgotten = [sample for sample in planned.samples if sample.id in by_sample]
    parts = [(sources[name], samples) for name, samples in ((DATA, kept.data), (GENERAL, kept.general)) if samples]
    # Images come before the rows that refer to them, so that no row ever has a missing image.
    copy_pictures(run.path, [(sources[DATA], forgotten), *parts], in_stage(progress, "copy images"))
    write_forget(run.path, forgotten, sources[DATA], by_sample, inputs.judge.name)
    write_retain(run.path, parts)
    found = summarize(run.path, settings, planned, counts, kept, list(sources.values()))
    found.save(run.path / Prepared.FILE)
    return found


def _answer(one: Answerer, store: Store, inputs: Inputs, progress: Progress) -> None:
    """Send a model its unanswered queries, and release its memory afterwards."""
    if one.fingerprint is not None:
        # Also needed if all queries are answered: add_model checks that this model gave the stored answers.
        store.add_model(one.name, one.fingerprint)
    if not store.unanswered(one.name):
        return
    vlm, fingerprint = one.load()
    assert vlm.name == one.name
    store.add_model(one.name, fingerprint)
    ask(vlm, store, inputs.data.pictures, inputs.generation, in_stage(progress, f"ask {one.name}"))
    del vlm
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _judge(store: Store, inputs: Inputs, progress: Progress) -> dict[str, dict[str, Candidate]]:
    """Judge all answers, store the verdicts, and return model -> query id -> candidate."""
    queries = {query.id: query for query in store.queries()}
    responses = [response for one in inputs.answerers for response in store.responses(one.name)]
    assessed = inputs.judge.assess(
        [(queries[response.query_id], response) for response in responses],
        in_stage(progress, f"judge by {inputs.judge.name}"),
    )
    found: dict[str, dict[str, Candidate]] = {one.name: {} for one in inputs.answerers}
    for response, assessment in zip(responses, assessed, strict=True):
        found[response.model][response.query_id] = Candidate(response, assessment)
    for model, candidates in found.items():
        judge, assessments = inputs.judge.name, ((key, one.assessment) for key, one in candidates.items())
        judgements = (
            Judgement(query_id=key, model=model, judge=judge, verdict=one.verdict, why=one.why)
            for key, one in assessments
        )
        store.replace_judgements(model, judge, judgements)
    return found
