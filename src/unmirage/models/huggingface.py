"""A Hugging Face VLM: loaded from safetensors, asked in left-padded greedy batches, saved whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from unmirage.data.images import ImageFolder
from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.models.encoding import encode_prompts
from unmirage.records import Query, Response


class HuggingFaceVLM:
    """An `AutoModelForImageTextToText` with its `AutoProcessor`."""

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        self.name = name
        self.model = model
        self.processor = processor

    @classmethod
    def load(cls, source: str | Path, name: str | None = None) -> HuggingFaceVLM:
        """Load a directory, or a hub id such as "llava-hf/llava-1.5-7b-hf".

        Only safetensors are read, and no code of the repository is run.

        Raises:
            UserError: nothing usable is there; the message says what was found.
        """
        folder = Path(source)
        if folder.exists():
            check_folder(folder)
        elif len(folder.parts) != 2 or str(source).startswith((".", "/", "~")):
            raise UserError(f"model '{source}': no such directory, and not a hub id of the form owner/name")
        cuda = torch.cuda.is_available()
        try:
            model = AutoModelForImageTextToText.from_pretrained(
                source,
                dtype=torch.float32 if not cuda else "auto",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=folder.exists(),
            )
            processor = AutoProcessor.from_pretrained(source, trust_remote_code=False, local_files_only=folder.exists())
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise UserError(f"model '{source}': cannot be loaded: {' '.join(str(error).split())[:400]}") from error
        return cls(name or folder.name, model.eval().to("cuda" if cuda else "cpu"), processor)

    def save(self, folder: Path) -> None:
        """Write model (safetensors) and processor into an existing empty folder."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    def answer(self, queries: Sequence[Query], images: ImageFolder, config: GenerationConfig) -> Iterator[Response]:
        """Yield one greedy response for each query; queries of like length share a batch."""
        ordered = sorted(queries, key=lambda query: (query.image is None, len(query.text), query.text))
        for _, same_kind in groupby(ordered, key=lambda query: query.image is None):
            alike = list(same_kind)
            for start in range(0, len(alike), config.batch_size):
                batch = alike[start : start + config.batch_size]
                yield from self._answer_batch(batch, images, config.max_new_tokens)

    @torch.inference_mode()
    def _answer_batch(self, queries: Sequence[Query], images: ImageFolder, max_new_tokens: int) -> list[Response]:
        pictures = [None if query.image is None else images.open(query.image) for query in queries]
        batch = encode_prompts(self.processor, [query.text for query in queries], pictures)
        batch = {key: tensor.to(self.model.device) for key, tensor in batch.items()}
        ids = self.model.generate(**batch, do_sample=False, max_new_tokens=max_new_tokens)
        answers = ids[:, batch["input_ids"].shape[1] :]
        return [self._response(query, row) for query, row in zip(queries, answers, strict=True)]

    def _response(self, query: Query, ids: Tensor) -> Response:
        tokenizer = self.processor.tokenizer
        ends = (ids == tokenizer.eos_token_id).nonzero()
        finished = len(ends) > 0
        length = int(ends[0]) if finished else len(ids)
        text = tokenizer.decode(ids[:length], skip_special_tokens=True).strip()
        return Response(query_id=query.id, model=self.name, text=text, tokens=length, finished=finished)


def check_folder(folder: Path) -> None:
    """Refuse a directory that holds no model, or only weights that would have to be unpickled."""
    if not (folder / "config.json").is_file():
        raise UserError(f"model '{folder}': no config.json; a Hugging Face model directory is expected")
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth"))
        found = f"only {pickled[0]}, which is never unpickled" if pickled else "no weights"
        raise UserError(f"model '{folder}': {found}; convert to safetensors with save_pretrained()")
