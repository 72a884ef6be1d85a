"""A data file and settings in; which queries are asked, and which samples may be kept, out. Nothing is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from unmirage.attack import plain
from unmirage.data.ids import with_unique_ids
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.records import Query, Sample

UnsafeKind = Literal["unsafe-picture", "unsafe-text"]
KINDS: tuple[UnsafeKind, ...] = get_args(UnsafeKind)
RETAIN_SIZE = 2000  # the paper's: VLGuard's answered queries, topped up from LLaVA's

_TELLS_KINDS = "vlguard"
_UNSAFE_TEXT = "/unsafe"  # what the id of such a sample adds to its record's


class PrepareConfig(BaseModel):
    """What goes into the sets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[UnsafeKind, ...] | None = Field(
        default=None, min_length=1, description="which unsafe queries of VLGuard's shape are asked; None: all"
    )
    limit: int | None = Field(default=None, ge=2, description="at most so many samples of the data")
    seed: int = Field(default=0, description="of every draw")
    retain_size: int | None = Field(default=None, ge=1, description="None: all safe samples, or 2000 with general ones")


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to ask and to keep.

    Attributes:
        samples: of the data, after the draw.
        queries: the unsafe ones, as they are.
        kinds: their kinds by sample id, where the format tells them.
        safe: the samples that may be kept: not refused, with an answer.
        without_answer: how many safe samples have none.
        retain_size: how large the retain set is to be; None for all of `safe`.
    """

    samples: tuple[Sample, ...]
    queries: tuple[Query, ...]
    kinds: Mapping[str, UnsafeKind]
    safe: tuple[Sample, ...]
    without_answer: int
    retain_size: int | None

    def fingerprint(self) -> str:
        """Return a hash of the samples: of the file, and of everything that decides how it is read."""
        lines = (json.dumps(asdict(sample)) for sample in self.samples)
        return sha256("\n".join(lines).encode()).hexdigest()

    def to_json(self, general: bool) -> dict[str, Any]:
        """Return the counts; `general`: are there general samples to top up from?"""
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
    """Return what is asked of the models, and what may be kept.

    Args:
        file: the safety data.
        config: the settings.
        general: are there general samples to top up from?

    Raises:
        UserError: the data hold nothing to ask, nothing to keep, or do not tell kinds apart.
    """
    samples = draw_stratified(with_unique_ids(map(_storable, file)), config.limit, config.seed)
    kinds = _kinds(file, samples, config)
    wanted = config.kinds or KINDS
    asked = [one for one in samples if one.refused and kinds.get(one.id, wanted[0]) in wanted]
    if not asked:
        held = f", of kind {' or '.join(wanted)}" if config.kinds else ""
        raise UserError(f"{file.source}: holds no unsafe query{held}; valid: one at least")
    safe = [one for one in samples if not one.refused]
    answered = tuple(one for one in safe if one.answer.strip())
    if not answered and not general:
        raise UserError(f"{file.source}: holds no safe query with an answer to keep; name others with --general FILE")
    return Plan(
        samples=tuple(samples),
        queries=tuple(plain(asked)),
        kinds=kinds,
        safe=answered,
        without_answer=len(safe) - len(answered),
        retain_size=config.retain_size or (RETAIN_SIZE if general else None),
    )


def _storable(sample: Sample) -> Sample:
    """Return the sample with "?" for lone surrogates in what the store finds it by: it cannot hold them."""
    names = {name: getattr(sample, name) for name in ("id", "record", "query")}
    clean = {name: text.encode("utf-8", "replace").decode("utf-8") for name, text in names.items()}
    return sample if clean == names else replace(sample, **clean)


def _kinds(file: SampleFile, samples: Sequence[Sample], config: PrepareConfig) -> dict[str, UnsafeKind]:
    if file.format != _TELLS_KINDS:
        if config.kinds is not None:
            raise UserError(
                f"--kinds: format '{file.format}' of {file.source} does not tell kinds apart; valid: {_TELLS_KINDS}"
            )
        return {}
    return {one.id: _kind(one) for one in samples if one.refused}


def _kind(sample: Sample) -> UnsafeKind:
    """Tell a safe picture with an unsafe text from an unsafe picture by the sample's id, whose end may be "#2"."""
    added = sample.id.removeprefix(sample.record)
    return "unsafe-text" if added.startswith(_UNSAFE_TEXT) else "unsafe-picture"
