"""Audit a dataset: measure whether surface features of the queries predict which ones are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from unmirage.audit.corpus import Corpus, Part, Reader, count_copies
from unmirage.audit.counterfactual import Decided, decided_by_opener
from unmirage.audit.features import Family, fewest_queries, openers, text_features
from unmirage.audit.findings import Found, find
from unmirage.audit.informedness import Queries, measure_openers
from unmirage.audit.matrices import grouped, templates
from unmirage.audit.picture_features import picture_features
from unmirage.audit.pictures import Encoder, Measured, count_pictures, encode, measure
from unmirage.audit.probes import Evidence, Unseen, climb, gather, ladder
from unmirage.audit.result import AuditResult, OpenerCount, ProbeSetting, Skipped
from unmirage.audit.suggest import AttackWords, Suggested, strong_openers, suggest
from unmirage.audit.wordings import guide_of
from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.records import Dataset, Finding
from unmirage.run.progress import Progress
from unmirage.text.language import languages_of

_MOST_OPENERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """Options of an audit.

    Attributes:
        part: text to audit: the "query", or the "reasoning" of the answer.
        encoder: computes picture embeddings for the `image_embedding` rung.
        progress: called with the stage, the finished part and the total.
    """

    seed: int = 0
    part: Part = "query"
    encoder: Encoder | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One dataset that has been read."""

    name: str
    corpus: Corpus
    measured: Measured
    skipped: Skipped
    without_label: Skipped
    unread_fields: Mapping[str, int]


def audit(
    data: SampleFile | Dataset, test: SampleFile | Dataset | None = None, options: AuditOptions | None = None
) -> AuditResult:
    """Return how well surface features of the queries and of their pictures predict refusal.

    Data with only one label are audited too: their features are counted, and nothing else is estimable.

    Args:
        data: refused and answered queries; read once.
        test: held-out queries to measure predictability on; without them, `data` is cross-validated.
    """
    options = options or AuditOptions()
    reader = Reader()
    train = _read(reader, data, options)
    held_out = None if test is None else _read(reader, test, options)
    corpus, both = train.corpus, _has_both_labels(train.corpus)
    at_least = fewest_queries(int(corpus.once().sum()))
    found, learned = (_find(train, at_least), _learned(train, at_least)) if both else (Found((), 0, 0), [])
    later = None if held_out is None else held_out.corpus
    measured = train.measured if held_out is None else train.measured.joined(held_out.measured)
    evidence = gather(corpus, later, measured, options.seed)
    unseen = climb(evidence, options.progress) if both else {}
    told = measure_openers(_counted(train), None if held_out is None else _counted(held_out), options.seed)
    predictability = ladder(evidence, unseen)
    # Openers of reasoning are no attack words.
    words = suggest(learned, evidence) if options.part == "query" else AttackWords()
    return AuditResult(
        source=train.name,
        format=data.format,
        n=len(corpus),
        refused=int(corpus.refused.sum()),
        label_source=corpus.label_source,
        part=options.part,
        without_text=corpus.without_text,
        languages=languages_of(corpus.queries),
        leads=corpus.leads,
        seed=options.seed,
        skipped=train.skipped,
        without_label=train.without_label,
        unread_fields=train.unread_fields,
        copies=count_copies(corpus),
        informedness=told.informedness,
        auc=told.auc,
        predictability=predictability,
        probes=_setting(train, held_out, evidence),
        shortcut_gap=predictability["opener"].gap,
        findings=found.findings,
        tested=found.tested,
        min_queries=at_least,
        findings_left_out=found.left_out,
        openers=_opener_counts(corpus, told.contributions),
        pictures=count_pictures(corpus, train.measured) if len(corpus.pictures) else None,
        decided_by_opener=_decided(evidence, unseen, learned),
        label_quality=corpus.labels if corpus.labels.both else None,
        suggested=Suggested(
            jailbreak=tuple(one.word for one in words.jailbreak),
            over_prudence=tuple(one.word for one in words.over_prudence),
        ),
        attack_words=words,
        wordings=guide_of(corpus) if options.part == "query" else None,
    )


def _read(reader: Reader, data: SampleFile | Dataset, options: AuditOptions) -> _Read:
    corpus = reader.read(data, options.part)
    # A file name may be invalid UTF-8, but a document must not.
    name = data.source.name.encode("utf-8", "replace").decode()
    if not len(corpus):
        if corpus.without_text:
            raise UserError(f"{data.source}: none of the {corpus.without_text:,} answers has any reasoning to audit")
        raise UserError(f"{data.source}: the file has no queries. Add at least one")
    if isinstance(data, Dataset):
        pictures: Pictures = ImageFolder(data.image_root)
        skipped, without_label, unread = Skipped(), Skipped(), dict[str, int]()
    else:
        pictures = data.pictures
        skipped, without_label, unread = Skipped.of(data.skipped), Skipped.of(data.without_label), dict(data.unread)
    measured = measure(corpus.pictures, pictures, options.seed, options.progress)
    if options.encoder is not None:
        measured = encode(measured, corpus.pictures, pictures, options.encoder)
    return _Read(name, corpus, measured, skipped, without_label, unread)


def _has_both_labels(corpus: Corpus) -> bool:
    return bool(corpus.refused.any() and not corpus.refused.all())


def _find(train: _Read, at_least: int) -> Found:
    return find(train.corpus, _families(train, at_least), grouped(train.corpus, train.measured)[0], at_least)


def _families(train: _Read, at_least: int) -> Iterator[Family]:
    yield openers(train.corpus, at_least)
    yield from text_features(train.corpus, at_least)
    yield templates(train.corpus, at_least)
    yield from picture_features(train.corpus, train.measured, at_least)


def _setting(train: _Read, held_out: _Read | None, evidence: Evidence) -> ProbeSetting:
    return ProbeSetting(
        evaluation="cross-validated" if held_out is None else "test file",
        folds=len(evidence.splits) if held_out is None else 0,
        grouped_by=evidence.grouped_by,
        rows=len(evidence.corpus),
        sampled=len(evidence.corpus) < len(train.corpus) + (0 if held_out is None else len(held_out.corpus)),
        test_source=None if held_out is None else held_out.name,
        test_n=None if held_out is None else len(held_out.corpus),
    )


def _counted(read: _Read) -> Queries:
    return Queries.of(read.corpus, grouped(read.corpus, read.measured)[0])


def _opener_counts(corpus: Corpus, contributions: Mapping[int, float]) -> tuple[OpenerCount, ...]:
    """Return the counts of the most frequent openers, ties by name.

    Args:
        contributions: part of each opener in the informedness, by its number; empty if not estimable.
    """
    family = openers(corpus)
    refused = family.members.refused(corpus.refused)
    answered = family.members.totals - refused
    counts = [
        OpenerCount(
            opener=name,
            refused=yes,
            answered=no,
            contribution=contributions.get(number, 0.0) if contributions else None,
        )
        for name, number, yes, no in zip(
            family.names, family.members.features.tolist(), refused.tolist(), answered.tolist(), strict=True
        )
    ]
    return tuple(sorted(counts, key=lambda one: (-one.refused - one.answered, one.opener))[:_MOST_OPENERS])


def _learned(train: _Read, at_least: int) -> list[Finding]:
    """Return the openers that a model trained on the data can learn; which is trained on each picture of a text."""
    groups = grouped(train.corpus, train.measured)[0]
    found = find(train.corpus, [openers(train.corpus, at_least)], groups, at_least, of_picture=True)
    return strong_openers(found.findings)


def _decided(evidence: Evidence, unseen: dict[str, Unseen], learned: list[Finding]) -> Decided | None:
    if "words_without_opener" not in unseen:
        return None
    strong = {finding.feature: finding.direction for finding in learned}
    return decided_by_opener(evidence, unseen["words_without_opener"], strong)
