"""Measure what unlearning keeps and forgets on validation queries: relevance, refusals, and likelihood of answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmirage.data.overlap import normalized
from unmirage.errors import UserError
from unmirage.evaluate import Judge, PhraseJudge, judge_run, judged_outcomes, model_rates
from unmirage.evaluate.bootstrap import mean_by_cluster
from unmirage.evaluate.relevance import TextEncoder, benign_similarities, relevance, similarities
from unmirage.evaluate.unlearning_settings import Kept
from unmirage.intervals import Mean
from unmirage.models.base import GenerationConfig, ask
from unmirage.records import Kind, Query, Sample, Verdict
from unmirage.run.store import Store

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.models import HuggingFaceVLM


_PLAIN = "|plain"


def drawn(samples: Iterable[Sample], count: int | None) -> list[Sample]:
    """Return `count` samples, evenly spaced over the list; None for all."""
    found = list(samples)
    if count is None or len(found) <= count:
        return found
    return [found[number * len(found) // count] for number in range(count)]


def held_out(samples: Iterable[Sample], training: Iterable[Sample]) -> list[Sample]:
    """Return the samples whose query is not in the training data; case, spaces and end marks do not matter."""
    known = {normalized(one.query) for one in training}
    return [one for one in samples if normalized(one.query) not in known]


def plain(samples: Iterable[Sample]) -> list[Query]:
    """Return the plain query of each sample."""
    return [
        Query(
            id=one.id + _PLAIN, sample_id=one.id, kind=Kind.PLAIN, shot=0, text=one.query, image=one.image,
            unsafe=bool(one.refused), images=one.images, context=one.context,
        )
        for one in samples
    ]  # fmt: skip


class Validation:
    """Validation queries with everything that measures a model on them.

    Args:
        samples: labeled samples that no training set contains; benign ones have reference answers.
        images: pictures of the samples.
        forget: rows of the forget set whose loss is measured.
        forget_images: pictures of these rows.
        encoder, encoder_name: sentence encoder, and its name.
        judge: judge of the responses; None for refusal phrases.
        max_new_tokens: maximum new tokens per response.
        batch_size: queries and rows per pass.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        images: Pictures,
        *,
        forget: Sequence[Sample],
        forget_images: Pictures,
        encoder: TextEncoder,
        encoder_name: str = "encoder",
        judge: Judge | None = None,
        max_new_tokens: int = 16,
        batch_size: int = 16,
    ) -> None:
        self.benign = [one for one in samples if not one.refused]
        self.unsafe = [one for one in samples if one.refused]
        if not self.benign or not self.unsafe:
            lacking = "benign" if not self.benign else "unsafe"
            raise UserError(f"validation: no {lacking} query; it needs benign queries with answers and unsafe ones")
        self._samples, self._images = list(samples), images
        self._forget, self._forget_images = list(forget), forget_images
        self._encoder, self._encoder_name = encoder, encoder_name
        self._judge: Judge = judge or PhraseJudge()
        self._generation = GenerationConfig(max_new_tokens=max_new_tokens, batch_size=batch_size)
        self._batch_size = batch_size
        self._harmful: list[Sample] | None = None

    def measure(self, vlm: HuggingFaceVLM) -> Kept:
        """Return the measurements of a model. The first model is the start: its harmful answers are held out."""
        from unmirage.align.likelihood import answer_losses

        with (
            tempfile.TemporaryDirectory(prefix="unmirage-validation-") as folder,
            Store(Path(folder) / "store.sqlite") as store,
        ):
            store.add_samples(self._samples)
            store.add_queries(plain(self._samples))
            ask(vlm, store, self._images, self._generation)
            judge_run(store, self._judge, vlm.name)
            rates = model_rates(judged_outcomes(store, self._judge.name, vlm.name))
            found = benign_similarities(store, self._judge.name, vlm.name, self._encoder)
            said = {_sample_of(one.query_id): one.text for one in store.responses(vlm.name)}
            verdicts = {_sample_of(one.query_id): one.verdict for one in store.judgements(vlm.name, self._judge.name)}
        if self._harmful is None:
            complied = [one for one in self.unsafe if verdicts.get(one.id) is Verdict.COMPLIED and said[one.id].strip()]
            self._harmful = [replace(one, answer=said[one.id]) for one in complied]
        answered = [one for one in self.unsafe if one.id in said]
        cosines = similarities(self._encoder, [one.query for one in answered], [said[one.id] for one in answered])

        def loss(samples: Sequence[Sample], images: Pictures) -> Mean:
            return clustered(samples, answer_losses(vlm, samples, images, self._batch_size))

        return Kept(
            relevance=relevance(found, encoder=self._encoder_name),
            rr=rates.rr.before,
            retain_loss=loss([one for one in self.benign if one.answer.strip()], self._images),
            asr=rates.asr.before,
            unsafe_relevance=clustered(answered, cosines),
            forget_loss=loss(self._forget, self._forget_images),
            held_out_loss=loss(self._harmful, self._images),
        )


def _sample_of(query_id: str) -> str:
    return query_id.removesuffix(_PLAIN)


def clustered(samples: Sequence[Sample], values: Sequence[float]) -> Mean:
    """Return the mean of one value per sample, with a cluster bootstrap interval."""
    return mean_by_cluster((one.cluster or one.id, value) for one, value in zip(samples, values, strict=True))
