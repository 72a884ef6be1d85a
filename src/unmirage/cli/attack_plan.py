"""What `unmirage attack` is going to ask: data, words and wordings in, samples and queries out. No model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmirage.attack import ATTACKS, AttackConfig, frozen_queries, frozen_samples, plan_queries, short_of_shots
from unmirage.attack.rewriters import MeaningCheck, Rewriter, make_rewriter
from unmirage.cli.attack_words import Searched, chosen_words
from unmirage.cli.console import err
from unmirage.cli.model_target import ENDPOINT
from unmirage.cli.settings import resolve
from unmirage.cli.targets import naming
from unmirage.data.ids import with_unique_ids
from unmirage.data.load import load_samples
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import write_vlguard
from unmirage.errors import UserError, unknown
from unmirage.records import Kind, Query, Sample
from unmirage.run.fingerprint import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to plan from.

    Attributes:
        file: the data.
        kinds: attacks to make.
        words: "KIND=WORDS" of the command line.
        audit: a saved audit to take words from.
        searched: a search to take a word from.
        frozen: files of queries made before, by kind.
        settings: fields of `AttackConfig` but for kinds and words.
        limit, seed: of the draw of samples.
        rewriter, cache: what makes the wordings, and where those of a server are kept.
        encoder: folder of a sentence encoder that checks their meaning too.
        endpoint: settings of servers; None values were not given.
    """

    file: SampleFile
    kinds: tuple[Kind, ...]
    words: Sequence[str]
    audit: Path | None
    searched: Searched | None
    frozen: Mapping[Kind, Path]
    settings: Mapping[str, Any]
    limit: int | None
    seed: int
    rewriter: str
    cache: Path | None
    encoder: Path | None
    endpoint: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is asked, and the settings that made it."""

    attack: AttackConfig
    samples: list[Sample]
    queries: list[Query]
    config: dict[str, Any]

    def write(self, targets: Mapping[Kind, Path]) -> None:
        """Write the queries of some kinds in VLGuard's shape."""
        for kind, path in targets.items():
            chosen = [query for query in self.queries if query.kind is kind]
            if not chosen:
                raise UserError(f"--write {kind}={path}: no query of this kind is made; add it to --kind")
            with naming(path):
                write_vlguard(frozen_samples(chosen, self.samples), path)


def plan(asked: Asked) -> Planned:
    """Return all queries of a run, and say on stderr what is missing."""
    known = with_unique_ids(asked.file)
    sha256 = sha256_of(asked.file.source)
    searched = {asked.searched.kind: asked.searched.word} if asked.searched else {}
    words = chosen_words(asked.words, (*asked.kinds, *asked.frozen), asked.file, asked.audit, searched)
    attack = resolve(AttackConfig, None, {"kinds": asked.kinds, **asked.settings, **words}, None)
    unseen = asked.searched.unseen(known, sha256) if asked.searched else known
    samples = draw_stratified(unseen, asked.limit, asked.seed)
    rewriter = _rewriter(asked)
    fixed = {kind: frozen_queries(load_samples(path), samples, kind, known) for kind, path in asked.frozen.items()}
    queries = plan_queries(samples, attack, rewriter, fixed)
    _say_what_is_missing(short_of_shots(queries, samples, attack), rewriter, asked)
    config = {
        "data": str(asked.file.source),
        "data_sha256": sha256,
        "images": str(asked.file.image_root.resolve()),
        "limit": asked.limit,
        "seed": asked.seed,
        "attack": attack.model_dump(mode="json"),
        "rewriter": asked.rewriter,
        "encoder": None if asked.encoder is None else str(asked.encoder),
        "frozen": {kind.value: sha256_of(path) for kind, path in asked.frozen.items()},
    }
    return Planned(attack, samples, queries, config)


def _rewriter(asked: Asked) -> Rewriter:
    check, settings = None, None
    if asked.encoder is not None:
        from unmirage.models.sentences import SentenceEncoder

        check = MeaningCheck(encoder=SentenceEncoder.load(asked.encoder), encoder_name=asked.encoder.name)
    if asked.rewriter.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings

        settings = resolve(EndpointSettings, None, asked.endpoint, None)
    return make_rewriter(asked.rewriter, asked.cache, check=check, settings=settings)


def kinds_of(text: str) -> tuple[Kind, ...]:
    """Return the kinds of "jailbreak,control"."""
    names = [one.strip() for one in text.split(",") if one.strip()]
    for one in names:
        if one not in ATTACKS:
            raise unknown("kind of attack", one, ATTACKS)
    if not names:
        raise UserError(f"--kind: empty; valid: {', '.join(ATTACKS)}")
    return tuple(Kind(one) for one in names)


def files_by_kind(option: str, given: Sequence[str] | None) -> dict[Kind, Path]:
    """Return the files of "jailbreak=what_3shot.json", by kind."""
    files: dict[Kind, Path] = {}
    for text in given or ():
        kind, found, path = text.partition("=")
        if not found or kind not in ATTACKS or not path:
            raise UserError(f"{option} {text}: expected KIND=FILE with KIND one of {', '.join(ATTACKS)}")
        files[Kind(kind)] = Path(path)
    return files


def _say_what_is_missing(short: Mapping[Kind, int], rewriter: Rewriter, asked: Asked) -> None:
    skipped = asked.file.skipped
    if skipped.count:
        err.print(f"{asked.file.source}: {skipped.count} records were set aside", markup=False, soft_wrap=True)
    for kind, count in short.items():
        if kind not in asked.frozen:
            err.print(f"{kind}: {count} samples have fewer shots than were asked for", markup=False)
    report = rewriter.report
    dropped = (report.dropped_meaning, report.dropped_opener, report.dropped_repeats, report.failed, report.from_rules)
    if report.missing or any(dropped):
        err.print(report.summary(), markup=False, soft_wrap=True)
