"""What there is to forget: the base model's own harmful answers to the alignment data's unsafe queries."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.attack import plain
from unmirage.data import ImageFolder
from unmirage.evaluate import Judge
from unmirage.models import VLM, GenerationConfig
from unmirage.records import Response, Sample, Verdict


def harmful_answers(
    vlm: VLM, samples: Sequence[Sample], images: ImageFolder, judge: Judge, config: GenerationConfig
) -> dict[str, str]:
    """Return sample id -> answer for each unsafe query that `vlm` complies with, as the judge sees it."""
    queries = {query.id: query for query in plain([sample for sample in samples if sample.refused])}
    answers = {}
    for response in vlm.answer(list(queries.values()), images, config):
        assert isinstance(response, Response), response  # the world's own pictures can be read
        query = queries[response.query_id]
        if judge.verdict(query, response.text)[0] is Verdict.COMPLIED:
            answers[query.sample_id] = response.text
    return answers
