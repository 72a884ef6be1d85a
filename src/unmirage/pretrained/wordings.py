"""Plan the queries of the study: rewrites of our rewriter, and prebuilt sets, each in a run of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unmirage.attack import ATTACKS, DEFAULT_KINDS, AttackConfig, plain, prebuilt_queries
from unmirage.attack.plan import as_query
from unmirage.data import open_samples
from unmirage.data.images import Pictures
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_per_label
from unmirage.data.sample_file import SampleFile
from unmirage.data.several import together
from unmirage.data.write import write_samples
from unmirage.errors import UserError
from unmirage.pretrained.settings import PretrainedSettings
from unmirage.records import Dataset, Kind, Query, Sample
from unmirage.run.fingerprint import sha256_of
from unmirage.text.openers import opener
from unmirage.workflows.attack import AttackRequest, plan_attack
from unmirage.workflows.words import FIELDS, words_of_sets

OURS, GIVEN = "ours", "given"


@dataclass(frozen=True, slots=True)
class Wordings:
    """The queries of one run.

    Attributes:
        name: OURS or GIVEN.
        samples, queries, pictures: what to ask.
        config: configuration of the run.
        notes: what was left out or only partly measured, one line each.
    """

    name: str
    samples: Sequence[Sample]
    queries: Sequence[Query]
    pictures: Pictures
    config: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())


def our_wordings(
    test: SampleFile, audit: Path, encoder: Path | None, limit: int | None, settings: PretrainedSettings
) -> Wordings:
    """Return the plain queries of the test data, and their rewrites with the words that the audit suggests.

    Args:
        test: the test data.
        audit: audit of the training data; a drawn part of the test data is written beside it.
        encoder: directory of a sentence encoder that checks the rewrites.
        limit: maximum number of samples of each label.
        settings: settings of the study.
    """
    asked, notes = (test, ()) if limit is None else _drawn(test, limit, audit.parent / "test.jsonl")
    request = AttackRequest(
        file=asked,
        kinds=(*DEFAULT_KINDS, Kind.FORM_CONTROL),
        audit=audit,
        settings={"shots": settings.shots},
        encoder=encoder,
    )
    try:
        plan = plan_attack(request)
    except UserError as error:
        if Kind.FORM_CONTROL.value not in str(error):
            raise
        # Some words are the only ones of their form.
        plan = plan_attack(replace(request, kinds=DEFAULT_KINDS))
        notes = (*notes, f"without a form control: {error}")
    config = plan.config | {"max_new_tokens": settings.max_new_tokens}
    return Wordings(OURS, plan.samples, plan.queries, test.pictures, config, notes)


def _drawn(test: SampleFile, limit: int, file: Path) -> tuple[SampleFile, tuple[str, ...]]:
    """Write at most `limit` test samples of each label to a file; return it, and a note on what was left out."""
    known = with_unique_ids(test)
    drawn = draw_per_label(known, limit, 0)
    write_samples(drawn, file)
    note = " and ".join(
        f"{sum(one.refused is label for one in drawn):,} of {sum(one.refused is label for one in known):,} {name}"
        for label, name in ((True, "unsafe"), (False, "benign"))
    )
    notes = (f"{test.source.name}: {note} samples are asked (--limit {limit})",) if len(drawn) < len(known) else ()
    return replace(open_samples(file, images=test.image_root), pictures=test.pictures), notes


def given_wordings(
    sets: Mapping[Kind, SampleFile], test: SampleFile, limit: int | None, settings: PretrainedSettings
) -> Wordings:
    """Return the queries of prebuilt sets, with the plain queries of the test samples that they belong to.

    Records that the test data lack have no plain query, so only their rates after the attack are measured.
    """
    files = [test, *sets.values()]
    lists, pictures = together([(file, file.pictures) for file in files])
    known = lists[0]
    chosen = draw_per_label(known, limit, 0)
    samples: dict[str, Sample] = {}
    queries: list[Query] = []
    notes: list[str] = []
    for (kind, file), own in zip(sets.items(), lists[1:], strict=True):
        data = Dataset(samples=tuple(own), source=file.source, format=file.format, image_root=file.image_root)
        paired, alone = _split(data, known, kind)
        asked = prebuilt_queries(paired, chosen, kind, known) if paired.samples else []
        owners = {query.sample_id for query in asked}
        samples |= {one.id: one for one in known if one.id in owners}
        lonely = list(_alone(alone, kind))
        drawn = draw_per_label([one for one, _ in lonely], limit, 0)
        kept = {one.id for one in drawn}
        if not paired.samples and not lonely:
            raise UserError(
                f"--queries {kind}={file.source}: no record is {'unsafe' if True in ATTACKS[kind] else 'benign'}, as "
                f"{kind} needs; give the queries of the other label, or another kind"
            )
        samples |= {one.id: one for one in drawn}
        queries += [*asked, *(query for _, own in lonely for query in own if query.sample_id in kept)]
        records = len({one.record for one in paired})
        notes.append(
            f"{file.source.name}: {len(owners):,} of {records:,} records of the test data, before and after; "
            f"{len(drawn):,} of {len(lonely):,} records that the test data lack, after only"
        )
    ids = {sample.id for sample in known}
    owned = [one for one in samples.values() if one.id in ids]
    queries = [*plain(owned), *queries]
    words = words_of_sets({kind: _dataset(file) for kind, file in sets.items()})
    attack = AttackConfig(
        kinds=tuple(sets), shots=settings.shots, **{FIELDS[kind]: word for kind, word in words.items()}
    )
    config = {
        "data": str(test.source),
        "data_sha256": sha256_of(test.source),
        "limit": limit,
        "seed": 0,
        "attack": attack.model_dump(mode="json"),
        "queries": {kind.value: sha256_of(file.source) for kind, file in sets.items()},
        "max_new_tokens": settings.max_new_tokens,
        "notes": notes,
    }
    return Wordings(GIVEN, list(samples.values()), queries, pictures, config, tuple(notes))


def _dataset(file: SampleFile) -> Dataset:
    return Dataset(samples=tuple(file), source=file.source, format=file.format, image_root=file.image_root)


def _split(data: Dataset, known: Sequence[Sample], kind: Kind) -> tuple[Dataset, list[Sample]]:
    """Return the samples whose record the test data have, and the other samples that the kind applies to."""
    records = {(sample.record, sample.refused) for sample in known}
    fitting = [one for one in data if one.refused in ATTACKS[kind]]
    own = tuple(one for one in fitting if (one.record, one.refused) in records)
    return replace(data, samples=own), [one for one in fitting if (one.record, one.refused) not in records]


def _alone(samples: Sequence[Sample], kind: Kind) -> Iterator[tuple[Sample, list[Query]]]:
    """Yield a sample for each record, with all its queries."""
    records: dict[str, list[Sample]] = defaultdict(list)
    for one in samples:
        records[one.record].append(one)
    for record, shots in records.items():
        sample = replace(shots[0], id=f"{record}|{kind}")
        yield (
            sample,
            [
                as_query(replace(one, id=sample.id), kind, shot, one.query, opener(one.query) or None)
                for shot, one in enumerate(shots)
            ],
        )
