"""Plan the unsafe queries to send and the safe samples to retain, without running a model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from unmirage.attack import plain
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.records import Query, Sample
from unmirage.run.fingerprint import hashed_fields

UnsafeKind = Literal["unsafe-picture", "unsafe-text"]
KINDS: tuple[UnsafeKind, ...] = get_args(UnsafeKind)
RETAIN_SIZE = 2000  # as in the paper: VLGuard's answered queries plus samples of LLaVA's data

_TELLS_KINDS = "vlguard"
_UNSAFE_TEXT = "/unsafe"  # suffix of the record id in the ids of unsafe-text samples


class PrepareConfig(BaseModel):
    """Settings of the forget set and the retain set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[UnsafeKind, ...] | None = Field(
        default=None,
        min_length=1,
        description="kinds of unsafe queries to send, for data in VLGuard's format; None: all",
    )
    limit: int | None = Field(default=None, ge=2, description="maximum samples from the dataset; None: all")
    seed: int = Field(default=0, description="random seed of all draws")
    retain_size: int | None = Field(
        default=None, ge=1, description="None: all safe samples, or 2000 with general samples"
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """Queries to send and samples to retain.

    Attributes:
        samples: samples of the dataset after the draw.
        queries: unmodified unsafe queries.
        kinds: sample id -> kind of its query; empty if the format does not distinguish kinds.
        safe: candidates for the retain set: samples that are not refused and have an answer.
        retain_size: size of the retain set; None for all of `safe`.
    """

    samples: tuple[Sample, ...]
    queries: tuple[Query, ...]
    kinds: Mapping[str, UnsafeKind]
    safe: tuple[Sample, ...]
    without_answer: int
    retain_size: int | None

    def fingerprint(self) -> str:
        """Return a hash of the samples, which depends on the file and on all settings for reading it."""
        lines = (json.dumps(hashed_fields(sample)) for sample in self.samples)
        return sha256("\n".join(lines).encode()).hexdigest()

    def to_json(self, general: bool) -> dict[str, Any]:
        """Return the counts; `general` is whether general samples can fill up the retain set."""
        of_data = len(self.safe) if self.retain_size is None else min(len(self.safe), self.retain_size)
        by_kind = Counter(self.kinds[query.sample_id] for query in self.queries if query.sample_id in self.kinds)
        return {
            "samples": len(self.samples),
            "unsafe": len(self.queries),
            "unsafe_by_kind": {kind: by_kind[kind] for kind in KINDS if by_kind[kind]},
            "safe": len(self.safe),
            "safe_without_answer": self.without_answer,
            "retain": {
                "from_data": of_data,
                "from_general_at_most": (self.retain_size or 0) - of_data if general else 0,
            },
        }


def plan(file: SampleFile, config: PrepareConfig, *, general: bool) -> Plan:
    """Return the queries to send to the models and the samples that may be retained.

    Args:
        general: whether general samples can fill up the retain set.

    Raises:
        UserError: the dataset has no unsafe query or no sample to retain, or its format does not distinguish kinds.
    """
    samples = draw_stratified(with_unique_ids(map(_storable, file)), config.limit, config.seed)
    kinds = _kinds(file, samples, config)
    wanted = config.kinds or KINDS
    asked = [one for one in samples if one.refused and kinds.get(one.id, wanted[0]) in wanted]
    if not asked:
        held = f" of kind {' or '.join(wanted)}" if config.kinds else ""
        raise UserError(f"{file.source}: no unsafe query{held} found; valid: a dataset with at least one")
    safe = [one for one in samples if not one.refused]
    answered = tuple(one for one in safe if one.answer.strip())
    if not answered and not general:
        raise UserError(f"{file.source}: no safe query with an answer found. Pass other samples with --general FILE.")
    return Plan(
        samples=tuple(samples),
        queries=tuple(plain(asked)),
        kinds=kinds,
        safe=answered,
        without_answer=len(safe) - len(answered),
        retain_size=config.retain_size or (RETAIN_SIZE if general else None),
    )


def _storable(sample: Sample) -> Sample:
    """Return the sample with lone surrogates in its key fields replaced by "?", because the store rejects them."""
    names = {name: getattr(sample, name) for name in ("id", "record", "query")}
    clean = {name: text.encode("utf-8", "replace").decode("utf-8") for name, text in names.items()}
    return sample if clean == names else replace(sample, **clean)


def _kinds(file: SampleFile, samples: Sequence[Sample], config: PrepareConfig) -> dict[str, UnsafeKind]:
    if file.format != _TELLS_KINDS:
        if config.kinds is not None:
            raise UserError(
                f"--kinds: format '{file.format}' of {file.source} does not distinguish kinds; valid: {_TELLS_KINDS}"
            )
        return {}
    # The id tells the kind; it may end with a counter such as "#2".
    return {
        one.id: "unsafe-text" if one.id.removeprefix(one.record).startswith(_UNSAFE_TEXT) else "unsafe-picture"
        for one in samples
        if one.refused
    }
