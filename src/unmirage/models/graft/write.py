"""Graft a vision tower onto a text decoder, and write the model directory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from unmirage.errors import UserError
from unmirage.models.families import part_of
from unmirage.models.graft.assembly import Assembly, assemble
from unmirage.models.graft.card import graft_card
from unmirage.models.graft.document import Graft, Seen
from unmirage.models.graft.named import WHEELS
from unmirage.models.graft.settings import GraftSettings
from unmirage.models.graft.source import Source, load_decoder
from unmirage.models.graft.templates import CHATML
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Rate
from unmirage.run.files import new_folder, tensors_written
from unmirage.run.machine import describe_machine
from unmirage.run.progress import Progress


class PictureTraining(Protocol):
    """Trains the vision tower and the projector of a model."""

    def train(self, vlm: HuggingFaceVLM, settings: GraftSettings, progress: Progress | None, /) -> Seen:
        """Train them in place, and measure the accuracy on pictures; the decoder must stay as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Grafted:
    """A grafted model.

    Attributes:
        folder: the model directory.
        lm: name of the decoder.
        parameters: number of weights.
        picture_accuracy: accuracy on questions about held-out pictures; None without a training.
        record: the document that was written.
    """

    folder: Path
    lm: str
    parameters: int
    picture_accuracy: Rate | None
    record: Graft


def graft(
    lm: str | Path,
    out: Path,
    *,
    settings: GraftSettings | None = None,
    see: PictureTraining | None = None,
    chat_template: str | Path | None = None,
    wheel: Path | None = None,
    revision: str | None = None,
    progress: Progress | None = None,
) -> Grafted:
    """Write a LLaVA that consists of a text decoder, a small vision tower and a projector.

    Args:
        lm: directory (safetensors), hub id, GGUF file, or a name such as "smollm2-135m".
        out: the new model directory; must not exist.
        settings: sizes, seed and training settings.
        see: trains tower and projector; None leaves them random.
        chat_template: file of a Jinja template for text, or "chatml"; None for the decoder's own.
        wheel: local copy of the wheel behind a name.
        revision: commit of a hub id.
        progress: called while tower and projector are trained.

    Raises:
        UserError: the decoder or the data are not usable; `out` is not created.
    """
    settings = settings or GraftSettings()
    if out.exists():
        raise UserError(f"{out}: exists; name a new directory with --out")
    source = load_decoder(lm, revision=revision, wheel=wheel)
    made = assemble(source.model, source.tokenizer, settings, source=str(lm), chat_template=chat_template)
    vlm = HuggingFaceVLM(out.name, made.model, made.processor, source.name)
    seen = None if see is None else see.train(vlm, settings, progress)
    record = _record(source, made, settings, chat_template, seen)
    with tensors_written(out), new_folder(out) as new:
        vlm.save(new)
        record.save(new / Graft.FILE)
        (new / "README.md").write_text(graft_card(out.name, record), encoding="utf-8")
    return Grafted(
        folder=out,
        lm=source.name,
        parameters=sum(record.parameters.values()),
        picture_accuracy=None if seen is None else seen.after,
        record=record,
    )


def _record(
    source: Source, made: Assembly, settings: GraftSettings, chat_template: str | Path | None, seen: Seen | None
) -> Graft:
    counts: Counter[str] = Counter()
    parameter: torch.nn.Parameter
    for name, parameter in made.model.named_parameters():  # a tied output layer counts once
        counts[part_of(made.model, name)] += parameter.numel()
    known = WHEELS.get(source.name)
    return Graft(
        lm=source.name,
        files=source.files,
        architecture=type(source.model).__name__,
        license=known.license if known else "",
        chat_template=_kind(chat_template),
        system=made.system,
        padding=made.padding,
        parameters=dict(counts),
        settings=_shown(settings),
        seen=seen,
        machine=describe_machine(),
    )


def _kind(chat_template: str | Path | None) -> Literal["own", "chatml", "file"]:
    if chat_template is None:
        return "own"
    return "chatml" if str(chat_template) == CHATML else "file"


def _shown(settings: GraftSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json")
