"""Compute the probability that a model begins its response with given texts, such as refusals.

The model processes each prompt once. Each beginning then costs a few more tokens on top of the prompt's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.batches import batch_rank, is_out_of_memory
from unmirage.models.conversation import Conversation, once_opened
from unmirage.models.encoding import encode_prompts, to_model
from unmirage.models.families import image_deltas, longer_apart, positions
from unmirage.models.greedy import why_no_numbers
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.key_values import keeps_states
from unmirage.models.templates import render_answer, render_prompt
from unmirage.records import Query

Ids = tuple[int, ...]

# Total variation distance below which two next-token distributions count as equal.
_SAME = {torch.float32: 1e-3, torch.float64: 1e-3}
_SAME_IN_LOW_PRECISION = 0.05
# Errors of models that do not support one of the ways to continue from the cache.
_CANNOT = (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError)

# How to continue from the prompt, by model.
_ways: WeakKeyDictionary[Any, _Way] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Read:
    """A model's state after the prompts: keys and values, (batch, tokens) mask, (batch, 1) position offsets."""

    cache: Any
    mask: Tensor
    deltas: Tensor


def refusal_probability(
    vlm: HuggingFaceVLM,
    queries: Sequence[Query],
    images: Pictures,
    starts: Sequence[str],
    batch_size: int = 16,
) -> NDArray[np.float64]:
    """Return (queries,): probability that the response begins with one of the `starts`."""
    found = np.empty(len(queries))
    for rows, has_image in alike(queries, batch_size):
        sequences = start_sequences(vlm.processor, starts, has_image=has_image)
        with torch.no_grad():
            batch = prompt_batch(vlm, [queries[row] for row in rows], images)
            scores = sequence_log_probs(vlm.model, batch, sequences).double().logsumexp(dim=1)
        # Rounding may push a sum of disjoint events above 1.
        found[rows] = scores.exp().clamp(max=1).cpu().numpy()
    return found


def start_sequences(processor: Any, starts: Sequence[str], *, has_image: bool) -> list[Ids]:
    """Return token sequences of the starts such that none is a prefix of another: these are disjoint events."""
    if not starts:
        raise UserError("refusal starts: the list is empty; give at least one text")
    every = {ids for text in starts for ids in spellings(processor, text, has_image=has_image)}
    return sorted(ids for ids in every if not any(ids[:length] in every for length in range(1, len(ids))))


def spellings(processor: Any, text: str, *, has_image: bool) -> tuple[Ids, ...]:
    """Return the token ids of a response's beginning, tokenized after the prompt and by itself.

    Both are the same for most tokenizers. SentencePiece adds a space before every text, so a model trained on
    responses that were tokenized separately begins them with one extra token.
    """
    asked = _any_query(has_image=has_image)
    prompt = render_prompt(processor, asked)
    answer = _rendered(processor, asked, prompt, text)
    end = answer.find(text) + len(text)
    if end < len(text) or not text.strip():
        raise UserError(f"continuation {text!r}: the chat template changes this text; use a text without outer spaces")
    apart = _ids(processor, answer[:end])
    before, joined = _ids(processor, prompt), _ids(processor, prompt + answer[:end])
    together = joined[len(before) :] if joined[: len(before)] == before else apart
    return (together,) if together == apart else (together, apart)


def _any_query(*, has_image: bool) -> Conversation:
    return Conversation("Hello.", places=(0,) if has_image else ())


def _rendered(processor: Any, asked: Conversation, prompt: str, text: str) -> str:
    try:
        return render_answer(processor, asked, text)
    except UserError:
        # The template renders a past response differently from the prompt for a new one (LLaVA-OneVision).
        return text if prompt[-1:].isspace() else f" {text}"


def prompt_batch(vlm: HuggingFaceVLM, queries: Sequence[Query], images: Pictures) -> dict[str, Tensor]:
    """Return the left-padded prompts of queries that all have images, or all have none. Opens each image once."""
    opened = once_opened(images)
    return to_model(encode_prompts(vlm.processor, [Conversation.of(query, opened) for query in queries]), vlm.model)


def sequence_log_probs(model: Any, batch: Mapping[str, Tensor], sequences: Sequence[Ids]) -> Tensor:
    """Return (batch, sequences): summed log-probability of each token sequence directly after the prompts.

    It is differentiable if gradients are enabled. Sequences with a common prefix share its computation.

    Raises:
        UserError: the model's outputs are no numbers.
    """
    paths = _paths(sequences)
    wanted = [next(path for path in paths if path[: len(ids) - 1] == ids[:-1]) for ids in sequences]
    found: dict[Ids, Tensor] = {}
    for path, log_probs in _along(model, batch, paths):
        for ids in (ids for ids, its_path in zip(sequences, wanted, strict=True) if its_path == path):
            steps = torch.arange(len(ids), device=log_probs.device)
            found[ids] = log_probs[:, steps, torch.tensor(ids, device=log_probs.device)].sum(dim=1)
    scores = torch.stack([found[ids] for ids in sequences], dim=1)
    if bool(scores.isnan().any()):
        raise UserError(why_no_numbers(model))
    return scores


def _paths(sequences: Sequence[Ids]) -> list[Ids]:
    """Return the inputs after the prompt: each sequence without its last token, unless another sequence covers it."""
    heads = sorted({ids[:-1] for ids in sequences})
    # In sorted order, a head's extensions come directly after it.
    covered = {head for head, after in pairwise(heads) if after[: len(head)] == head}
    return [head for head in heads if head not in covered]


def _along(model: Any, batch: Mapping[str, Tensor], paths: Sequence[Ids]) -> Iterator[tuple[Ids, Tensor]]:
    """Yield for each path (batch, 1 + its length, vocabulary): log-probabilities after the prompt and each token."""
    # States are updated in place, which a backward pass does not allow. Of images apart from the text, a cache tells
    # too little.
    whole = not any(paths) or (torch.is_grad_enabled() and keeps_states(model)) or bool(longer_apart(batch, 0))
    way = "whole" if whole else _way(model, batch, paths)
    if way == "whole":
        for path in paths:
            yield path, _whole(model, batch, path)
        return
    first, read = _prompt(model, batch)
    for path, after in _AHEAD[way](model, read, [path for path in paths if path]):
        yield path, torch.cat([first, after], dim=1)
    if () in paths:
        yield (), first


def _prompt(model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, _Read]:
    """Return (batch, 1, vocabulary) log-probabilities after the prompts, and the model's state."""
    out = model(**batch, **positions(model, batch), use_cache=True, logits_to_keep=1)
    return _log_softmax(out.logits[:, -1:]), _Read(
        out.past_key_values, batch["attention_mask"], image_deltas(model, batch)
    )


def _one_by_one(model: Any, read: _Read, paths: Sequence[Ids]) -> Iterator[tuple[Ids, Tensor]]:
    """Yield (batch, path, vocabulary): log-probabilities after each token of a path that follows the prompts."""
    for path in paths:
        ids = _tiled(read.mask, path)
        inputs = {"input_ids": ids, "attention_mask": torch.cat([read.mask, torch.ones_like(ids)], dim=1)}
        at = positions(model, inputs, read.deltas)
        out = model(**inputs, **at, past_key_values=_branch(read.cache), use_cache=True)
        yield path, _log_softmax(out.logits)


def _as_tree(model: Any, read: _Read, paths: Sequence[Ids]) -> Iterator[tuple[Ids, Tensor]]:
    """Yield the same from one pass over all paths, in which a token attends to the prompt and its own path.

    Tree attention, as in SpecInfer (Miao et al., arXiv 2305.09781).
    """
    nodes = sorted({path[:length] for path in paths for length in range(1, len(path) + 1)})
    sees = torch.tensor([[node[: len(other)] == other for other in nodes] for node in nodes], device=read.mask.device)
    rows = len(read.mask)
    past = read.mask.bool()[:, None, :].expand(rows, len(nodes), -1)
    seen = torch.cat([past, sees.expand(rows, -1, -1)], dim=2)[:, None]
    hidden = torch.zeros(seen.shape, dtype=model.dtype, device=seen.device)
    hidden = hidden.masked_fill(~seen, torch.finfo(model.dtype).min)
    deepest = _tiled(read.mask, (0,) * max(map(len, nodes)))
    chain = {"input_ids": deepest, "attention_mask": torch.cat([read.mask, torch.ones_like(deepest)], dim=1)}
    depth = torch.tensor([len(node) - 1 for node in nodes], device=read.mask.device)
    at = {key: place.index_select(-1, depth) for key, place in positions(model, chain, read.deltas).items()}
    out = model(
        input_ids=_tiled(read.mask, tuple(node[-1] for node in nodes)),
        attention_mask=hidden,
        **at,
        past_key_values=_branch(read.cache),
        use_cache=True,
    )
    log_probs = _log_softmax(out.logits)
    for path in paths:
        yield path, log_probs[:, [nodes.index(path[: length + 1]) for length in range(len(path))]]


def _branch(cache: Any) -> Any:
    """Return a copy of the cache that can grow without changing the original: updates create new tensors."""
    branch = copy(cache)
    branch.layers = [_own_states(copy(layer)) for layer in cache.layers]
    return branch


def _own_states(layer: Any) -> Any:
    """Give a copied linear-attention layer (Qwen3.5, LFM2) states of its own, because it updates them in place."""
    for name in ("conv_states", "recurrent_states"):
        if states := getattr(layer, name, None):
            setattr(layer, name, {key: None if one is None else one.clone() for key, one in states.items()})
            layer.has_previous_state = dict(layer.has_previous_state)
    return layer


_Way = Literal["tree", "one by one", "whole"]
_AHEAD: dict[_Way, Callable[[Any, _Read, Sequence[Ids]], Iterator[tuple[Ids, Tensor]]]] = {
    "tree": _as_tree,
    "one by one": _one_by_one,
}


def _whole(model: Any, batch: Mapping[str, Tensor], path: Ids) -> Tensor:
    """Return (batch, 1 + path, vocabulary) from prompt and path in one forward pass without a cache."""
    ids = _tiled(batch["input_ids"], path)
    fill = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    longer = {
        # Other entries with one number per token are token types; 0 is text.
        key: torch.cat([tensor, fill.get(key, torch.zeros_like(ids)).to(tensor.dtype)], dim=1)
        for key, tensor in batch.items()
        if tensor.shape == batch["input_ids"].shape
    }
    inputs = {**batch, **longer, **longer_apart(batch, len(path))}
    out = model(**inputs, **positions(model, inputs), use_cache=False, logits_to_keep=1 + len(path))
    # MiniCPM-V returns the logits of all tokens.
    return _log_softmax(out.logits[:, -1 - len(path) :])


@torch.no_grad()
def _way(model: Any, batch: Mapping[str, Tensor], paths: Sequence[Ids]) -> _Way:
    """Return the way to continue from the prompt that matches one whole forward pass; tested once per model.

    Models whose positions or masks go wrong with a cache use whole passes. If the prompt attends to the response
    (PaliGemma in a whole pass), only the cache is valid, as in generation.
    """
    if model not in _ways:
        probe = sorted(paths, key=len)[-2:]
        whole = {path: _whole(model, batch, path) for path in probe}
        first, read = _prompt(model, batch)
        if not _same(whole[probe[-1]][:, :1], first, model.dtype):
            _ways[model] = "one by one"
        else:
            # A state reads all nodes of a tree, one after another, even if those of the probe are one path.
            ways: list[_Way] = ["one by one"] if keeps_states(model) else [*_AHEAD]
            fitting = (way for way in ways if _agrees(way, model, read, whole))
            _ways[model] = next(fitting, "whole")
    return _ways[model]


def _agrees(way: _Way, model: Any, read: _Read, whole: Mapping[Ids, Tensor]) -> bool:
    try:
        ahead = dict(_AHEAD[way](model, read, [path for path in whole if path]))
    except _CANNOT as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise  # does not mean that the way is wrong
        return False
    return all(_same(whole[path][:, 1:], after, model.dtype) for path, after in ahead.items())


def _same(one: Tensor, other: Tensor, dtype: torch.dtype) -> bool:
    distance = (one.exp() - other.exp()).abs().sum(dim=-1).max() / 2
    return bool(distance < _SAME.get(dtype, _SAME_IN_LOW_PRECISION))


def _tiled(rows: Tensor, path: Ids) -> Tensor:
    return torch.tensor(path, dtype=rows.dtype, device=rows.device).expand(len(rows), len(path))


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.float().log_softmax(dim=-1)


def _ids(processor: Any, text: str) -> Ids:
    return tuple(processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def alike(queries: Sequence[Query], size: int) -> Iterator[tuple[list[int], bool]]:
    """Yield indices of queries for each batch: queries about the same images together, then those of similar length.

    The queries of a batch have equally many images; the second value tells whether they have any.
    """
    order = sorted(
        range(len(queries)),
        key=lambda row: (*batch_rank(queries[row]), queries[row].paths, len(queries[row].text)),
    )
    for (text_only, _), same in groupby(order, key=lambda row: batch_rank(queries[row])):
        rows = list(same)
        for start in range(0, len(rows), size):
            yield rows[start : start + size], not text_only
