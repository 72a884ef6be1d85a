"""Plan an attack on a model, and collect the model's responses to all queries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from unmirage.attack import ATTACKS, AttackConfig, Short, frozen_samples, plan_queries, prebuilt_queries, short_of_shots
from unmirage.attack.rewriters import MeaningCheck, Rewriter, make_rewriter
from unmirage.data.load import load_samples
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import write_json, write_samples, write_vlguard
from unmirage.data.written import conversation_record
from unmirage.documents import dumped
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Kind, Query, Sample
from unmirage.run import Run, open_run
from unmirage.run.files import check_targets, naming
from unmirage.run.fingerprint import sha256_of
from unmirage.run.progress import Progress, in_stage
from unmirage.text.english.rewriter import can_open
from unmirage.text.english.wordings import Wordings, form_of
from unmirage.text.language import languages_of
from unmirage.workflows.arguments import check_pictures, conversations, log_reading
from unmirage.workflows.group import shared
from unmirage.workflows.models import (
    ENDPOINT,
    log_account,
    log_inside_thoughts,
    no_response,
    note_asked,
    thinking_setting,
)
from unmirage.workflows.overlaps import TrainedOn, add_overlap
from unmirage.workflows.settings import resolve
from unmirage.workflows.words import (
    Searched,
    chosen_wordings,
    chosen_words,
    read_search,
    wordings_of_run,
    words_of_sets,
)

if TYPE_CHECKING:
    from unmirage.evaluate import Judge
    from unmirage.models import VLM

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRequest:
    """Settings of an attack; see `unmirage.attack` for those that are not listed.

    Attributes:
        file: the data.
        model, name: where the model is from, to compare its training data ("" for unknown); and its name in messages.
        settings: fields of `AttackConfig` except kinds, words and `stop_at_first_success`.
        cache: cache file for a server's rewrites.
    """

    file: SampleFile
    kinds: tuple[Kind, ...]
    model: str = ""
    name: str = ""
    words: Mapping[Kind, str] = field(default_factory=dict)
    audit: Path | None = None
    search_result: Path | None = None
    queries: Mapping[Kind, Path] = field(default_factory=dict)
    write: Mapping[Kind, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    until_success: str | None = None
    limit: int | None = None
    seed: int = 0
    rewriter: str | Rewriter = "rules"
    wordings: str = "free"
    fill_with_rules: bool = False
    cache: Path | None = None
    encoder: Path | None = None
    endpoint: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """All queries of a run, and their settings.

    Attributes:
        file, samples, queries: the data, the drawn samples and their queries.
        config: configuration of the run.
        judge: ends a sample's shots at the first success; None asks all shots.
        searched: the search result that gave a word.
        trained_on: overlap with the training data of the model; None if the model has no training record.
    """

    file: SampleFile
    samples: list[Sample]
    queries: list[Query]
    config: dict[str, Any]
    judge: Judge | None
    searched: Searched | None
    trained_on: TrainedOn | None

    def to_json(self) -> dict[str, Any]:
        """Return the queries and the overlap as plain values."""
        queries = [
            {"id": one.id, "kind": one.kind, "text": one.text, "image": one.image}
            | ({"family": one.family, "form": form_of(one.text)} if one.family else {})
            | ({"made_by": one.made_by} if one.made_by else {})
            | (conversation_record(one) if one.images or one.context else {})
            for one in self.queries
        ]
        return {"queries": queries, "overlap": dumped(self.trained_on) if self.trained_on else None}


def plan_attack(request: AttackRequest) -> AttackPlan:
    """Return all queries of a run, and write those of `request.write`. No model is loaded.

    Skipped records, missing shots and test data that the model was trained on are logged.
    """
    from unmirage.evaluate import make_judge

    check_targets(
        {f"--write {kind}": path for kind, path in request.write.items()},
        [str(request.file.source), *map(str, request.queries.values())],
    )
    judge = make_judge(request.until_success) if request.until_success else None
    searched = read_search(request.search_result) if request.search_result else None
    known = with_unique_ids(request.file)
    digest = sha256_of(request.file.source)
    sets = {kind: load_samples(path) for kind, path in request.queries.items()}
    given = words_of_sets(sets) | dict(request.words)
    words = chosen_words(given, (*request.kinds, *request.queries), request.file, request.audit, searched)
    settings = {"kinds": request.kinds, **request.settings, "stop_at_first_success": judge is not None, **words}
    attack = resolve(AttackConfig, None, settings, None)
    unseen = searched.unseen(known, digest) if searched else known
    samples = draw_stratified(unseen, request.limit, request.seed)
    wordings, worded = chosen_wordings(request.wordings, known, request.audit)
    rewriter = _rewriter(request, wordings)
    fixed = {kind: prebuilt_queries(one, samples, kind, known) for kind, one in sets.items()}
    notes = [note for kind, one in sets.items() for note in _on_set(kind, one, fixed[kind], samples)]
    for note in notes:
        log.warning("%s", note)
    queries = plan_queries(samples, attack, rewriter, fixed)
    _log_what_is_missing(short_of_shots(queries, samples, attack), rewriter, request)
    _log_languages(samples, attack, rewriter)
    config = {
        "data": str(request.file.source),
        "data_sha256": digest,
        "images": str(request.file.image_root.resolve()),
        "limit": request.limit,
        "seed": request.seed,
        "attack": attack.model_dump(mode="json"),
        "rewriter": request.rewriter if isinstance(request.rewriter, str) else request.rewriter.name,
        "encoder": None if request.encoder is None else str(request.encoder),
        "queries": {kind.value: sha256_of(path) for kind, path in request.queries.items()},
        "until_success": request.until_success,
        "notes": notes or None,
        **conversations(samples),
        # Older runs, and those without such settings, lack these fields.
        **_rewriter_options(request),
        **({"wordings": worded} if worded and request.rewriter == "rules" else {}),
        **({"picture_format": "jpeg"} if request.endpoint.get("picture_format") == "jpeg" else {}),
    }
    for kind, path in request.write.items():
        _write(kind, path, queries, samples)
    trained_on = TrainedOn.by(request.model, samples, queries, request.file.pictures)
    for line in trained_on.lines(request.file.source.name, request.name) if trained_on else ():
        log.warning("%s", line)
    return AttackPlan(request.file, samples, queries, config, judge, searched, trained_on)


def _on_set(kind: Kind, prebuilt: Dataset, queries: Sequence[Query], samples: Sequence[Sample]) -> Iterator[str]:
    """Yield one-line warnings about a prebuilt set: queries of the other label, and samples without a query."""
    name = prebuilt.source.name
    other = sum(one.refused not in ATTACKS[kind] for one in prebuilt)
    labels = " and ".join("refused" if refused else "answered" for refused in ATTACKS[kind])
    if other:
        yield f"{name}: {kind} uses the queries of {labels} samples only; {other:,} of {len(prebuilt):,} are skipped"
    asked = {query.sample_id for query in queries}
    without = [sample for sample in samples if sample.refused in ATTACKS[kind] and sample.id not in asked]
    if without:
        count = sum(sample.refused in ATTACKS[kind] for sample in samples)
        yield f"{name}: {len(without):,} of {count:,} {labels} samples have no query for {kind}"


@dataclass(frozen=True, slots=True)
class Attacked:
    """The run of an attack, the name of the model, and which responses are missing ("" if none is)."""

    run: Run
    model: str
    missing: str


def run_attack(
    load: Callable[[], VLM],
    plan: AttackPlan,
    out: Path,
    *,
    max_new_tokens: int = 256,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Attacked:
    """Collect a model's responses to the queries of a plan that it has not answered in this run.

    Under a launcher, the other processes answer a part of them (`workflows.group.follow`).

    Args:
        load: returns the model.
        plan: the queries.
        out, max_new_tokens, batch_size, progress: as for `unmirage.attack`.
    """
    from unmirage.evaluate.running import shown_rates
    from unmirage.evaluate.until_success import ask_until_success
    from unmirage.models import GenerationConfig, ask

    check_pictures(plan.queries, plan.file.pictures, plan.file.image_root)
    generation = GenerationConfig(max_new_tokens=max_new_tokens, batch_size=batch_size)
    with ExitStack() as open_parts:
        vlm = open_parts.enter_context(shared(load))()
        existing = Run(out).config() if Run(out).config_file.is_file() else {}
        config = wordings_of_run(plan.config | {"max_new_tokens": max_new_tokens} | thinking_setting(vlm), existing)
        run = open_parts.enter_context(open_run(out, config))
        store = open_parts.enter_context(run.store())
        note_asked(vlm, store)
        store.add_samples(plan.samples)
        if config.get("wordings") == plan.config.get("wordings") or not store.queries():
            store.add_queries(plan.queries)
        if plan.searched:
            plan.searched.result.save(run.path / "search.json")
        if plan.trained_on:
            add_overlap(run, vlm.name, plan.trained_on)
        told = in_stage(progress, f"ask {vlm.name}")
        seen = shown_rates(store, vlm.name, told, stopped=plan.judge is not None)
        if plan.judge is None:
            ask(vlm, store, plan.file.pictures, generation, told, seen=seen)
        else:
            ask_until_success(vlm, store, plan.file.pictures, generation, plan.judge, told, seen)
        missing = no_response(store.failures(vlm.name), len(plan.queries))
        log_inside_thoughts(store.responses(vlm.name))
    log_account(vlm)
    return Attacked(run, vlm.name, missing)


def _write(kind: Kind, path: Path, queries: Sequence[Query], samples: Sequence[Sample]) -> None:
    chosen = [query for query in queries if query.kind is kind]
    if not chosen:
        raise UserError(f"--write {kind}={path}: there are no queries of this kind; add it to --kind")
    with naming(path):
        found = frozen_samples(chosen, samples)
        # VLGuard's format has neither earlier turns nor places of pictures.
        held = any(sample.images or sample.context for sample in found)
        write = write_vlguard if not held else write_samples if path.suffix == ".jsonl" else write_json
        write(found, path)


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


Value = TypeVar("Value")


def by_kind(values: Mapping[str, Value] | None) -> dict[Kind, Value]:
    """Return a mapping by kind of attack, from one by name, such as {"jailbreak": "what"}."""
    return {kinds_of([kind])[0]: value for kind, value in (values or {}).items()}


def files_by_kind(files: Mapping[str, str | Path] | None) -> dict[Kind, Path]:
    """Return files by kind of attack, from paths by name."""
    return {kind: Path(path) for kind, path in by_kind(files).items()}


def _rewriter_options(request: AttackRequest) -> dict[str, Any]:
    """Return the fields of every request to a rewriter on a server, which determine the queries."""
    extra = request.endpoint.get("extra")
    on_server = isinstance(request.rewriter, str) and request.rewriter.startswith(ENDPOINT)
    options = {"rewriter_options": extra} if extra and on_server else {}
    return options | ({"fill_with_rules": True} if request.fill_with_rules and on_server else {})


def _rewriter(request: AttackRequest, wordings: Wordings) -> Rewriter:
    if not isinstance(request.rewriter, str):
        return request.rewriter
    check, settings = None, None
    if request.encoder is not None:
        from unmirage.models.encoders import SentenceEncoder

        check = MeaningCheck(encoder=SentenceEncoder.load(request.encoder), encoder_name=request.encoder.name)
    if request.rewriter.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings

        settings = resolve(EndpointSettings, None, request.endpoint, None)
    return make_rewriter(
        request.rewriter,
        request.cache,
        check=check,
        settings=settings,
        wordings=wordings,
        fill=request.fill_with_rules,
    )


def _log_what_is_missing(short: Mapping[Kind, Short], rewriter: Rewriter, request: AttackRequest) -> None:
    log_reading(request.file)
    for kind, count in short.items():
        if kind not in request.queries:
            why = f"; {count.pictured} of them have pictures inside the text" if count.pictured else ""
            log.warning("%s: %d samples have fewer shots than requested%s", kind, count.samples, why)
    report = rewriter.report
    if report.missing or report.dropped or report.failed or report.from_rules:
        log.warning(report.summary())
    elif report.other_opener:
        log.info(report.summary())


def _log_languages(samples: Sequence[Sample], attack: AttackConfig, rewriter: Rewriter) -> None:
    """Warn once if queries are in a language that the rules or the attack words do not support."""
    beyond = languages_of([sample.query for sample in samples]).beyond()
    if not beyond:
        return
    told = [beyond]
    if rewriter.report.other_language:
        told.append("The rules support English only and do not rewrite them; use --rewriter endpoint:URL#MODEL")
    words = {attack.word(kind, unsafe=unsafe) for kind in attack.kinds for unsafe in ATTACKS[kind]}
    if english := sorted(word for word in words if can_open(word)):
        told.append(f"Attack words in English: {', '.join(english)}; set others with --word")
    log.warning("%s", ". ".join(told))
