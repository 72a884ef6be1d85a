"""Texts and pictures in, tensors out: how a chat turn becomes token ids, for asking and for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from unmirage.errors import UserError

Picture = Image.Image

IGNORED = -100  # label of a token that carries no loss


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: prompt and answer as ids, and what the picture gave.

    Attributes:
        input_ids: (tokens,) prompt, answer and end of turn.
        prompt_length: how many of them are the prompt, image tokens included.
        extras: whatever else the processor made for the picture, such as `pixel_values` (1, channels, h, w).
    """

    input_ids: Tensor
    prompt_length: int
    extras: dict[str, Tensor]

    @property
    def bytes(self) -> int:
        """Memory held by the tensors."""
        return sum(t.element_size() * t.numel() for t in (self.input_ids, *self.extras.values()))


def render_prompt(processor: Any, query: str, *, has_image: bool) -> str:
    """Return the chat prompt up to where the model starts to answer."""
    prompt: str = processor.apply_chat_template([_user(query, has_image)], add_generation_prompt=True)
    return prompt


def render_answer(processor: Any, query: str, answer: str, *, has_image: bool) -> str:
    """Return what follows the prompt when the model answers `answer`: separator, answer, end of turn."""
    turns = [_user(query, has_image), {"role": "assistant", "content": [{"type": "text", "text": answer}]}]
    whole: str = processor.apply_chat_template(turns)
    prompt = render_prompt(processor, query, has_image=has_image)
    if not whole.startswith(prompt):
        raise UserError("chat template: the answered turn does not start with its own prompt")
    end = processor.tokenizer.eos_token
    rest = whole[len(prompt) :].rstrip("\n")
    return rest if rest.endswith(end) else rest.rstrip() + end


def encode_prompts(processor: Any, queries: Sequence[str], images: Sequence[Picture | None]) -> dict[str, Tensor]:
    """Return a left-padded batch for generation. All queries have a picture, or none has."""
    prompts = [
        render_prompt(processor, query, has_image=image is not None)
        for query, image in zip(queries, images, strict=True)
    ]
    # One list a query: some processors (Gemma3, Idefics3) would take a flat one for the pictures of the first.
    pictures = [[image] for image in images if image is not None]
    batch = processor(
        text=prompts,
        images=pictures or None,
        padding=True,
        padding_side="left",
        return_tensors="pt",
        **_start_once(processor, prompts[0]),
    )
    # PaliGemma's makes labels that nobody asked for.
    return {key: tensor for key, tensor in batch.items() if key != "labels"}


def to_model(batch: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return the batch where the model is; pictures in its precision, ids as they are."""
    return {
        key: tensor.to(model.device, model.dtype if tensor.is_floating_point() else None)
        for key, tensor in batch.items()
    }


def _start_once(processor: Any, prompt: str) -> dict[str, bool]:
    """Keep the tokenizer from adding a start token where the chat template has put one already."""
    start = processor.tokenizer.bos_token
    return {"add_special_tokens": False} if start and prompt.startswith(start) else {}


def encode_example(processor: Any, query: str, answer: str, image: Picture | None) -> Example:
    """Return one training example. Prompt and answer are tokenised apart, so the loss mask is exact."""
    has_image = image is not None
    batch = encode_prompts(processor, [query], [image])
    prompt_ids = batch.pop("input_ids")[0]
    del batch["attention_mask"]
    target = render_answer(processor, query, answer, has_image=has_image)
    target_ids = processor.tokenizer(target, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
    return Example(torch.cat([prompt_ids, target_ids]), len(prompt_ids), batch)


def collate(examples: Sequence[Example], pad_token_id: int) -> dict[str, Tensor]:
    """Return a right-padded batch: `input_ids`, `attention_mask`, `labels` (answer tokens only) and the extras."""
    longest = max(len(example.input_ids) for example in examples)
    ids = torch.full((len(examples), longest), pad_token_id)
    labels = torch.full((len(examples), longest), IGNORED)
    mask = torch.zeros((len(examples), longest), dtype=torch.long)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        ids[row, :length] = example.input_ids
        mask[row, :length] = 1
        labels[row, example.prompt_length : length] = example.input_ids[example.prompt_length :]
    keys = {key for example in examples for key in example.extras}
    extras = {key: torch.cat([e.extras[key] for e in examples if key in e.extras]) for key in sorted(keys)}
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, **extras}


def _user(query: str, has_image: bool) -> dict[str, Any]:
    parts: list[dict[str, str]] = [{"type": "image"}] if has_image else []
    return {"role": "user", "content": [*parts, {"type": "text", "text": query}]}
