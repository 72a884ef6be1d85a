"""Turn chat turns with images into token ids and tensors, for generation and for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unmirage.errors import UserError
from unmirage.models.conversation import Conversation, with_grey_pictures
from unmirage.models.families import (
    answer_marks,
    joined_pictures,
    marks_tokens,
    per_token,
    placeholder,
    why_unsupported,
)
from unmirage.models.fed_text import heard, repeated, shortened, text_places
from unmirage.models.templates import render_answer, render_prompt

# What processors raise for an image or text that they cannot process, such as an image of one pixel.
REFUSED = (UserError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, RuntimeError, OverflowError)
IGNORED = -100  # label of a token without loss


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: the token ids of prompt and response, and the processor's image tensors.

    Attributes:
        input_ids: (tokens,) prompt, response and end of turn.
        prompt_length: number of prompt tokens, including image tokens.
        extras: the processor's other outputs: per image, such as `pixel_values` (1, channels, h, w), and per token,
            such as `token_type_ids` (1, tokens), which cover the response too.
        query: pieces of the last user text, which pictures separate: the first column of each, and the column after
            its last; empty if not computed.
    """

    input_ids: Tensor
    prompt_length: int
    extras: dict[str, Tensor]
    query: tuple[tuple[int, int], ...] = ()

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
        """(tokens,) 1 on the last user text, 0 on the template, images, earlier turns and the response."""
        mask = torch.zeros_like(self.input_ids)
        for piece in self.query:
            mask[slice(*piece)] = 1
        return mask

    @property
    def bytes(self) -> int:
        """Memory of the tensors, in bytes."""
        return sum(t.element_size() * t.numel() for t in (self.input_ids, *self.extras.values()))


def encode_prompts(processor: Any, asked: Sequence[Conversation]) -> dict[str, Tensor]:
    """Return a left-padded batch for generation. All conversations have pictures, or none has.

    Raises:
        UserError: the model family does not support a conversation, or the chat template leaves out a part of it.
    """
    for one in asked:
        _check(processor, one)
    return _encoded(processor, asked)[0]


def fed_text(processor: Any, asked: Conversation) -> str:
    """Return the text that the processor passes to its tokenizer for the prompt of a conversation.

    Pictures that are not opened are taken to be small.
    """
    return _encoded(processor, [with_grey_pictures(asked)])[1][0]


def _encoded(processor: Any, asked: Sequence[Conversation]) -> tuple[dict[str, Tensor], list[str]]:
    """Return a left-padded batch, and the texts that the tokenizer was given."""
    prompts = [render_prompt(processor, one) for one in asked]
    for prompt, one in zip(prompts, asked, strict=True):
        _check_pictures(processor, prompt, one)
    # A chat template may already add the start token; then the tokenizer must not.
    start = processor.tokenizer.bos_token
    once = {"add_special_tokens": False} if start and prompts[0].startswith(start) else {}
    # One list per query: some processors (Gemma3, Idefics3) assign all images of a flat list to the first query.
    pictures = [list(one.pictures) for one in asked]
    with heard(processor) as ear:
        batch = processor(
            text=prompts,
            images=pictures if any(pictures) else None,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            **once,
        )
    # PaliGemma's processor adds labels, which generation does not need. Llama 4's rounds pixels to bfloat16.
    found = {
        key: tensor.float() if torch.is_tensor(tensor) and tensor.is_floating_point() else tensor
        for key, tensor in batch.items()
        if key != "labels"
    }
    return found, ear.texts if len(ear.texts) == len(asked) else prompts


def _check(processor: Any, asked: Conversation) -> None:
    """Raise `UserError` for a conversation that the family does not take, or a text with pieces of images."""
    if reason := why_unsupported(processor, asked.picture_count, plain=asked.is_plain):
        raise UserError(f"query {_short(asked.text)}: {reason}")
    said = (asked.text, *(turn.text for turn in asked.context))
    for token in sorted(_image_tokens(processor) - {placeholder(processor, "")}):
        if any(token in text for text in said):
            raise UserError(
                f"query {_short(asked.text)}: its text contains the model's image token {token!r}; remove it"
            )


_known: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


def _image_tokens(processor: Any) -> frozenset[str]:
    """Return the tokens that stand for pieces of images: those that the processor repeats for an image."""
    if processor not in _known:
        tokens = {getattr(processor, "image_token", None)} - {None}
        try:
            batch, _ = _encoded(processor, [with_grey_pictures(Conversation("?", places=(0,)))])
        except REFUSED:
            pass  # it takes no such conversation
        else:
            tokens |= repeated(processor.tokenizer, batch["input_ids"][0].tolist())
        _known[processor] = frozenset(map(str, tokens))
    return _known[processor]


def _check_pictures(processor: Any, prompt: str, asked: Conversation) -> None:
    """Raise `UserError` if the prompt has image placeholders, but not one for each picture."""
    token = placeholder(processor, prompt)
    found = prompt.count(token) if token else 0
    if found == asked.picture_count or (found == 0 and asked.is_plain):
        return  # a plain prompt of a family without a known placeholder
    if token and any(token in text for text in (asked.text, *(turn.text for turn in asked.context))):
        raise UserError(
            f"query {_short(asked.text)}: its text contains the model's image token {token!r}; "
            "remove it, or add the picture to the row"
        )
    raise UserError(
        f"query {_short(asked.text)}: has {asked.picture_count} pictures, but the chat template shows {found}; "
        "use another model, or leave the query out"
    )


def to_model(batch: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return the batch on the model's device; floating-point tensors in the model's precision."""
    return {
        key: tensor.to(model.device, model.dtype if tensor.is_floating_point() else None)
        for key, tensor in batch.items()
    }


def encode_example(processor: Any, asked: Conversation, answer: str, *, mark_query: bool = True) -> Example:
    """Return one training example without truncation; the loss mask is exact, and the prompt is that of generation.

    Args:
        asked: the query; earlier turns have no loss.
        answer: target response; the end token is added.
        mark_query: find the tokens of the last user text.

    Raises:
        UserError: the query cannot be located, the response contains an image token, or the model does not support
            the conversation.
    """
    _check(processor, asked)
    batch, (fed,) = _encoded(processor, [asked])
    prompt_ids = batch.pop("input_ids")[0]
    del batch["attention_mask"]
    short = shortened(processor.tokenizer, fed, prompt_ids.tolist())
    target = render_answer(processor, asked, answer)
    target_ids = prompt_ids.new_tensor(_continued(processor, short, prompt_ids.tolist(), target))
    images = processor.tokenizer.convert_tokens_to_ids(sorted(_image_tokens(processor)))
    if {*images, getattr(processor, "image_token_id", None)} & {*target_ids.tolist()}:
        raise UserError(
            f"response {_short(answer)}: contains the model's image token; remove it, a response has no image"
        )
    kinds = {
        key: torch.cat([kind, answer_marks(processor, key, kind, len(target_ids))], dim=1)
        for key, kind in batch.items()
        if per_token(key)
    }
    columns = _query_columns(processor, asked, fed, prompt_ids.tolist()) if mark_query else ()
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


def _query_columns(processor: Any, asked: Conversation, fed: str, prompt_ids: list[int]) -> tuple[tuple[int, int], ...]:
    """Return for each piece of the query its first column in the prompt, and the column after its last.

    A token that spans template and query (" What") belongs to the query.
    """
    places = text_places(processor, asked, fed, lambda told: fed_text(processor, told))
    if places is None or not getattr(processor.tokenizer, "is_fast", False):
        raise _lost(asked.text)
    # Of what precedes the query, only the number of tokens matters, unless an image follows.
    short = shortened(processor.tokenizer, fed[: places[0][0]], prompt_ids)
    text = short + fed[places[0][0] :]
    cut = len(text) - len(fed)
    encoded = processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans, ids = encoded["offset_mapping"], encoded["input_ids"]
    shift = len(prompt_ids) - len(ids)
    found = []
    for start, end in places:
        inside = [at for at, (left, right) in enumerate(spans) if left < end + cut and right > start + cut]
        if inside:  # else the template stripped all of it
            first, last = inside[0] + shift, inside[-1] + shift + 1
            if first < 0 or prompt_ids[first:last] != ids[inside[0] : inside[-1] + 1]:
                raise _lost(asked.text)
            found.append((first, last))
    return tuple(found)


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
    return batch | joined_pictures([example.extras for example in examples], batch["input_ids"].shape[1])


def _padded(rows: list[Tensor], value: int = 0) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value)
