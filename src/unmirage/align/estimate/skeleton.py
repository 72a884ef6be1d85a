"""The model without weights, and rendered samples, for an estimate."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from unmirage.align.dataset import PassCollator, Row, Rows
from unmirage.align.estimate.result import Kind, RenderedSample
from unmirage.align.forward import PassBatch
from unmirage.align.objective import Need, StreamName
from unmirage.errors import UserError, one_line
from unmirage.models.base import Thinking
from unmirage.models.families import embedding_count
from unmirage.models.folder import check_folder, check_hub_id
from unmirage.models.huggingface import LOAD_ERRORS, HuggingFaceVLM
from unmirage.models.not_loaded import why_not_loaded
from unmirage.models.templates import check_processor
from unmirage.models.thinking import switched
from unmirage.records import Sample
from unmirage.text.printable import clean

Source = str | Path | HuggingFaceVLM


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A model on the `meta` device, where tensors have shape and dtype but no content, and its processor."""

    name: str
    model: Any
    processor: Any

    @classmethod
    def of(cls, source: Source, thinking: Thinking = "auto") -> Skeleton:
        """Return the skeleton of a loaded model, of a directory, or of a hub id (config and processor are fetched).

        The weights have the dtype of the loaded model or of the checkpoint, as on a GPU.

        Raises:
            UserError: the source is missing or unusable.
        """
        if isinstance(source, HuggingFaceVLM):
            processor = copy.copy(source.processor)
            processor.chat_template = switched(
                source.name, processor, source.own_template, source.thinking if thinking == "auto" else thinking
            )
            return cls(source.name, _empty(source.model.config, source.model.dtype), processor)
        folder = Path(source)
        if local := folder.exists():
            check_folder(folder)
        else:
            check_hub_id("model", str(source))
        try:
            config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=local)
            processor = AutoProcessor.from_pretrained(source, trust_remote_code=False, local_files_only=local)
        except LOAD_ERRORS as error:
            reason = why_not_loaded(source, error) or one_line(error)
            raise UserError(f"model '{source}': cannot be planned: {reason}") from error
        model = _empty(config, config.dtype or _stored_dtype(folder))
        check_processor(str(source), processor, embedding_count(str(source), model))
        processor.chat_template = switched(str(source), processor, processor.chat_template, thinking)
        return cls(folder.name, model, processor)


def _empty(config: Any, dtype: torch.dtype) -> Any:
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    # As many products as each token's experts need; the default asks for values, or for one dtype.
    model.set_experts_implementation("batched_mm")
    return model


def _stored_dtype(folder: Path) -> torch.dtype:
    """Return the dtype of the first floating-point tensor of a directory; bfloat16 if there is none."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  # it is no dict
                stored = tensors.get_slice(name).get_dtype()
                if stored in _STORED:
                    return _STORED[stored]
    return torch.bfloat16


_STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def rendered(
    name: StreamName,
    rows: Rows,
    samples: Sequence[Sample],
    processor: Any,
    collator: PassCollator,
    wants: frozenset[Need],
    count: int = 3,
) -> list[RenderedSample]:
    """Return rows of a stream, spread evenly over it, with the masks that training uses.

    Args:
        name, rows, samples: the stream, its rows and their samples.
        processor, collator: those of the run.
        wants: outputs of the policy that the method needs on this stream. A token has loss if the method uses its
            log-probability or its representation.
    """
    last = len(samples) - 1
    chosen = sorted({round(number * last / max(1, count - 1)) for number in range(count)})
    batches = ((samples[index].id, collator.batch({name: [Row(rows.samples[index])]})) for index in chosen)
    return [_rendered(name, sample_id, batch, processor, collator, wants) for sample_id, batch in batches]


def _rendered(
    name: StreamName, sample_id: str, batch: PassBatch, processor: Any, collator: PassCollator, wants: frozenset[Need]
) -> RenderedSample:
    ids: list[int] = batch.inputs["input_ids"][0].tolist()
    predicted = batch.loss[0].clone()
    predicted[0] = False  # no token before it predicts the first token
    mask = predicted if wants - {"hidden"} else torch.zeros_like(predicted)
    if "hidden" in wants:
        mask = mask | batch.places[0]
    loss: list[bool] = mask.tolist()
    kinds: list[Kind] = [
        "image" if token == collator.image_token_id else "loss" if carries else "text"
        for token, carries in zip(ids, loss, strict=True)
    ]
    spans: list[tuple[Kind, str]] = []
    # Runs are decoded whole, because a character may have several tokens.
    for kind, run in groupby(range(len(ids)), key=kinds.__getitem__):
        tokens = [ids[place] for place in run]
        text = f"<image ×{len(tokens)}>" if kind == "image" else clean(processor.tokenizer.decode(tokens))
        spans.append((kind, text))
    return RenderedSample(name, sample_id, len(ids), sum(loss), tuple(spans))
