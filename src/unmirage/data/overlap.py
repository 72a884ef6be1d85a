"""Count images, queries, answers and groups that lists of samples share.

Samples are compared by 64-bit hashes, which take little memory and can be stored for later comparisons.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import combinations

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.records import Sample


class Way(StrEnum):
    """A criterion by which two samples can be equal. `PICTURE_AND_QUERY` covers queries without an image too."""

    PICTURE = "picture"
    QUERY = "query"
    PICTURE_AND_QUERY = "picture_and_query"
    QUERY_AND_ANSWER = "query_and_answer"
    GROUP = "group"

    @property
    def text(self) -> str:
        """Return the name for messages: "picture and query"."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The hashes of a list of samples.

    Attributes:
        keys: by criterion, one hash per sample in order; None if a sample lacks the field, such as an image.
        unread: number of unreadable image files; they are compared by path.
    """

    keys: Mapping[Way, tuple[int | None, ...]]
    unread: int

    def __len__(self) -> int:
        return len(self.keys[Way.QUERY])

    def present(self, way: Way) -> list[int]:
        """Return the hashes of the samples that have the field, repeats included."""
        return [key for key in self.keys[way] if key is not None]


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples of a list also occur in another.

    Attributes:
        shared: number of shared samples.
        total: number of samples that have the compared field.
    """

    shared: int
    total: int


@dataclass(frozen=True, slots=True)
class Shared:
    """Shared samples of two lists by one criterion: those of the first that occur in the second, and vice versa."""

    first: Count
    second: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOverlap:
    """The overlap of the lists with the names `first` and `second`, by criterion."""

    first: str
    second: str
    picture: Shared
    query: Shared
    picture_and_query: Shared
    query_and_answer: Shared
    group: Shared

    @property
    def shared(self) -> dict[Way, Shared]:
        """Return the criteria by which the lists share samples, and the counts."""
        counts: dict[Way, Shared] = {way: getattr(self, way) for way in Way}
        return {way: both for way, both in counts.items() if both.first.shared}


def fingerprints_of(samples: Iterable[Sample], pictures: Pictures) -> Fingerprints:
    """Return the hashes of `samples`; each image file is read once.

    Queries and answers are equal if they differ only in case, white space, kind of apostrophe, Unicode form or
    final punctuation. Queries with earlier turns are equal if those are too. Images are equal if their files are
    identical; of a sample with several images, all must be.
    """
    keys: dict[Way, list[int | None]] = {way: [] for way in Way}
    seen: dict[str, tuple[int, bool]] = {}
    for sample in samples:
        for path in sample.paths:
            if path not in seen:
                seen[path] = _picture(path, pictures)
        hashes = [seen[path][0] for path in sample.paths]
        picture = None if not hashes else hashes[0] if len(hashes) == 1 else _hash(*hashes)
        query, answer = normalized(sample.query), normalized(sample.answer)
        if sample.context:  # an equal text after other turns is another query
            query = json.dumps([query, *((turn.role, normalized(turn.text)) for turn in sample.context)])
        keys[Way.PICTURE].append(picture)
        keys[Way.QUERY].append(_hash(query))
        keys[Way.PICTURE_AND_QUERY].append(_hash(picture, query))
        keys[Way.QUERY_AND_ANSWER].append(_hash(query, answer) if answer else None)
        keys[Way.GROUP].append(None if sample.group is None else _hash(sample.group))
    return Fingerprints(
        {way: tuple(found) for way, found in keys.items()}, sum(not readable for _, readable in seen.values())
    )


def normalized(text: str) -> str:
    """Return `text` normalized for comparison."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return " ".join(plain.split()).rstrip(" .?!")


def count_shared(prints: Fingerprints, others: Mapping[Way, Collection[int]]) -> dict[Way, Count]:
    """Return how many samples have a hash in `others`, by criterion."""
    found = {}
    for way in Way:
        own = prints.present(way)
        found[way] = Count(sum(key in others[way] for key in own), len(own))
    return found


def overlaps(lists: Mapping[str, Fingerprints]) -> tuple[PairOverlap, ...]:
    """Return the overlap of each pair of the named lists."""
    sets = {name: {way: set(one.present(way)) for way in Way} for name, one in lists.items()}
    found = []
    for one, other in combinations(lists, 2):
        first, second = count_shared(lists[one], sets[other]), count_shared(lists[other], sets[one])
        shared = {way.value: Shared(first[way], second[way]) for way in Way}
        found.append(PairOverlap(first=one, second=other, **shared))
    return tuple(found)


def _picture(relative: str, pictures: Pictures) -> tuple[int, bool]:
    """Return the hash of an image, and whether its file is readable."""
    try:
        content = pictures.content(relative)
    except UserError:
        return _hash(relative), False
    return int.from_bytes(blake2b(content, digest_size=8).digest()), True


def _hash(*parts: str | int | None) -> int:
    # JSON distinguishes ["a", "b"] from ["ab"], and encodes lone surrogates, which UTF-8 cannot.
    return int.from_bytes(blake2b(json.dumps(parts).encode(), digest_size=8).digest())
