"""One model, its samples and a judge in; its own harmful answers out, all in memory."""

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
    """Return sample id -> answer for each unsafe query that `vlm` complies with, as the judge sees it.

    Raises:
        UserError: a query cannot be asked. `prepare` goes on where that may happen, and counts.
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
