"""Read the data of the study, replace missing pictures, and compare training and test data."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from unmirage.attack import ATTACKS
from unmirage.data import open_samples
from unmirage.data.images import Pictures, WithPlaceholder
from unmirage.data.overlap import PairOverlap, fingerprints_of, overlaps
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample_file import SampleFile
from unmirage.data.write import write_samples
from unmirage.errors import UserError
from unmirage.records import Kind, Sample
from unmirage.text.sentences import sentences
from unmirage.workflows.arguments import log_reading

log = logging.getLogger(__name__)
_WORD = r"(?u)\b\w+\b"
_AT_ONCE = 64  # queries that are compared with all others at once
_NEAR = 0.8  # Jaccard similarity of the words of two queries
_COPIES = 10  # pictures with one content that are taken for placeholders


@dataclass(frozen=True, slots=True)
class Inputs:
    """The data of a study.

    Attributes:
        train: file of the safety training data.
        test: file of the test data.
        general: file of general data; None without.
        queries: files of prebuilt queries, by kind of attack.
        notes: what was replaced, dropped or ignored, one line each.
        overlap: overlap of training and test data.
        near: test queries with a training query of nearly the same words.
    """

    train: SampleFile
    test: SampleFile
    general: SampleFile | None
    queries: Mapping[Kind, SampleFile]
    notes: tuple[str, ...]
    overlap: PairOverlap
    near: int

    def samples(self, file: SampleFile) -> list[Sample]:
        """Return the samples of a file with unique ids."""
        return with_unique_ids(file)


def read_inputs(
    train: Path,
    test: Path,
    general: Path | None,
    queries: Mapping[Kind, Path],
    *,
    placeholder: bool,
    allow_overlap: bool,
    reading: Mapping[str, Any],
) -> Inputs:
    """Read all files.

    Args:
        placeholder: replace missing pictures even if only some are missing.
        allow_overlap: accept test queries that are also training queries about the same picture.
        reading: arguments of `open_samples` for training and test data.

    Raises:
        UserError: a file cannot be read, pictures are missing, or training and test data overlap.
    """
    notes: list[str] = []

    def opened(path: Path, **how: Any) -> SampleFile:
        file = open_samples(path, **how)
        return replace(file, pictures=_pictures(file, notes, placeholder=placeholder))

    data, tested = (opened(path, **reading, check_labels=True) for path in (train, test))
    more = None if general is None else opened(general, unlabeled=True)
    given = {kind: opened(path) for kind, path in queries.items()}
    pair, near = _compared(data, tested, notes)
    shared = _memorized(pair, tested, data, allow_overlap=allow_overlap)
    for kind, own in given.items():
        asked = [one for one in with_unique_ids(own) if one.refused in ATTACKS[kind]]
        if repeated := _memorized(_overlap(data, asked, own.pictures), own, data, allow_overlap=allow_overlap):
            notes.append(f"{own.source.name}: {repeated:,} queries are also training queries (--allow-overlap)")
    if shared:
        notes.append(f"{shared:,} test queries are also training queries about the same picture (--allow-overlap)")
    for file in (data, tested, more, *given.values()):
        if file is not None:
            log_reading(file)
    return Inputs(data, tested, more, given, tuple(notes), pair, near)


def _pictures(file: SampleFile, notes: list[str], *, placeholder: bool) -> Pictures:
    """Return the pictures of a file; missing ones are replaced if all are missing, or if the user allows it."""
    named = {path for sample in file for path in sample.paths}
    missing = sorted(path for path in named if not file.pictures.exists(path))
    if not missing:
        return file.pictures
    if len(missing) < len(named) and not placeholder:
        raise UserError(
            f"{file.image_root}: {len(missing):,} of {len(named):,} pictures of {file.source.name} are missing, such "
            f"as {missing[0][:200]!r}. Restore them, name their folder with --images, or replace missing ones by a "
            "gray picture with --placeholder-pictures"
        )
    notes.append(
        f"{file.source.name}: {len(missing):,} of {len(named):,} pictures are missing and were replaced by one gray "
        "picture"
    )
    return WithPlaceholder(file.pictures)


class _Paths(Pictures):
    """Pictures without files, so that samples are compared by the paths of their pictures."""

    def exists(self, relative: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def _file(self, relative: str) -> Any:
        raise UserError(f"image {relative[:200]!r} is not read")


def _compared(train: SampleFile, test: SampleFile, notes: list[str]) -> tuple[PairOverlap, int]:
    """Return the overlap, and the number of test queries that nearly equal a training query."""
    pair = _overlap(train, with_unique_ids(test), test.pictures)
    near = _near([one.query for one in test], [one.query for one in train])
    same = pair.query.second.shared
    notes.append(
        f"test data: {same:,} of {pair.query.second.total:,} queries have the text of a training query; {near:,} have "
        "nearly the words of one"
    )
    return pair, near


def _overlap(train: SampleFile, samples: Sequence[Sample], pictures: Pictures) -> PairOverlap:
    """Return the overlap of the training data and other samples.

    Placeholders are compared by path: otherwise, queries about any two pictures would be about the same one.
    """
    lists = {"train": (with_unique_ids(train), train.pictures), "test": (samples, pictures)}
    blank = any(isinstance(one, WithPlaceholder) or _are_blank(own, one) for own, one in lists.values())
    if blank:
        lists = {name: (own, _Paths()) for name, (own, _) in lists.items()}
    (pair,) = overlaps({name: fingerprints_of(*own) for name, own in lists.items()})
    return pair


def check_both_labels(train: SampleFile) -> None:
    """Refuse training data with one label: their audit suggests no words to attack with."""
    labels = {sample.refused for sample in train}
    if len(labels) == 1:
        which = "refused" if True in labels else "answered"
        raise UserError(f"{train.source}: all samples are {which}; the study needs refused and answered ones")


def _memorized(pair: PairOverlap, file: SampleFile, train: SampleFile, *, allow_overlap: bool) -> int:
    """Return how many queries of a file are training queries about the same picture; refuse them if not allowed."""
    both = pair.picture_and_query.second
    if both.shared and not allow_overlap:
        about = ", about the same picture" if any(sample.paths for sample in file) else ""
        raise UserError(
            f"{file.source}: {both.shared:,} of {both.total:,} queries are also in {train.source}{about}. Rates on "
            "them measure memorization. Remove them, or pass --allow-overlap"
        )
    return both.shared


def _are_blank(samples: Sequence[Sample], pictures: Pictures) -> bool:
    """Return whether the picture files are placeholders: two or more with one content, or ten for each content."""
    paths = sorted({path for sample in samples for path in sample.paths})
    contents = {blake2b(pictures.content(path), digest_size=16).digest() for path in paths}
    return len(paths) > 1 and len(contents) <= max(1, len(paths) // _COPIES)


def _near(queries: Sequence[str], others: Sequence[str]) -> int:
    """Return how many queries share at least four fifths of all words with one of the others."""
    words = CountVectorizer(binary=True, token_pattern=_WORD, dtype=np.int64)
    if not any(re.search(_WORD, text) for text in (*queries, *others)):
        return 0  # the vectorizer refuses texts without words
    words.fit([*queries, *others])
    known, count = words.transform(others), 0
    for start in range(0, len(queries), _AT_ONCE):  # the table of all queries and others may not fit in memory
        own = words.transform(queries[start : start + _AT_ONCE])
        shared = (own @ known.T).toarray()
        union = own.sum(1) + known.sum(1).T - shared
        count += int((np.asarray(shared / np.maximum(union, 1)).max(1) >= _NEAR).sum())
    return count


def with_first_sentences(samples: Sequence[Sample], *, cut: bool) -> tuple[list[Sample], str]:
    """Return the samples that have an answer, cut to its first sentence if asked, and what was done, in one line."""
    answered = [sample for sample in samples if sample.answer.strip()]
    kept = [replace(one, answer=first_sentence(one.answer)) for one in answered] if cut else answered
    shorter = sum(len(new.answer) < len(old.answer.strip()) for new, old in zip(kept, answered, strict=True))
    told = f"{shorter:,} of {len(kept):,} answers cut to their first sentence"
    if len(answered) < len(samples):
        told += f"; {len(samples) - len(answered):,} samples without an answer left out"
    return kept, told


def hold_out_records(file: SampleFile, count: int, folder: Path) -> tuple[Path, Path]:
    """Write the samples of a file in two parts, and return the files of training and test data.

    Args:
        count: number of records in the test data; all samples of a record are in one part.
        folder: folder of the two files.

    Raises:
        UserError: the file does not have more records than that.
    """
    samples = with_unique_ids(file)
    records = list(dict.fromkeys(one.record for one in samples))
    if not 0 < count < len(records):
        raise UserError(
            f"--hold-out {count}: valid: 1 to {len(records) - 1:,}; {file.source} has {len(records):,} records"
        )
    order = list(range(len(records)))
    random.Random(0).shuffle(order)
    held = {records[place] for place in order[:count]}
    folder.mkdir(parents=True, exist_ok=True)
    train, test = folder / "train.jsonl", folder / "test.jsonl"
    write_samples((one for one in samples if one.record not in held), train)
    write_samples((one for one in samples if one.record in held), test)
    return train, test


def first_sentence(answer: str) -> str:
    """Return the first sentence of an answer."""
    return sentences(answer.strip())[0].strip()
