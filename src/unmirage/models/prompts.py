"""Encode queries with their images as one batch in which queries about the same images share a prompt prefix.

A chat prompt starts with earlier turns and images, and ends with the query. All queries about the same images have the
same beginning, and image tokens are most of it. The images are preprocessed once, and the common prefix is kept apart
from the rest of each prompt, so that the model can process it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.models.batches import Group, is_out_of_memory
from unmirage.models.conversation import Conversation, once_opened
from unmirage.models.encoding import REFUSED, encode_prompts
from unmirage.models.families import SEPARATORS
from unmirage.models.templates import render_prompt
from unmirage.records import Query


@dataclass(frozen=True, slots=True)
class Prompts:
    """A batch of R prompts in G groups, on the CPU.

    Attributes:
        prefix: the shared prefixes: `input_ids` and `attention_mask` (G, P), left-padded, and the processor's image
            tensors.
        suffix_ids, suffix_mask: (R, S) the rest of each prompt, left-padded; S is 0 if no prompts share a prefix.
        group: (R,) row of `prefix` that each prompt continues.
    """

    prefix: dict[str, Tensor]
    suffix_ids: Tensor
    suffix_mask: Tensor
    group: Tensor

    @property
    def width(self) -> int:
        """Return the number of columns, including padding."""
        return self.prefix["input_ids"].shape[1] + self.suffix_ids.shape[1]

    def ids(self, row: int) -> Tensor:
        """Return the whole prompt of one row without padding."""
        group = int(self.group[row])
        head = self.prefix["input_ids"][group][self.prefix["attention_mask"][group].bool()]
        return torch.cat([head, self.suffix_ids[row][self.suffix_mask[row].bool()]])


def encode_groups(processor: Any, groups: Sequence[Sequence[Conversation]], *, share: bool = True) -> Prompts:
    """Return the prompts of all queries, group by group.

    Args:
        groups: the queries of each group, at least one, with equal pictures and earlier turns, and with equal text up
            to the last picture. Either all have pictures or none has.
        share: split off the common prefix; otherwise each query is a group of its own with its whole prompt.
    """
    if not share:
        groups = [[one] for asked in groups for one in asked]
    batch = encode_prompts(processor, [asked[0] for asked in groups])
    if all(len(asked) == 1 for asked in groups):
        empty = torch.zeros((len(groups), 0), dtype=torch.long)
        return Prompts(batch, empty, empty, torch.arange(len(groups)))
    shape = batch["input_ids"].shape
    # Besides ids, some processors return token types; the other outputs are about images.
    by_token = {key: tensor for key, tensor in batch.items() if tensor.shape[:2] == shape and tensor.dim() == 2}
    real = by_token.pop("attention_mask").bool()
    rows = [
        _group_ids(processor, asked, ids[mask])
        for asked, ids, mask in zip(groups, batch["input_ids"], real, strict=True)
    ]
    lengths = [_shared(ids) for ids in rows]
    marks = {
        key: _left_padded([tensor[m][:n] for tensor, m, n in zip(tensors, real, lengths, strict=True)])
        for key, tensors in by_token.items()
        if key != "input_ids"
    }
    ids = _left_padded([found[0][:length] for found, length in zip(rows, lengths, strict=True)])
    mask = _left_padded([torch.ones(length, dtype=torch.long) for length in lengths])
    rests = [one[length:] for found, length in zip(rows, lengths, strict=True) for one in found]
    group = torch.tensor([at for at, found in enumerate(rows) for _ in found])
    return Prompts(
        batch | marks | {"input_ids": ids, "attention_mask": mask},
        _left_padded(rests),
        _left_padded([torch.ones_like(rest) for rest in rests]),
        group,
    )


def _group_ids(processor: Any, asked: Sequence[Conversation], first: Tensor) -> list[Tensor]:
    """Return the ids of all queries of a group, given those of the first one."""
    found = _with_same_head(processor, asked, first) if asked[0].picture_count else None
    if found is None:
        found = [encode_prompts(processor, [one])["input_ids"][0] for one in asked[1:]]
    return [first, *found]


def _with_same_head(processor: Any, asked: Sequence[Conversation], first: Tensor) -> list[Tensor] | None:
    """Return the ids of the other prompts by tokenizing the text after the pictures; None if that may be inexact.

    It is exact if a special token precedes that text, because tokenizers never merge across special tokens.
    """
    prompts = [render_prompt(processor, one) for one in asked]
    tokenizer = processor.tokenizer
    special = _last_special(processor, asked[0])
    if special is None:
        return None
    token, end = special
    heads = {prompt[:end] for prompt in prompts}
    if len({prompt[end : end + 1].isspace() or prompt[end : end + 1] == "<" for prompt in prompts}) > 1:
        return None  # what the processor puts before them may differ (`SEPARATORS`)
    specials = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    names = [getattr(processor, name, None) for name in ("image_token", "boi_token")]
    image_ids = {tokenizer.convert_tokens_to_ids(str(name)) for name in names if name}
    for separator in SEPARATORS:
        texts = [token + separator + prompt[end:] for prompt in prompts]
        tails = [torch.tensor(ids[1:]) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
        cut = len(first) - len(tails[0])
        if cut <= 0 or len(heads) > 1 or not torch.equal(first[cut:], tails[0]) or int(first[cut - 1]) not in specials:
            continue
        if any(image_ids & set(tail.tolist()) for tail in tails):
            return None  # a query contains an image token: let the processor reject it
        return [torch.cat([first[:cut], tail]) for tail in tails[1:]]
    return None


def _last_special(processor: Any, asked: Conversation) -> tuple[str, int] | None:
    """Return the last special token before the text after the pictures, and where it ends in the prompt."""
    one, other = (render_prompt(processor, replace(asked, text=asked.shared_text + tail)) for tail in ("a", "b"))
    head = one[: next(at for at, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1)]
    names = {str(token) for token in processor.tokenizer.added_tokens_decoder.values()}
    places = [(head.rfind(name) + len(name), name) for name in names if name and name in head]
    return (max(places)[1], max(places)[0]) if places else None


def _shared(rows: Sequence[Tensor]) -> int:
    """Return the length of the common prefix of all rows; each row keeps at least one id after it."""
    length = min(len(row) for row in rows) - 1
    for row in rows[1:]:
        differs = (row[:length] != rows[0][:length]).nonzero()
        length = int(differs[0]) if len(differs) else length
    return length


def _left_padded(rows: Sequence[Tensor]) -> Tensor:
    longest = max(len(row) for row in rows)
    padded = rows[0].new_zeros((len(rows), longest))
    for at, row in enumerate(rows):
        padded[at, longest - len(row) :] = row
    return padded


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared batch: its groups, their prompts (None if none is left), and the queries that failed with reasons."""

    groups: list[Group]
    prompts: Prompts | None
    failed: list[tuple[Query, str]]

    @property
    def queries(self) -> list[Query]:
        """Return the queries in the order of the prompt rows."""
        return [query for group in self.groups for query in group]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whether prompts about one image share a prefix, and up to which total length in tokens (None: any length).

    Padding separates a shared prefix from what follows it. In a limited attention window, padding would displace
    real tokens.
    """

    wanted: bool
    longest: int | None = None


def prepare(processor: Any, groups: Sequence[Group], images: Pictures, sharing: Sharing) -> Prepared:
    """Open the images and tokenize the texts."""
    kept: list[Group] = []
    asked: list[list[Conversation]] = []
    failed: list[tuple[Query, str]] = []
    for group in groups:
        opened = once_opened(images)
        try:
            asked.append([Conversation.of(query, opened) for query in group])
            kept.append(group)
        except UserError as error:
            failed += [(query, str(error)) for query in group]
    if not kept:
        return Prepared([], None, failed)
    try:
        return Prepared(kept, _encoded(processor, asked, sharing), failed)
    except REFUSED as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        return _without_the_refused(processor, kept, asked, failed, sharing)


def _encoded(processor: Any, asked: Sequence[Sequence[Conversation]], sharing: Sharing) -> Prompts:
    prompts = encode_groups(processor, asked, share=sharing.wanted)
    if sharing.wanted and sharing.longest is not None and prompts.width > sharing.longest:
        return encode_groups(processor, asked, share=False)
    return prompts


def _without_the_refused(
    processor: Any,
    groups: Sequence[Group],
    asked: Sequence[Sequence[Conversation]],
    failed: list[tuple[Query, str]],
    sharing: Sharing,
) -> Prepared:
    """Encode each query by itself, and leave out those that the processor rejects."""
    kept: list[Group] = []
    left: list[list[Conversation]] = []
    failed = list(failed)
    for group, told in zip(groups, asked, strict=True):
        fine: Group = []
        found: list[Conversation] = []
        for query, one in zip(group, told, strict=True):
            try:
                _encoded(processor, [[one]], sharing)
            except REFUSED as error:
                failed.append((query, f"the processor rejects the query: {one_line(error, 200)}"))
            else:
                fine.append(query)
                found.append(one)
        if fine:
            kept.append(fine)
            left.append(found)
    return Prepared(kept, _encoded(processor, left, sharing) if kept else None, failed)
