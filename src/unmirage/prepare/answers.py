"""Collect a model's own harmful answers to unsafe queries, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.attack import plain
from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.evaluate import Judge
from unmirage.models import VLM, GenerationConfig
from unmirage.prepare.choose import Candidate, choose
from unmirage.prepare.judges import VerdictJudge
from unmirage.records import Failure, Response, Sample


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
