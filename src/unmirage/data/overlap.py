"""Count what lists of samples have in common: pictures, queries, answers, groups.

Samples are compared by 64-bit hashes, so that a list of any size takes little memory and can be compared later.
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
    """In what two samples can be equal. `PICTURE_AND_QUERY` covers queries without a picture too."""

    PICTURE = "picture"
    QUERY = "query"
    PICTURE_AND_QUERY = "picture_and_query"
    QUERY_AND_ANSWER = "query_and_answer"
    GROUP = "group"

    @property
    def text(self) -> str:
        """Return what is compared, in words."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The hashes of a list of samples.

    Attributes:
        keys: for each way, one hash per sample in order; None where a sample lacks what is compared, such as a picture.
        unread: pictures whose file cannot be read; they are compared by path.
    """

    keys: Mapping[Way, tuple[int | None, ...]]
    unread: int

    def __len__(self) -> int:
        return len(self.keys[Way.QUERY])

    def present(self, way: Way) -> list[int]:
        """Return the hashes of the samples that have what is compared, repeats included."""
        return [key for key in self.keys[way] if key is not None]


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples of a list occur elsewhere too.

    Attributes:
        shared: samples that do.
        total: samples that have what is compared.
    """

    shared: int
    total: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two lists have in common, by way: the samples of the first that occur in the second, and vice versa."""

    first: Mapping[Way, Count]
    second: Mapping[Way, Count]

    @property
    def any(self) -> bool:
        """Tell whether they have anything in common."""
        return any(count.shared for count in self.first.values())


def fingerprints_of(samples: Iterable[Sample], pictures: Pictures) -> Fingerprints:
    """Return the hashes of `samples`; each picture file is read once.

    Queries and answers are equal if they differ only in case, white space, kind of apostrophe, Unicode form or
    punctuation at the end. Pictures are equal if their files are, byte for byte.
    """
    keys: dict[Way, list[int | None]] = {way: [] for way in Way}
    seen: dict[str, tuple[int, bool]] = {}
    for sample in samples:
        picture = None
        if sample.image is not None:
            if sample.image not in seen:
                seen[sample.image] = _picture(sample.image, pictures)
            picture, _ = seen[sample.image]
        query, answer = normalized(sample.query), normalized(sample.answer)
        keys[Way.PICTURE].append(picture)
        keys[Way.QUERY].append(_hash(query))
        keys[Way.PICTURE_AND_QUERY].append(_hash(picture, query))
        keys[Way.QUERY_AND_ANSWER].append(_hash(query, answer) if answer else None)
        keys[Way.GROUP].append(None if sample.group is None else _hash(sample.group))
    return Fingerprints(
        {way: tuple(found) for way, found in keys.items()}, sum(not readable for _, readable in seen.values())
    )


def normalized(text: str) -> str:
    """Return `text` as it is compared."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return " ".join(plain.split()).rstrip(" .?!")


def count_shared(prints: Fingerprints, others: Mapping[Way, Collection[int]]) -> dict[Way, Count]:
    """Return how many samples have a hash that is among `others`, by way."""
    found = {}
    for way in Way:
        own = prints.present(way)
        found[way] = Count(sum(key in others[way] for key in own), len(own))
    return found


def counts_to_json(counts: Mapping[Way, Count]) -> dict[str, dict[str, int]]:
    """Return counts by way as they are written to JSON."""
    return {way.value: {"shared": count.shared, "total": count.total} for way, count in counts.items()}


def overlap(first: Fingerprints, second: Fingerprints) -> Overlap:
    """Return what two lists have in common."""
    sets = [{way: set(one.present(way)) for way in Way} for one in (first, second)]
    return Overlap(count_shared(first, sets[1]), count_shared(second, sets[0]))


def overlaps(lists: Mapping[str, Fingerprints]) -> dict[tuple[str, str], Overlap]:
    """Return what each two of the named lists have in common."""
    return {(one, other): overlap(lists[one], lists[other]) for one, other in combinations(lists, 2)}


def _picture(relative: str, pictures: Pictures) -> tuple[int, bool]:
    """Return the hash of a picture, and whether its file could be read."""
    try:
        content = pictures.content(relative)
    except UserError:
        return _hash(relative), False
    return int.from_bytes(blake2b(content, digest_size=8).digest()), True


def _hash(*parts: str | int | None) -> int:
    # JSON tells ["a", "b"] from ["ab"], and takes lone surrogates, which UTF-8 refuses.
    return int.from_bytes(blake2b(json.dumps(parts).encode(), digest_size=8).digest())
