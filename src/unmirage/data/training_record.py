"""Record what a model was trained on in its directory, so that test data can be compared with it later.

The record holds hashes, no text. For training data beyond a fixed size it keeps the smallest hashes, which are a random
sample: test samples with larger hashes are then not counted, neither as shared nor in the total.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unmirage.data.overlap import Count, Fingerprints, Way
from unmirage.errors import UserError, one_line

FILE = "unmirage_training.safetensors"
SCHEMA = "unmirage.training/1"
MOST = 2**18  # hashes kept for each way: 2 MiB
_ALL = 2**64 - 1

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What a model was trained on.

    Attributes:
        hashes: distinct hashes by way, sorted.
        upto: by way, the hash up to which all hashes of the training data are here.
        samples: in the training data.
    """

    hashes: Mapping[Way, Hashes]
    upto: Mapping[Way, int]
    samples: int

    @classmethod
    def of(cls, lists: Iterable[Fingerprints], base: TrainingRecord | None = None, most: int = MOST) -> TrainingRecord:
        """Return the record of a model that was trained on `lists`.

        Args:
            lists: of the training samples.
            base: the record of the model that training started from, whose data counts too.
            most: hashes to keep for each way.
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
        """Tell whether all hashes of the training data are here."""
        return all(limit == _ALL for limit in self.upto.values())

    def count(self, prints: Fingerprints) -> dict[Way, Count]:
        """Return how many samples of a list were trained on, of those about which the record can tell, by way."""
        found = {}
        for way in Way:
            own = np.array(prints.present(way), dtype=np.uint64)
            own = own[own <= np.uint64(self.upto[way])]
            found[way] = Count(int(np.isin(own, self.hashes[way]).sum()), len(own))
        return found

    def save(self, folder: Path) -> None:
        """Write the record into a model directory."""
        about = {
            "schema": SCHEMA,
            "samples": self.samples,
            "upto": {way.value: limit for way, limit in self.upto.items()},
        }
        save_file(
            {way.value: one for way, one in self.hashes.items()},
            folder / FILE,
            metadata={"unmirage": json.dumps(about)},
        )


def read_training_record(folder: Path) -> TrainingRecord | None:
    """Return the record of a model directory; None if there is none.

    Raises:
        UserError: there is one that cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["unmirage"])
            if about["schema"] != SCHEMA:
                raise UserError(f"{path}: schema is {about['schema']!r}; valid: {SCHEMA}")
            hashes = {way: file.get_tensor(way.value) for way in Way}
            upto = {way: int(about["upto"][way.value]) for way in Way}
            return TrainingRecord(hashes, upto, int(about["samples"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is damaged ({one_line(error, 200)}). Delete it to go on without it") from error
