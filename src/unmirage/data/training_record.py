"""Store hashes of a model's training data in its directory, so that `unmirage attack` can detect test samples in it.

The record contains no text. Beyond a fixed size it keeps the smallest hashes, which are a random sample. Test samples
with larger hashes are then excluded, from the shared count and from the total.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unmirage.data.overlap import Count, Fingerprints, Way
from unmirage.documents import Document
from unmirage.errors import UserError, one_line

FILE = "unmirage_training.safetensors"
MOST = 2**18  # hashes per criterion: 2 MiB
_ALL = 2**64 - 1

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingHeader(Document):
    """The metadata of the file, the document `unmirage.training/1`; fields as in `TrainingRecord`."""

    FILE: ClassVar[str] = FILE
    WRITER: ClassVar[str] = "unmirage align MODEL --out OUT"

    schema: Literal["unmirage.training/1"] = "unmirage.training/1"
    samples: int
    upto: Mapping[Way, int]


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """Hashes of a model's training data.

    Attributes:
        hashes: sorted distinct hashes by criterion.
        upto: by criterion, the largest hash up to which the record is complete.
        samples: number of training samples.
    """

    hashes: Mapping[Way, Hashes]
    upto: Mapping[Way, int]
    samples: int

    @classmethod
    def of(cls, lists: Iterable[Fingerprints], base: TrainingRecord | None = None, most: int = MOST) -> TrainingRecord:
        """Return the record of a model that was trained on `lists`.

        Args:
            lists: hashes of the training samples.
            base: record of the model that training started from; its data is included.
            most: maximum hashes per criterion.
        """
        lists = list(lists)
        hashes, upto = {}, {}
        for way in Way:
            own = np.array([key for one in lists for key in one.present(way)], dtype=np.uint64)
            limit = _ALL
            if base is not None:
                own, limit = np.concatenate([own, base.hashes[way]]), base.upto[way]
            own = np.unique(own)
            own = own[own <= np.uint64(limit)]
            if len(own) > most:
                own = own[:most]
                limit = int(own[-1])
            hashes[way], upto[way] = own, limit
        return cls(hashes, upto, sum(map(len, lists)) + (base.samples if base else 0))

    @property
    def complete(self) -> bool:
        """Whether the record has all hashes of the training data."""
        return all(limit == _ALL for limit in self.upto.values())

    def count(self, prints: Fingerprints) -> dict[Way, Count]:
        """Return how many samples were trained on, among those that the record covers, by criterion."""
        found = {}
        for way in Way:
            own = np.array(prints.present(way), dtype=np.uint64)
            own = own[own <= np.uint64(self.upto[way])]
            found[way] = Count(int(np.isin(own, self.hashes[way]).sum()), len(own))
        return found

    def save(self, folder: Path) -> None:
        """Write the record into a model directory."""
        header = TrainingHeader(samples=self.samples, upto=self.upto)
        hashes = {way.value: one for way, one in self.hashes.items()}
        save_file(hashes, folder / FILE, metadata={"unmirage": json.dumps(header.to_dict())})


def read_training_record(folder: Path) -> TrainingRecord | None:
    """Return the record of a model directory; None if it has none.

    Raises:
        UserError: the record is unreadable.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            header = TrainingHeader.read(json.loads((file.metadata() or {})["unmirage"]), str(path))
            hashes = {way: file.get_tensor(way.value) for way in Way}
            return TrainingRecord(hashes, {way: header.upto[way] for way in Way}, header.samples)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is damaged ({one_line(error, 200)}). Delete it to continue without it") from error
