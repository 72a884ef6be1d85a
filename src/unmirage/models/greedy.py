"""Generate responses in batches: process the shared prefix once, and drop rows that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from unmirage.models.discovery import inputs_of
from unmirage.models.encoding import to_model
from unmirage.models.families import end_ids, image_deltas, positions
from unmirage.models.key_values import KeyValues
from unmirage.models.prompts import Prompts
from unmirage.models.sampling import Sampling

# In place of a token that cannot be chosen, because the logits are no numbers; the row ends there.
NO_NUMBER = -1
# Remove ended rows only once they are this share of the batch, because each removal copies the cache.
_ENDED_SHARE = 0.25


@torch.inference_mode()
def greedy(model: Any, prompts: Prompts, max_new_tokens: int, sampling: Sampling | None = None) -> list[Tensor]:
    """Return the new ids of each prompt, up to an end token or `max_new_tokens`.

    Up to rounding, they equal `model.generate(do_sample=False)` on each prompt alone. With `sampling`, they are
    sampled. A row whose logits are no numbers (NaN, or infinite, as half precision gives beyond its range) ends with
    `NO_NUMBER`.
    """
    device = model.device
    ends = torch.tensor(sorted(end_ids(model)), device=device)
    cache = KeyValues.of(model)
    mask = prompts.prefix["attention_mask"].to(device)
    logits, deltas = _read_prefix(model, prompts, cache)
    if prompts.suffix_ids.shape[1]:
        rows, suffixes = prompts.group.to(device), prompts.suffix_mask.to(device)
        deltas = deltas.index_select(0, rows)
        if cache.keeps_states:
            logits, cache = _read_by_length(model, prompts, cache, mask, deltas)
        else:
            cache.take(rows)
        mask = torch.cat([mask.index_select(0, rows), suffixes], dim=1)
        if not cache.keeps_states:
            logits = _read(model, prompts.suffix_ids.to(device), mask, deltas, cache)
    penalty = _penalty(model)
    seen = _whole_prompts(prompts, device) if penalty else None
    active = torch.arange(len(prompts.group), device=device)
    found: list[list[Tensor]] = [[] for _ in range(len(active))]
    ended = torch.zeros(len(active), dtype=torch.bool, device=device)
    for step in range(max_new_tokens):
        wrong = no_numbers(logits)
        if seen is not None:
            logits = penalty(seen, logits.float())
        if sampling is not None:
            logits = sampling.noisy(logits, active.tolist(), step)
        tokens = logits.argmax(dim=-1).masked_fill(wrong, NO_NUMBER)
        for row, token in zip(active[~ended].tolist(), tokens[~ended], strict=True):
            found[row].append(token)
        ended |= torch.isin(tokens, ends) | wrong
        tokens = tokens.clamp(min=0)  # rows that have ended are still read
        if bool(ended.all()) or step + 1 == max_new_tokens:
            break
        if int(ended.sum()) >= max(1, _ENDED_SHARE * len(active)):
            left = (~ended).nonzero().flatten()
            cache.take(left)
            active, tokens, mask, deltas, ended = (
                one.index_select(0, left) for one in (active, tokens, mask, deltas, ended)
            )
            seen = None if seen is None else seen.index_select(0, left)
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        seen = None if seen is None else torch.cat([seen, tokens[:, None]], dim=1)
        logits = _read(model, tokens[:, None], mask, deltas, cache)
    return [torch.stack(tokens).cpu() for tokens in found]


@torch.inference_mode()
def generate(model: Any, prompts: Prompts, max_new_tokens: int, sampling: Sampling | None = None) -> list[Tensor]:
    """Return the same with the library's own generation loop, for models whose prompts cannot share a prefix."""
    inputs = to_model(prompts.prefix, model)
    width = inputs["input_ids"].shape[1]
    # With our noise added to the logits, the library's greedy choice is a random sample.
    watch = _Watch()
    processors = LogitsProcessorList([watch] if sampling is None else [watch, _Noise(sampling, width)])
    whole = model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens, logits_processor=processors).cpu()
    ends = torch.tensor(sorted(end_ids(model)))
    if torch.equal(whole[:, :width], inputs["input_ids"].cpu()):
        whole = whole[:, width:]
    elif getattr(model.config, "is_encoder_decoder", False):
        whole = whole[:, 1:]  # the start token of the decoder; the prompt is the encoder's
    return [_up_to_end(watch.marked(number, row), ends) for number, row in enumerate(whole)]


def no_numbers(logits: Tensor) -> Tensor:
    """Return (rows) whether the logits (rows, vocabulary) have NaN or infinity; -inf is a token that is ruled out."""
    return ~(logits < torch.inf).all(dim=-1)


def why_no_numbers(model: Any) -> str:
    """Return why a row has no response if it ends with `NO_NUMBER`, and what to do."""
    dtype = str(model.dtype).removeprefix("torch.")
    fix = "its weights may be damaged" if dtype == "float32" else "load it with --dtype float32"
    return f"the model's outputs are no numbers (NaN or infinity) in {dtype}; {fix}"


class _Watch(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
    """Remembers at which new token of each row the logits are no numbers for the first time."""

    def __init__(self) -> None:
        self._steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        self._steps.append(no_numbers(scores))
        return scores

    def marked(self, row: int, ids: Tensor) -> Tensor:
        """Return the new ids of a row, up to `NO_NUMBER` in place of the first token without numbers."""
        wrong = [step for step, rows in enumerate(self._steps[: len(ids)]) if bool(rows[row])]
        return torch.cat([ids[: wrong[0]], ids.new_tensor([NO_NUMBER])]) if wrong else ids


class _Noise(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
    """Adds sampling noise to the logits of all rows of a batch; prompts are `width` tokens long."""

    def __init__(self, sampling: Sampling, width: int) -> None:
        self._sampling = sampling
        self._width = width

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self._sampling.noisy(scores, range(len(input_ids)), input_ids.shape[1] - self._width)


def _up_to_end(ids: Tensor, ends: Tensor) -> Tensor:
    places = torch.isin(ids, torch.cat([ends, ends.new_tensor([NO_NUMBER])])).nonzero()
    return ids[: int(places[0]) + 1] if len(places) else ids


def _read_prefix(model: Any, prompts: Prompts, cache: KeyValues) -> tuple[Tensor, Tensor]:
    """Process the prefixes with their images; return the logits after them, and the position offsets that follow."""
    inputs = to_model(prompts.prefix, model)
    output = model(**inputs, **positions(model, inputs), past_key_values=cache, use_cache=True, **_last_only(model))
    return output.logits[:, -1], image_deltas(model, inputs)


def _read_by_length(
    model: Any, prompts: Prompts, cache: KeyValues, mask: Tensor, deltas: Tensor
) -> tuple[Tensor, KeyValues]:
    """Process the suffixes, those of one length together; return the logits after them, and the cache of all rows.

    A state takes in every token between prefix and suffix, so that there must be no padding.

    Args:
        cache, mask: of the prefixes.
        deltas: (rows, 1) of the prompts.
    """
    lengths, group = prompts.suffix_mask.sum(dim=1), prompts.group.to(mask.device)
    done: list[KeyValues] = []
    found: list[Tensor] = []
    order: list[Tensor] = []
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero().flatten()
        ids = prompts.suffix_ids[rows, -length:].to(mask.device)
        here = rows.to(mask.device)
        of = group.index_select(0, here)
        done.append(cache.taken(of))
        seen = torch.cat([mask.index_select(0, of), mask.new_ones(ids.shape)], dim=1)
        found.append(_read(model, ids, seen, deltas.index_select(0, here), done[-1]))
        order.append(here)
    back = torch.cat(order).argsort()
    whole = KeyValues.joined(done, mask.shape[1], prompts.width)
    whole.take(back)
    return torch.cat(found).index_select(0, back), whole


def _read(model: Any, ids: Tensor, mask: Tensor, deltas: Tensor, cache: KeyValues) -> Tensor:
    """Process ids (rows, tokens) on top of the cache; return the logits after the last token."""
    inputs = {"input_ids": ids, "attention_mask": mask}
    output = model(
        **inputs, **positions(model, inputs, deltas), past_key_values=cache, use_cache=True, **_last_only(model)
    )
    logits: Tensor = output.logits[:, -1]
    return logits


def _last_only(model: Any) -> dict[str, int]:
    """Return the argument for logits of the last token only, if the forward pass may take it."""
    return {"logits_to_keep": 1} if {"logits_to_keep", "kwargs"} & {*inputs_of(type(model))} else {}


def _penalty(model: Any) -> Any:
    """Return the logits processors that the model's settings apply even to greedy decoding; None if there are none."""
    size = getattr(model.generation_config, "repetition_penalty", None)
    return LogitsProcessorList([RepetitionPenaltyLogitsProcessor(size)]) if size not in (None, 1.0) else None


def _whole_prompts(prompts: Prompts, device: torch.device) -> Tensor:
    """Return (rows, tokens): all ids of each prompt. Padding repeats the first id, which does not affect penalties."""
    rows: Sequence[Tensor] = [prompts.ids(row) for row in range(len(prompts.group))]
    longest = max(len(row) for row in rows)
    return torch.stack([torch.cat([row[:1].expand(longest - len(row)), row]) for row in rows]).to(device)
