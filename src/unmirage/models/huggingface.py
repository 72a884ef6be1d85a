"""A Hugging Face VLM: loaded from safetensors, asked in greedy batches, saved whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.base import GenerationConfig
from unmirage.models.batches import BatchSize, Work, is_out_of_memory
from unmirage.models.families import attention_reach, end_ids, why_not_shared
from unmirage.models.greedy import generate, greedy
from unmirage.models.prepare import Prepared, Sharing, prepare
from unmirage.records import Failure, Query, Response


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
            raise UserError(f"model '{source}': cannot be loaded: {_reason(error)}") from error
        return cls(name or folder.name, model.eval().to("cuda" if cuda else "cpu"), processor)

    def save(self, folder: Path) -> None:
        """Write model (safetensors) and processor into an existing empty folder."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield one greedy response for each query.

        Queries on one picture are asked together, and the picture is read once for all of them. The next batch
        is prepared while the model answers. Where memory does not hold a batch, it is halved and asked again.
        """
        work, size = Work(queries), BatchSize(config.batch_size, self.model.device)
        sharing = self._sharing(config)
        with ThreadPoolExecutor(max_workers=1) as thread:

            def begin() -> Future[Prepared] | None:
                groups = work.take(size.rows)
                return thread.submit(prepare, self.processor, groups, images, sharing) if groups else None

            coming = begin()
            while coming is not None:
                batch, coming = coming.result(), begin()
                yield from (Failure(query_id=q.id, model=self.name, reason=reason) for q, reason in batch.failed)
                answers = self._answers(batch, size, config)
                if answers is None:
                    work.put_back(batch.groups)
                else:
                    yield from answers
                coming = coming or begin()

    def _sharing(self, config: GenerationConfig) -> Sharing:
        reach = attention_reach(self.model)
        return Sharing(
            wanted=config.share_prefix and not why_not_shared(self.model),
            longest=None if reach is None else reach - config.max_new_tokens,
        )

    def _answers(self, batch: Prepared, size: BatchSize, config: GenerationConfig) -> list[Response | Failure] | None:
        """Return the responses to a batch; None where it did not fit into memory and is to be asked in parts."""
        if batch.prompts is None:
            return []
        queries = batch.queries
        size.start()
        try:
            loop = generate if why_not_shared(self.model) else greedy
            rows = loop(self.model, batch.prompts, config.max_new_tokens)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size.failed(len(queries)):
                return None
            return [Failure(query_id=queries[0].id, model=self.name, reason="out of memory, asked by itself")]
        size.succeeded(len(queries))
        return [self._response(query, row) for query, row in zip(queries, rows, strict=True)]

    def _response(self, query: Query, ids: Tensor) -> Response:
        finished = len(ids) > 0 and int(ids[-1]) in end_ids(self.model)
        length = len(ids) - finished
        text = self.processor.tokenizer.decode(ids[:length], skip_special_tokens=True).strip()
        return Response(query_id=query.id, model=self.name, text=text, tokens=length, finished=finished)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:400]
    if "video processor" in text.lower() or "torchvision" in text.lower():
        return f"its processor needs torchvision (pip install torchvision): {text}"
    return text


def check_folder(folder: Path) -> None:
    """Refuse a directory that holds no model, or only weights that would have to be unpickled."""
    if not (folder / "config.json").is_file():
        raise UserError(f"model '{folder}': no config.json; a Hugging Face model directory is expected")
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth"))
        found = f"only {pickled[0]}, which is never unpickled" if pickled else "no weights"
        raise UserError(f"model '{folder}': {found}; convert to safetensors with save_pretrained()")
