"""The record of a conversion of an original LLaVA checkpoint. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from unmirage.documents import Document
from unmirage.records import Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionSettings:
    """How a checkpoint was converted.

    Attributes:
        from_pickle: whether `.bin` files were read.
        vocabulary: rows of the embeddings.
        asks_as_original: whether prompts get the same token ids as in LLaVA's own code.
        tensors: number of tensors.
        tower: where the vision tower's weights were found.
    """

    from_pickle: bool
    vocabulary: Count
    asks_as_original: bool
    tensors: Count
    tower: Literal["checkpoint", "folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(Document):
    """Where a converted model comes from, the document `unmirage.convert/1`.

    Attributes:
        source, vision_tower, base: hub ids in full, and names of folders without their paths, which are private.
        files: hash of each file, by source.
    """

    FILE: ClassVar[str] = "unmirage_convert.json"
    WRITER: ClassVar[str] = "unmirage convert SOURCE OUT"

    schema: Literal["unmirage.convert/1"] = "unmirage.convert/1"
    source: str
    vision_tower: str | None
    base: str | None
    files: Mapping[str, Mapping[str, str]]
    settings: ConversionSettings
    machine: Mapping[str, Any]
