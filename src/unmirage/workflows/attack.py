"""Plan an attack on a model, and collect the model's responses to all queries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.attack import ATTACKS, AttackConfig, frozen_samples, plan_queries, prebuilt_queries, short_of_shots
from unmirage.attack.rewriters import MeaningCheck, Rewriter, make_rewriter
from unmirage.data.load import load_samples
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import write_vlguard
from unmirage.errors import UserError, unknown
from unmirage.records import Failure, Kind, Query, Sample
from unmirage.run import Run, open_run
from unmirage.run.files import naming
from unmirage.run.fingerprint import sha256_of
from unmirage.workflows.models import ENDPOINT, identity_of
from unmirage.workflows.overlaps import TrainedOn, add_overlap
from unmirage.workflows.settings import resolve
from unmirage.workflows.words import Searched, chosen_words

if TYPE_CHECKING:
    from unmirage.evaluate import Judge
    from unmirage.models import VLM

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]  # (stage, done, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRequest:
    """Settings of an attack.

    Attributes:
        file: the data.
        kinds: kinds of attack.
        words: words by kind; the audit suggests missing ones.
        audit: saved audit that suggests words; None audits the data.
        searched: search result that gives a word.
        queries: files of prebuilt queries, by kind.
        settings: fields of `AttackConfig` except kinds and words.
        limit, seed: maximum number of samples, and seed of the draw.
        rewriter, cache: name of the rewriter, and the cache file for a server's rewrites.
        encoder: folder of a sentence encoder that also checks the meaning of rewrites.
        endpoint: settings of servers; None values were not given.
    """

    file: SampleFile
    kinds: tuple[Kind, ...]
    words: Mapping[Kind, str] = field(default_factory=dict)
    audit: Path | None = None
    searched: Searched | None = None
    queries: Mapping[Kind, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    seed: int = 0
    rewriter: str = "rules"
    cache: Path | None = None
    encoder: Path | None = None
    endpoint: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """All queries of a run, and their settings."""

    attack: AttackConfig
    file: SampleFile
    samples: list[Sample]
    queries: list[Query]
    config: dict[str, Any]
    searched: Searched | None = None

    def write(self, targets: Mapping[Kind, Path]) -> None:
        """Write the queries of some kinds in VLGuard's format."""
        for kind, path in targets.items():
            chosen = [query for query in self.queries if query.kind is kind]
            if not chosen:
                raise UserError(f"--write {kind}={path}: there are no queries of this kind; add it to --kind")
            with naming(path):
                write_vlguard(frozen_samples(chosen, self.samples), path)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the queries as plain values."""
        return [{"id": one.id, "kind": one.kind, "text": one.text, "image": one.image} for one in self.queries]


def plan_attack(request: AttackRequest) -> AttackPlan:
    """Return all queries of a run, and log skipped records and missing shots. No model is loaded."""
    known = with_unique_ids(request.file)
    sha256 = sha256_of(request.file.source)
    words = chosen_words(
        request.words, (*request.kinds, *request.queries), request.file, request.audit, request.searched
    )
    attack = resolve(AttackConfig, None, {"kinds": request.kinds, **request.settings, **words}, None)
    unseen = request.searched.unseen(known, sha256) if request.searched else known
    samples = draw_stratified(unseen, request.limit, request.seed)
    rewriter = _rewriter(request)
    fixed = {kind: prebuilt_queries(load_samples(path), samples, kind, known) for kind, path in request.queries.items()}
    queries = plan_queries(samples, attack, rewriter, fixed)
    _log_what_is_missing(short_of_shots(queries, samples, attack), rewriter, request)
    config = {
        "data": str(request.file.source),
        "data_sha256": sha256,
        "images": str(request.file.image_root.resolve()),
        "limit": request.limit,
        "seed": request.seed,
        "attack": attack.model_dump(mode="json"),
        "rewriter": request.rewriter,
        "encoder": None if request.encoder is None else str(request.encoder),
        "queries": {kind.value: sha256_of(path) for kind, path in request.queries.items()},
    }
    return AttackPlan(attack, request.file, samples, queries, config, request.searched)


def run_attack(
    vlm: VLM,
    plan: AttackPlan,
    out: Path,
    *,
    max_new_tokens: int = 256,
    batch_size: int | None = None,
    until_success: str | None = None,
    trained_on: TrainedOn | None = None,
    progress: Progress | None = None,
) -> tuple[Run, list[Failure]]:
    """Collect a model's responses to the queries of a plan that it has not answered in this run.

    Args:
        vlm: the model.
        plan: the queries.
        out: run directory; an unfinished run is resumed, and several models can share one.
        max_new_tokens: maximum new tokens per response.
        batch_size: queries per batch; None for the largest batch that fits in memory.
        until_success: name of a judge; a sample's shots end at the first one that the judge counts as a success.
        trained_on: overlap of the data with the model's training data, to store in the run.
        progress: called after each response.

    Returns:
        The run, and the queries without a response.
    """
    from unmirage.evaluate import make_judge
    from unmirage.evaluate.until_success import ask_until_success
    from unmirage.models import GenerationConfig, ask

    judge: Judge | None = make_judge(until_success) if until_success else None
    config = plan.config | {"until_success": until_success, "max_new_tokens": max_new_tokens}
    generation = GenerationConfig(max_new_tokens=max_new_tokens, batch_size=batch_size)
    with open_run(out, config) as run, run.store() as store:
        store.add_model(vlm.name, identity_of(vlm))
        store.add_samples(plan.samples)
        store.add_queries(plan.queries)
        if plan.searched:
            plan.searched.result.save(run.path / "search.json")
        if trained_on:
            add_overlap(run, vlm.name, trained_on)

        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(f"ask {vlm.name}", done, total)

        if judge is None:
            ask(vlm, store, plan.file.pictures, generation, told)
        else:
            ask_until_success(vlm, store, plan.file.pictures, generation, judge, told)
        return run, store.failures(vlm.name)


def kinds_of(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds of attack with these names.

    Raises:
        UserError: there is no name, or a name is unknown.
    """
    for one in names:
        if one not in ATTACKS:
            raise unknown("kind of attack", one, ATTACKS)
    if not names:
        raise UserError(f"--kind: empty; valid: {', '.join(ATTACKS)}")
    return tuple(Kind(one) for one in names)


def _rewriter(request: AttackRequest) -> Rewriter:
    check, settings = None, None
    if request.encoder is not None:
        from unmirage.models.encoders import SentenceEncoder

        check = MeaningCheck(encoder=SentenceEncoder.load(request.encoder), encoder_name=request.encoder.name)
    if request.rewriter.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings

        settings = resolve(EndpointSettings, None, request.endpoint, None)
    return make_rewriter(request.rewriter, request.cache, check=check, settings=settings)


def _log_what_is_missing(short: Mapping[Kind, int], rewriter: Rewriter, request: AttackRequest) -> None:
    skipped = request.file.skipped
    if skipped.count:
        log.warning("%s: %d records were skipped", request.file.source, skipped.count)
    for kind, count in short.items():
        if kind not in request.queries:
            log.warning("%s: %d samples have fewer shots than requested", kind, count)
    report = rewriter.report
    dropped = (report.dropped_meaning, report.dropped_opener, report.dropped_repeats, report.failed, report.from_rules)
    if report.missing or any(dropped):
        log.warning(report.summary())
