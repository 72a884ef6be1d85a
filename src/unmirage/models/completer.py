"""A local model that completes chat turns of any roles or a raw prompt, such as a guard model; text-only ones too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)

from unmirage.errors import UserError
from unmirage.models.conversation import Message, Picture
from unmirage.models.encoding import to_model
from unmirage.models.folder import check_code, check_folder, check_weights, local_folder
from unmirage.models.huggingface import load_errors, no_progress_bar
from unmirage.models.templates import rendered


class Completer:
    """A model with its processor (for models that see pictures) or tokenizer (for text-only models)."""

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        self.name = name
        self.model = model
        self.processor = processor

    @classmethod
    def load(cls, source: str) -> Completer:
        """Load a directory or hub id; it reads safetensors only and runs no code of the model.

        Raises:
            UserError: the model is missing, incomplete or unusable.
        """
        folder = local_folder(source, None, trust_remote_code=False)
        check_code(folder, trust_remote_code=False)
        check_folder(folder)
        check_weights(folder)
        cuda = torch.cuda.is_available()
        with load_errors(source), no_progress_bar():
            sees = type(AutoConfig.from_pretrained(folder)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
            kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
            model = kind.from_pretrained(
                folder, dtype="auto" if cuda else torch.float32, use_safetensors=True, local_files_only=True
            )
            processor = (AutoProcessor if sees else AutoTokenizer).from_pretrained(folder, local_files_only=True)
        return cls(Path(source).name, model.eval().to("cuda" if cuda else "cpu"), processor)

    @property
    def sees(self) -> bool:
        """Return whether the model takes pictures."""
        return hasattr(self.processor, "image_processor")

    def prompt(self, turns: Sequence[Message]) -> str:
        """Return the prompt for chat turns whose content is a list of parts, by the model's chat template.

        Raises:
            UserError: the model has no chat template, or it rejects the turns.
        """
        if getattr(self.processor, "chat_template", None) is None:
            raise UserError(f"model '{self.name}': has no chat template; add its chat_template.jinja to the directory")
        if self.sees:
            return rendered(self.processor, turns, add_generation_prompt=True)
        texts = [{"role": turn["role"], "content": turn["content"][0]["text"]} for turn in turns]
        return rendered(_Text(self.processor), texts, add_generation_prompt=True)

    @torch.inference_mode()
    def complete(self, prompt: str, pictures: Sequence[Picture], max_new_tokens: int) -> str:
        """Return the greedy continuation of a prompt, without special tokens."""
        tokenizer = getattr(self.processor, "tokenizer", self.processor)
        # A template may already add the start token; then the tokenizer must not.
        start = tokenizer.bos_token
        options = {"add_special_tokens": not (start and prompt.startswith(start)), "return_tensors": "pt"}
        batch = self.processor(text=[prompt], **options, **({"images": [list(pictures)]} if pictures else {}))
        inputs = to_model({key: tensor for key, tensor in batch.items() if key != "token_type_ids"}, self.model)
        found = self.model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        )
        return str(tokenizer.decode(found[0][inputs["input_ids"].shape[1] :], skip_special_tokens=True))


class _Text:
    """A tokenizer whose chat template gives text, as that of a processor does."""

    def __init__(self, tokenizer: Any) -> None:
        self.apply_chat_template = partial(tokenizer.apply_chat_template, tokenize=False)
