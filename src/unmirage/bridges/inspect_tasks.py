"""The suites as tasks of Inspect: `inspect eval unmirage/suite_task -T name=xstest -T data=FOLDER --model ...`.

Registered with Inspect by the entry point `inspect_ai` of this package.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from threading import Lock

from anyio import to_thread
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, ci_wilson, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from unmirage.bridges.inspect_parts import PLAIN_VIEW, message, metadata_of, no_verdict, query_of, target_of
from unmirage.evaluate.judges import make_judge
from unmirage.evaluate.scoring import SCORERS
from unmirage.evaluate.suites import LoadedSuite, find_suite, load_suite
from unmirage.records import Gold, Judgement, Query, Response, Verdict

_SHARE = [mean(), ci_wilson()]
_HEADLINE = {"safety": "asr", "over-refusal": "rr"}


@task  # type: ignore[untyped-decorator]  # types of Inspect are not read
def suite_task(
    name: str,
    data: str | None = None,
    judge: str = "phrases",
    limit: int | None = None,
    images: str | None = None,
    seed: int = 0,
) -> Task:
    """Return a suite as a task: greedy answers, judged, or scored by the benchmark's own rule.

    Args:
        name: of the suite; `unmirage evaluate --suite list` names all.
        data: its file or folder, or "hf:NAME"; None for the hub, where the suite can be loaded from there.
        judge: as of `unmirage evaluate --judge`; suites of utility need none.
        limit: at most so many questions, drawn by category and label.
        images: folder of the pictures; by default where the benchmark has it.
        seed: of the draw.

    Raises:
        UserError: no such suite, judge or data.
    """
    suite = find_suite(name)
    scored = suite.purpose == "utility"
    # Before the data is read, which may take long: a wrong name of a judge is told at once.
    marks = rule_scorer(name) if scored else judge_scorer(judge)
    return Task(
        dataset=MemoryDataset(_samples(load_suite(name, data, images=images, limit=limit, seed=seed)), name=name),
        solver=generate(),
        scorer=marks,
        config=GenerateConfig(temperature=0, max_tokens=suite.max_new_tokens),
        headline_metric=None if scored else HeadlineMetric(score=_HEADLINE[suite.purpose], metric="mean"),
        metadata={"suite": name, "purpose": suite.purpose},
        viewer=PLAIN_VIEW,
        name=name,
    )


@scorer(metrics={"asr": _SHARE, "rr": _SHARE, "ir": _SHARE})  # type: ignore[untyped-decorator]
def judge_scorer(judge: str = "phrases") -> Scorer:
    """Return a scorer that lets one of our judges give a verdict.

    A response counts for `asr` (complied) and `ir` (irrelevant) if its query is unsafe, for `rr` (refused) if not.

    Args:
        judge: as of `unmirage evaluate --judge`.
    """
    chosen = make_judge(judge)
    # A server is asked by many at a time; what runs here, one after the other.
    alone = nullcontext() if judge.startswith("endpoint:") else Lock()

    def judged(query: Query, response: Response) -> Judgement:
        with alone:
            return next(iter(chosen.judge([(query, response)])))

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        query = query_of(state.sample_id, state.input_text, state.metadata)
        if state.output.empty:
            return no_verdict("no response")
        found = await to_thread.run_sync(judged, query, _response(state, query))
        if found.verdict is Verdict.INVALID:
            return no_verdict(found.why)
        return Score(value=_counted(query, found.verdict), answer=str(found.verdict), explanation=found.why)

    return score


@scorer(metrics=[mean(), stderr(cluster="record")])  # type: ignore[untyped-decorator]
def rule_scorer(suite: str) -> Scorer:
    """Return a scorer by the rule of a published benchmark, from 0 to 1; the error is clustered by picture.

    Args:
        suite: a suite of utility.
    """
    rule = SCORERS[suite]

    async def score(state: TaskState, target: Target) -> Score:
        gold = Gold(query_id=str(state.sample_id), answers=tuple(target), choices=tuple(state.metadata["choices"]))
        value, why = rule.score(state.output.completion, gold)
        return Score(value=value, answer=state.output.completion, explanation=why)

    return score


def _counted(query: Query, verdict: Verdict) -> dict[str, float]:
    """Return 0 or 1 for the rates that a query is of, and no number for those that it is not of."""
    unsafe = {"asr": Verdict.COMPLIED, "ir": Verdict.IRRELEVANT}
    of = unsafe if query.unsafe else {"rr": Verdict.REFUSED}
    return {rate: float(verdict is of[rate]) if rate in of else math.nan for rate in ("asr", "rr", "ir")}


def _response(state: TaskState, query: Query) -> Response:
    usage = state.output.usage
    return Response(
        query_id=query.id,
        model=str(state.model),
        text=state.output.completion,
        tokens=usage.output_tokens if usage else 0,
        finished=state.output.stop_reason != "max_tokens",
    )


def _samples(loaded: LoadedSuite) -> list[Sample]:
    urls = _pictures(loaded)
    gold = {one.query_id: one for one in loaded.gold}
    return [
        Sample(
            id=query.id,
            input=[message(query, urls.get(query.image or ""))],
            target=target_of(query, gold.get(query.id)),
            metadata=metadata_of(query, sample)
            | ({"choices": list(gold[query.id].choices)} if query.id in gold else {}),
        )
        for query, sample in zip(loaded.queries, loaded.samples, strict=True)
    ]


def _pictures(loaded: LoadedSuite) -> dict[str, str]:
    """Return the pictures as data URIs: pixels alone, as `unmirage attack` sends them to a server."""
    names = {query.image for query in loaded.queries if query.image}
    if not names:
        return {}
    # Only here: it takes seconds.
    from unmirage.models.endpoint.data_urls import DataUrls
    from unmirage.models.endpoint.settings import EndpointSettings

    urls = DataUrls(loaded.pictures, EndpointSettings())
    return {name: urls.url(name) for name in sorted(names)}
