"""Turn chat turns with images into token ids and tensors, for generation and for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unmirage.errors import UserError
from unmirage.models.families import answer_kind, fed_text, joined_pictures, marks_tokens, needs_picture

Picture = Image.Image

IGNORED = -100  # label of a token without loss
_MARKER = "unmirage-marks-this-place"  # rendered in place of a text, to find what the chat template puts around it


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: the token ids of prompt and response, and the processor's image tensors.

    Attributes:
        input_ids: (tokens,) prompt, response and end of turn.
        prompt_length: number of prompt tokens, including image tokens.
        extras: the processor's other outputs: per image, such as `pixel_values` (1, channels, h, w), and per token,
            such as `token_type_ids` (1, tokens), which cover the response too.
        query: first column of the user's text, and the column after its last; (0, 0) if not computed.
    """

    input_ids: Tensor
    prompt_length: int
    extras: dict[str, Tensor]
    query: tuple[int, int] = (0, 0)

    @property
    def tokens(self) -> int:
        """Number of tokens. Examples are never truncated."""
        return len(self.input_ids)

    @property
    def labels(self) -> Tensor:
        """(tokens,) ids of the response, `IGNORED` on the prompt."""
        labels = self.input_ids.clone()
        labels[: self.prompt_length] = IGNORED
        return labels

    @property
    def query_mask(self) -> Tensor:
        """(tokens,) 1 on the user's text, 0 on the template, the image and the response."""
        mask = torch.zeros_like(self.input_ids)
        mask[slice(*self.query)] = 1
        return mask

    @property
    def bytes(self) -> int:
        """Memory of the tensors, in bytes."""
        return sum(t.element_size() * t.numel() for t in (self.input_ids, *self.extras.values()))


def render_prompt(processor: Any, query: str, *, has_image: bool) -> str:
    """Return the chat prompt up to the start of the response."""
    prompt: str = processor.apply_chat_template([_user(query, has_image)], add_generation_prompt=True)
    return prompt


def render_answer(processor: Any, query: str, answer: str, *, has_image: bool) -> str:
    """Return what follows the prompt if the model responds `answer`: separator, response, one end token."""
    prompt = render_prompt(processor, query, has_image=has_image)
    whole = _answered(processor, query, answer, has_image)
    before, _, after = _answered(processor, query, _MARKER, has_image).rpartition(_MARKER)
    if whole.startswith(prompt) and before.startswith(prompt):
        said = whole[len(prompt) :].removesuffix(after)
    else:  # the template renders a past response differently from the prompt for a new one (LLaVA-OneVision)
        said = answer if not prompt or prompt[-1].isspace() else f" {answer}"
    end = _end_of_turn(processor.tokenizer, after)
    # Some datasets already include the end token.
    return said.removesuffix(end) + end


def _answered(processor: Any, query: str, answer: str, has_image: bool) -> str:
    turns = [_user(query, has_image), {"role": "assistant", "content": [{"type": "text", "text": answer}]}]
    whole: str = processor.apply_chat_template(turns)
    return whole


def _end_of_turn(tokenizer: Any, after: str) -> str:
    """Return the text that ends a response: what the template puts after it, up to the first special token.

    Generation stops there, at the tokenizer's end token or at another one (Gemma3, Idefics3). Templates without
    any special token (LLaVA-1.5's on the hub) use the tokenizer's end token.
    """
    names = {tokenizer.eos_token, *map(str, getattr(tokenizer, "added_tokens_decoder", {}).values())}
    # Gemma's tokenizer lists runs of spaces and line breaks as added tokens.
    ends = [after.index(name) + len(name) for name in names if name and name.strip(" ▁\t\n") and name in after]
    end: str | None = after[: min(ends)] if ends else tokenizer.eos_token
    if not end:
        raise UserError(
            "tokenizer: has no end token, and neither does the chat template; set eos_token in tokenizer_config.json"
        )
    return end


def encode_prompts(processor: Any, queries: Sequence[str], images: Sequence[Picture | None]) -> dict[str, Tensor]:
    """Return a left-padded batch for generation. All queries have an image, or none has.

    Raises:
        UserError: an image is missing, and the model family requires one.
    """
    if needs_picture(processor) and None in images:
        raise UserError(
            f"query {_short(queries[images.index(None)])}: has no image; this model requires one in every query"
        )
    prompts = [
        render_prompt(processor, query, has_image=image is not None)
        for query, image in zip(queries, images, strict=True)
    ]
    # A chat template may already add the start token; then the tokenizer must not.
    start = processor.tokenizer.bos_token
    once = {"add_special_tokens": False} if start and prompts[0].startswith(start) else {}
    # One list per query: some processors (Gemma3, Idefics3) assign all images of a flat list to the first query.
    pictures = [[image] for image in images if image is not None]
    batch = processor(
        text=prompts,
        images=pictures or None,
        padding=True,
        padding_side="left",
        return_tensors="pt",
        **once,
    )
    # PaliGemma's processor adds labels, which generation does not need.
    return {key: tensor for key, tensor in batch.items() if key != "labels"}


def to_model(batch: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return the batch on the model's device; floating-point tensors in the model's precision."""
    return {
        key: tensor.to(model.device, model.dtype if tensor.is_floating_point() else None)
        for key, tensor in batch.items()
    }


def encode_example(
    processor: Any, query: str, answer: str, image: Picture | None, *, mark_query: bool = True
) -> Example:
    """Return one training example without truncation; the loss mask is exact, and the prompt is that of generation.

    Args:
        answer: target response; the end token is added.
        mark_query: find the query's tokens.

    Raises:
        UserError: the query cannot be located, the response contains an image token, or an image is missing.
    """
    has_image = image is not None
    batch = encode_prompts(processor, [query], [image])
    prompt_ids = batch.pop("input_ids")[0]
    del batch["attention_mask"]
    prompt = fed_text(processor, render_prompt(processor, query, has_image=has_image))
    target = render_answer(processor, query, answer, has_image=has_image)
    target_ids = prompt_ids.new_tensor(_continued(processor, prompt, prompt_ids.tolist(), target))
    if getattr(processor, "image_token_id", None) in target_ids.tolist():
        raise UserError(
            f"response {_short(answer)}: contains the model's image token; remove it, a response has no image"
        )
    more = prompt_ids.new_full((1, len(target_ids)), answer_kind(processor))
    kinds = {key: torch.cat([kind, more.to(kind.dtype)], dim=1) for key, kind in batch.items() if marks_tokens(key)}
    columns = _query_columns(processor, query, prompt, prompt_ids.tolist(), has_image) if mark_query else (0, 0)
    return Example(torch.cat([prompt_ids, target_ids]), len(prompt_ids), {**batch, **kinds}, columns)


def _continued(processor: Any, prompt: str, prompt_ids: list[int], target: str) -> list[int]:
    """Return the response's ids as they follow the prompt's, which stay as in generation.

    SentencePiece puts a space before every text. A response tokenized by itself would start with an extra space
    token, and the model would learn to produce it. The response is therefore the rest of the tokenized prompt plus
    response. It is tokenized by itself only if both merge into one token, or the end of the prompt is unknown.
    """
    before, whole = _ids(processor, prompt), _ids(processor, prompt + target)
    known = before[-1:] == prompt_ids[-1:] and whole[: len(before)] == before
    return whole[len(before) :] if known else _ids(processor, target)


def _ids(processor: Any, text: str) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _query_columns(processor: Any, query: str, prompt: str, prompt_ids: list[int], has_image: bool) -> tuple[int, int]:
    """Return the first column of the query in the prompt, and the column after its last.

    Columns are counted from the end: an image before the query is one placeholder in the text but many tokens in
    the prompt. A token that spans template and query (" What") belongs to the query.
    """
    place = fed_text(processor, render_prompt(processor, _MARKER, has_image=has_image)).find(_MARKER)
    # Some templates strip the query.
    text = query if prompt.startswith(query, place) else query.strip()
    if place < 0 or not prompt.startswith(text, place) or not getattr(processor.tokenizer, "is_fast", False):
        raise _lost(query)
    encoded = processor.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    spans = encoded["offset_mapping"]
    inside = [at for at, (left, right) in enumerate(spans) if left < place + len(text) and right > place]
    if not inside:
        return len(prompt_ids), len(prompt_ids)  # an empty query
    tail = encoded["input_ids"][inside[0] :]
    first = len(prompt_ids) - len(tail)
    if first < 0 or prompt_ids[first:] != tail:
        raise _lost(query)
    return first, first + inside[-1] + 1 - inside[0]


def _lost(query: str) -> UserError:
    return UserError(
        f"query {_short(query)}: cannot be located among the prompt's tokens; use a loss on responses only "
        "(method.loss_tokens=answer, and no loss on representations)"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def collate(examples: Sequence[Example], pad_token_id: int) -> dict[str, Tensor]:
    """Return a right-padded batch. Images may differ in size, and rows may have none.

    It holds `input_ids`, `attention_mask`, `labels` (`IGNORED` outside the response) and `query_mask` (1 on the
    user's text), all integer tensors (batch, tokens), and the extras in the form that the model expects.
    """
    batch = {
        "input_ids": _padded([example.input_ids for example in examples], pad_token_id),
        "attention_mask": _padded([torch.ones_like(example.input_ids) for example in examples]),
        "labels": _padded([example.labels for example in examples], IGNORED),
        "query_mask": _padded([example.query_mask for example in examples]),
    }
    for key in sorted({key for example in examples for key in example.extras}):
        if marks_tokens(key):
            kinds = [e.extras[key][0] if key in e.extras else torch.zeros_like(e.input_ids) for e in examples]
            batch[key] = _padded(kinds)
        else:
            batch[key] = joined_pictures(key, [e.extras[key] for e in examples if key in e.extras])
    return batch


def _padded(rows: list[Tensor], value: int = 0) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value)


def _user(query: str, has_image: bool) -> dict[str, Any]:
    parts: list[dict[str, str]] = [{"type": "image"}] if has_image else []
    return {"role": "user", "content": [*parts, {"type": "text", "text": query}]}
