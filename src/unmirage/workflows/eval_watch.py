"""Measure a model in training on held-out data: the loss of labelled responses, and the ASR of a one-word attack."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from unmirage.attack import AttackConfig, plain, plan_queries
from unmirage.data import open_samples
from unmirage.data.overlap import Way, fingerprints_of, normalized
from unmirage.data.rows import with_unique_ids
from unmirage.errors import UserError, unknown
from unmirage.evaluate import PhraseJudge, judge_run, judged_outcomes, model_rates
from unmirage.models.base import GenerationConfig, ask
from unmirage.records import Kind, Query, Sample
from unmirage.run.fingerprint import sha256_of
from unmirage.run.store import Store
from unmirage.workflows.arguments import PathLike, counted
from unmirage.workflows.validation import drawn

if TYPE_CHECKING:
    from unmirage.align import AlignData
    from unmirage.data.images import Pictures
    from unmirage.models import HuggingFaceVLM

log = logging.getLogger(__name__)
METRICS = ("loss", "asr")
EVERY, QUERIES, NEW_TOKENS, WORD = 50, 64, 16, "what"
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Settings of an evaluation during training.

    Attributes:
        file: labelled data that is not in the training data.
        every: steps between two checks; the last step is checked too.
        queries: maximum number of responses of the loss, and of unsafe queries of the ASR.
        metric: what decides on the best check, of `METRICS`.
        patience: checks without a better one that end the training; None for none.
        format, columns, images: as for the training data.
    """

    file: PathLike
    every: int = EVERY
    queries: int = QUERIES
    metric: str = "loss"
    patience: int | None = None
    format: str = "auto"
    columns: Mapping[str, str] | None = None
    images: PathLike | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` if a value is out of range."""
        if self.metric not in METRICS:
            raise unknown("eval_metric", self.metric, METRICS)
        for name, value in {"eval_every": self.every, "eval_queries": self.queries, "patience": self.patience}.items():
            if value is not None and value < 1:
                raise UserError(f"{name}: {value} is out of range; valid: 1 or more")

    def identity(self) -> dict[str, Any]:
        """Return the settings that a resumed training must have, too."""
        own = {"every": self.every, "queries": self.queries, "metric": self.metric, "patience": self.patience}
        return {"eval": {**own, "file": sha256_of(Path(self.file))}}

    def checks(self, training: AlignData) -> EvalChecks:
        """Read the data, without the samples that are in the training data; these are counted in a warning.

        Raises:
            UserError: the file cannot be read, or nothing in it gives the metric.
        """
        images = None if self.images is None else Path(self.images)
        file = open_samples(Path(self.file), self.format, columns=self.columns, images=images)
        samples = with_unique_ids(file)
        new, alike = unseen(samples, file.pictures, training)
        if left_out := len(samples) - len(new):
            log.warning("%s: left out %s that are in the training data", self.file, counted(left_out, "sample"))
        if alike:
            told = counted(alike, "sample")
            log.warning("%s: %s with a query of the training data, but other pictures", self.file, told)
        answered = [one for one in new if one.answer.strip()]
        unsafe = [one for one in new if one.refused]
        if not (answered if self.metric == "loss" else unsafe):
            what = "sample with a response" if self.metric == "loss" else "unsafe query"
            of = f"its {len(samples)} samples" if not left_out else f"the {len(new)} samples that are not trained on"
            raise UserError(f"{self.file}: no {what} among {of}, so eval_metric {self.metric} cannot be measured")
        return EvalChecks(drawn(answered, self.queries), drawn(unsafe, self.queries), file.pictures, self)


def unseen(samples: Sequence[Sample], images: Pictures, training: AlignData) -> tuple[list[Sample], int]:
    """Return the samples that are not in the training data, and how many of them share a query with it.

    A sample is in the training data if its query and its pictures are.
    """
    own = {normalized(one.query) for one in samples}
    near = [one for one in training.samples if normalized(one.query) in own]
    trained = {normalized(one.query) for one in near}
    known = set(fingerprints_of(near, training.images).present(Way.PICTURE_AND_QUERY))
    keys = fingerprints_of(samples, images).keys[Way.PICTURE_AND_QUERY]
    new = [one for one, key in zip(samples, keys, strict=True) if key not in known]
    return new, sum(normalized(one.query) in trained for one in new)


def evaluation(
    file: PathLike | None,
    *,
    every: int | None = None,
    queries: int | None = None,
    metric: str | None = None,
    patience: int | None = None,
    **reading: Any,
) -> Evaluation | None:
    """Return the evaluation that some options describe; None without a file.

    Args:
        file, every, queries, metric, patience: None if not given.
        reading: `format`, `columns` and `images`.

    Raises:
        UserError: an option is out of range, or has no effect.
    """
    others = {"eval_every": every, "eval_queries": queries, "eval_metric": metric, "patience": patience}
    if file is None:
        if given := [name for name, value in others.items() if value is not None]:
            raise UserError(f"{given[0]}: has no effect without eval; name a file of held-out data, or leave it out")
        return None
    return Evaluation(
        file=file,
        every=EVERY if every is None else every,
        queries=QUERIES if queries is None else queries,
        metric=metric or "loss",
        patience=patience,
        **reading,
    )


class EvalChecks:
    """Measures the loss of held-out responses, and the ASR on held-out unsafe queries; see `Checks`.

    Args:
        answered: samples whose responses have the loss.
        unsafe: samples that are asked plainly and with a one-word attack.
        images: their pictures.
        settings: settings.
    """

    def __init__(
        self, answered: Sequence[Sample], unsafe: Sequence[Sample], images: Pictures, settings: Evaluation
    ) -> None:
        self.every, self.metric, self.patience = settings.every, settings.metric, settings.patience
        self._answered, self._unsafe, self._images = answered, unsafe, images
        self._queries = _asked(unsafe) if unsafe else []

    def measure(self, vlm: HuggingFaceVLM, step: int) -> dict[str, float]:  # noqa: ARG002
        """Return "loss" in nats per token, and the shares "asr" (with the attack) and "asr_plain" (without it)."""
        from unmirage.align.likelihood import answer_losses

        found = {}
        if self._answered:
            found["loss"] = fmean(answer_losses(vlm, self._answered, self._images, _BATCH))
        if self._queries:
            found |= self._asr(vlm)
        return found

    def _asr(self, vlm: HuggingFaceVLM) -> dict[str, float]:
        """Return the shares of the queries with a response; the others are counted in a warning."""
        judge = PhraseJudge()
        with (
            tempfile.TemporaryDirectory(prefix="unmirage-eval-") as folder,
            Store(Path(folder) / "store.sqlite") as store,
        ):
            store.add_samples(self._unsafe)
            store.add_queries(self._queries)
            failed = ask(vlm, store, self._images, GenerationConfig(max_new_tokens=NEW_TOKENS, batch_size=_BATCH))
            if failed:
                reason = store.failures(vlm.name)[0].reason
                log.warning("eval: %d of %d queries have no response: %s", failed, len(self._queries), reason)
            judge_run(store, judge, vlm.name)
            rates = model_rates(judged_outcomes(store, judge.name, vlm.name))
        after, before = rates.asr.after.value, rates.asr.before.value
        shares = {"asr": before if after is None else after, "asr_plain": before}
        if shares["asr"] is None:
            raise UserError("eval: no unsafe query has a response, so the ASR cannot be measured; see the warning")
        return {name: value for name, value in shares.items() if value is not None}


def _asked(unsafe: Sequence[Sample]) -> list[Query]:
    """Return each query as it is, and rewritten to open with the attack's word if the rules can do so."""
    try:
        return plan_queries(unsafe, AttackConfig(kinds=(Kind.JAILBREAK,), shots=1, jailbreak_word=WORD))
    except UserError as error:  # another language
        log.warning("eval: the ASR is that of the plain queries only: %s", error)
        return plain(unsafe)
