"""Load a Hugging Face VLM, generate responses in batches, and save the model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.imports import remedy, why_broken
from unmirage.models.adapters import merge_into
from unmirage.models.base import GenerationConfig, Thinking
from unmirage.models.bases import base_of, note_base, whole_model
from unmirage.models.batches import BatchSize, Work, is_out_of_memory
from unmirage.models.decoding import Decoding
from unmirage.models.families import add_end, attention_reach, embedding_count, end_ids
from unmirage.models.folder import check_code, check_folder, check_weights, is_adapter, local_folder, some
from unmirage.models.greedy import NO_NUMBER, why_no_numbers
from unmirage.models.not_loaded import why_not_loaded
from unmirage.models.placement import Placement
from unmirage.models.prompts import Prepared, Sharing, prepare
from unmirage.models.sampling import Sampling
from unmirage.models.templates import check_processor, end_token
from unmirage.models.thinking import Decoder, same_prompts, switched
from unmirage.models.untested import why_untested
from unmirage.records import Ended, Failure, Query, Response
from unmirage.text.printable import clean
from unmirage.text.thoughts import settled

log = logging.getLogger(__name__)
__all__ = ["HuggingFaceVLM", "check_folder", "load_errors", "no_progress_bar"]


class HuggingFaceVLM:
    """An `AutoModelForImageTextToText` with its `AutoProcessor`."""

    def __init__(self, name: str, model: Any, processor: Any, source: str = "") -> None:
        """Wrap a model in memory; `source` is the directory or hub id that it was loaded from, if any."""
        self.name = name
        self.source = source
        self.model = model
        self.processor = processor
        self.thinking: Thinking = "auto"
        self.dtype = "auto"  # the setting of `load`
        self.base: str | None = None  # the setting of `load`
        self._decoding: Decoding | None = None
        self._auto_template: Any = None  # the model's own chat template while `thinking` is not "auto"

    def __repr__(self) -> str:
        name, source = clean(self.name, 80), clean(self.source, 200)
        return f"{type(self).__name__}({name!r}, source={source!r}, model={type(self.model).__name__})"

    @classmethod
    def load(
        cls,
        source: str | Path,
        name: str | None = None,
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
        thinking: Thinking = "auto",
        dtype: str = "auto",
        device: str = "auto",
        base: str | Path | None = None,
        loading: Mapping[str, Any] | None = None,
    ) -> HuggingFaceVLM:
        """Load a directory, or a hub id such as "llava-hf/llava-1.5-7b-hf".

        For the directory of a LoRA adapter, this loads the base and merges the adapter into it. It reads safetensors
        only.

        Args:
            name: name of the model in tables (default: the last part of `source`).
            revision: commit of the hub id; for an adapter, of its base.
            trust_remote_code: run code that comes with the model. For a hub id, `revision` must then be a full
                commit, so that the code cannot change after it was read.
            thinking: whether the chat template asks for reasoning; "auto" for the template's default.
            dtype, device: dtype and device of the weights; see `Placement.of`.
            base: directory or hub id that replaces the base that an adapter names.
            loading: further arguments of `from_pretrained`; not for adapters.

        Raises:
            UserError: the model is missing, incomplete or unusable; the message says what was found.
        """
        folder, place = Path(source), Placement.of(dtype, device)
        own = None if base is None else str(base)
        whole_model(str(source), own)
        if is_adapter(folder):
            vlm = cls._adapted(folder, name, own, revision, place, trust_remote_code=trust_remote_code)
        else:
            vlm = cls._whole(source, name, revision, place, loading, trust_remote_code=trust_remote_code)
        vlm.dtype = dtype
        vlm.base = own
        vlm.think(thinking)
        vlm.stop_at_end_of_turn()
        if line := why_untested(vlm.model):
            log.info("%s: %s", vlm.name, line)
        return vlm

    @classmethod
    def _whole(
        cls, source: str | Path, name: str | None, revision: str | None, place: Placement,
        loading: Mapping[str, Any] | None = None, *, trust_remote_code: bool,
    ) -> HuggingFaceVLM:  # fmt: skip
        folder = local_folder(source, revision, trust_remote_code=trust_remote_code)
        if is_adapter(folder):
            raise UserError(f"model '{source}': is an adapter; download it and give its directory, not the hub id")
        check_code(folder, trust_remote_code=trust_remote_code)
        check_folder(folder)
        check_weights(folder)
        with load_errors(source), no_progress_bar():
            model, found = AutoModelForImageTextToText.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                local_files_only=True,
                output_loading_info=True,
                **{"dtype": place.dtype, **(loading or {})},
            )
            processor = _load_processor(folder, trust_remote_code=trust_remote_code)
        # The library would initialize missing weights at random, and mention it only in its log.
        if missing := set(found["missing_keys"]):
            raise UserError(f"model '{source}': weights are missing: {some(missing)}; download the whole model again")
        if unused := set(found["unexpected_keys"]):
            log.warning("model '%s': weights that the model does not have are ignored: %s", source, some(unused))
        check_processor(str(source), processor, embedding_count(str(source), model))
        if folder != Path(source):
            model.config._commit_hash = folder.name  # the hub names snapshot folders by commit
        return cls(name or Path(source).name, model.eval().to(place.device), processor, str(source))

    @classmethod
    def _adapted(
        cls, folder: Path, name: str | None, own: str | None, revision: str | None, place: Placement, *,
        trust_remote_code: bool,
    ) -> HuggingFaceVLM:  # fmt: skip
        """Load an adapter's base, which may itself be an adapter, and merge the adapter into it.

        Args:
            own: replaces the base that the adapter names.
        """
        base = own or base_of(folder)
        if is_adapter(Path(base)):
            vlm = cls._adapted(Path(base), None, None, revision, place, trust_remote_code=trust_remote_code)
        else:
            vlm = cls._whole(base, None, revision, place, trust_remote_code=trust_remote_code)
        note_base(folder, base, str(getattr(vlm.model.config, "_commit_hash", None)))
        vlm.model = merge_into(vlm.model, folder).eval()
        if (folder / "processor_config.json").is_file():
            check_code(folder, trust_remote_code=trust_remote_code)
            with load_errors(folder):
                vlm.processor = _load_processor(folder, trust_remote_code=trust_remote_code)
            check_processor(str(folder), vlm.processor, embedding_count(str(folder), vlm.model))
        vlm.name = name or folder.name
        vlm.source = str(folder)
        return vlm

    def think(self, thinking: Thinking) -> None:
        """Turn the reasoning that the chat template asks for on or off; "auto" is the template's default.

        Raises:
            UserError: the chat template cannot do so.
        """
        template = self.own_template
        self.processor.chat_template = switched(self.source or self.name, self.processor, template, thinking)
        self._auto_template = template
        self.thinking = thinking

    def asks_alike(self, thinking: Thinking) -> bool:
        """Return whether another setting of `think` gives the same prompts."""
        other = switched(self.source or self.name, self.processor, self.own_template, thinking)
        return same_prompts(self.processor, self.processor.chat_template, other)

    def stop_at_end_of_turn(self) -> None:
        """Let generation stop at the token that ends a response in training, also in the saved model."""
        try:
            end = end_token(self.processor)
        except UserError:
            return  # it can answer, but not be trained: rendering a target gives the reason
        if add_end(self.model, end):
            token = self.processor.tokenizer.convert_ids_to_tokens(end)
            log.info(
                "%s: responses also end at %s, which ends them in the chat template but not in generation_config",
                self.name,
                token,
            )

    @property
    def own_template(self) -> Any:
        """The model's own chat template, without the setting of `think`."""
        return self.processor.chat_template if self.thinking == "auto" else self._auto_template

    def save(self, folder: Path) -> None:
        """Write the model (safetensors) and the processor to an existing empty folder."""
        with no_progress_bar():
            self.model.save_pretrained(folder)
        self.save_processor(folder)

    def save_processor(self, folder: Path) -> None:
        """Write only the processor to an existing folder, with its own chat template."""
        shown, self.processor.chat_template = self.processor.chat_template, self.own_template
        try:
            self.processor.save_pretrained(folder)
        finally:
            self.processor.chat_template = shown

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query.

        Queries about one image share a batch, and the model processes the image once for all of them. The next batch
        is prepared during generation. A batch that does not fit in memory is halved and retried.
        """
        # Encoders do not all leave out padding, so that rows of other lengths would change a response.
        alone = bool(getattr(self.model.config, "is_encoder_decoder", False))
        work, size = Work(queries), BatchSize(1 if alone else config.batch_size, self.model.device)
        decoder = Decoder.of(self.processor)
        reach = attention_reach(self.model)
        longest = None if reach is None else reach - config.max_new_tokens
        if self._decoding is None or self._decoding.model is not self.model:
            self._decoding = Decoding(self.name, self.model)
        decoding = self._decoding

        def sharing() -> Sharing:
            return Sharing(wanted=config.share_prefix and not decoding.plain, longest=longest)

        with ThreadPoolExecutor(max_workers=1) as thread:

            def begin() -> Future[Prepared] | None:
                groups = work.take(1 if decoding.alone else size.rows)
                return thread.submit(prepare, self.processor, groups, images, sharing()) if groups else None

            coming = begin()
            while coming is not None:
                batch = coming.result()
                decoding.prove(self.processor, batch.groups, images, sharing())
                coming = begin()
                yield from (Failure(query_id=q.id, model=self.name, reason=reason) for q, reason in batch.failed)
                answers = self._answers(batch, size, config, decoder, decoding)
                if answers is None:
                    work.put_back(batch.groups)
                else:
                    yield from answers
                coming = coming or begin()

    def _answers(
        self, batch: Prepared, size: BatchSize, config: GenerationConfig, decoder: Decoder, decoding: Decoding
    ) -> list[Response | Failure] | None:
        """Return the responses to a batch; None if it must be retried: in parts, or without shared prefixes."""
        if batch.prompts is None:
            return []
        queries = batch.queries
        size.start()
        try:
            drawn = Sampling(config.temperature, config.seed, [query.id for query in queries])
            rows = decoding(batch.prompts, config.max_new_tokens, drawn if config.temperature else None)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size.failed(len(queries)):
                return None
            return [Failure(query_id=queries[0].id, model=self.name, reason="out of memory with a batch of one query")]
        if rows is None:
            return None
        size.succeeded(len(queries))
        return [self._response(query, row, decoder) for query, row in zip(queries, rows, strict=True)]

    def _response(self, query: Query, ids: Tensor, decoder: Decoder) -> Response | Failure:
        if NO_NUMBER in ids:
            return Failure(query_id=query.id, model=self.name, reason=why_no_numbers(self.model))
        stopped = len(ids) > 0 and int(ids[-1]) in end_ids(self.model)
        length = len(ids) - stopped
        ended = Ended.STOP if stopped else Ended.LENGTH
        said = decoder.text(ids[:length])
        # Only spaces and special tokens: the model said nothing, so no answer is missing.
        said = said or " " if length else said
        return settled(Response(query_id=query.id, model=self.name, text=said, tokens=length, ended=ended))


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers from printing its progress bar: a library does not write to the terminal."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


# What transformers raises for a model that is broken or unknown.
LOAD_ERRORS = (
    OSError, ValueError, ImportError, KeyError, AttributeError, RuntimeError, TypeError, SafetensorError,
    StrictDataclassError,
)  # fmt: skip


@contextmanager
def load_errors(source: str | Path) -> Iterator[None]:
    """Turn loading errors into one line that names the model; out-of-memory errors pass through."""
    try:
        yield
    except LOAD_ERRORS as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        text = why_not_loaded(source, error) or one_line(error)
        if "ignore_mismatched_sizes" in text:  # the library tells the names in its log only
            text = "the shapes of its weights mismatch those of its config.json; download the whole model again"
        if "video processor" in text.lower() or "torchvision" in text.lower():
            broken = why_broken()
            what = f"is broken ({broken}). {remedy()}" if broken else "is missing (pip install torchvision)"
            text = f"its processor needs torchvision, which {what}: {text}"
        raise UserError(f"model '{source}': cannot be loaded: {text}") from error


def _load_processor(folder: Path, *, trust_remote_code: bool) -> Any:
    return AutoProcessor.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
