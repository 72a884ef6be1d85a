"""Queries in, how much every token of the vocabulary would change refusal in the place of their opener out.

One backward pass scores the whole vocabulary to first order: HotFlip (Ebrahimi et al., ACL 2018), as used for
prompts by AutoPrompt and GCG (Zou et al., arXiv 2307.15043), with one token, at the opener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.models.encoding import render_prompt
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.scoring import alike, prompt_batch, sequence_log_probs, start_sequences
from unmirage.records import Query
from unmirage.text.vocabulary import word_spans

Objective = Literal["log-odds", "log-probability"]
_LEAST = 1e-6
_ROWS = 8192  # of the embedding table at a time
_MARKER = "QUERY"


def log_odds(log_p: Tensor) -> Tensor:
    """Return log(p / (1 - p)) from log p. It has a slope where p itself is flat: near 0 and near 1."""
    # Kept off 1, where rounding would make it infinite.
    return log_p - torch.log((1 - log_p.exp()).clamp(min=_LEAST))


OBJECTIVES: dict[Objective, Callable[[Tensor], Tensor]] = {
    "log-odds": log_odds,
    "log-probability": lambda log_p: log_p,
}


def opener_gradient(
    vlm: HuggingFaceVLM,
    queries: Sequence[Query],
    images: Pictures,
    starts: Sequence[str],
    batch_size: int = 8,
    objective: Objective = "log-odds",
) -> NDArray[np.float64]:
    """Return (vocabulary,): change of the mean objective, to first order, if a token stood where the opener begins.

    For token w it is mean over queries of (e_w - e_opener) · d objective / d e_opener, with e the embeddings.

    Args:
        vlm: its weights and their `requires_grad` are left as they are.
        queries: each must have a first word.
        images: where their pictures are.
        starts: how refusals begin; see `refusal_probability`.
        batch_size: queries in one backward pass.
        objective: of the probability p that an answer starts with one of them.
    """
    layer = vlm.model.get_input_embeddings()
    total = torch.zeros(layer.weight.shape[-1], dtype=torch.float64)
    at_opener = 0.0
    with _frozen(vlm.model):
        for rows, has_image in alike(queries, batch_size):
            part = [queries[row] for row in rows]
            batch = prompt_batch(vlm, part, images)
            columns = opener_columns(vlm.processor, part, batch["input_ids"])
            sequences = start_sequences(vlm.processor, starts, has_image=has_image)
            with _leaf(layer) as seen, torch.enable_grad():
                log_p = sequence_log_probs(vlm.model, batch, sequences).logsumexp(dim=1)
                (slope,) = torch.autograd.grad(OBJECTIVES[objective](log_p).sum(), seen[0])
            lines = torch.arange(len(part), device=slope.device)
            gradient, current = slope[lines, columns].double(), seen[0].detach()[lines, columns].double()
            total += gradient.sum(dim=0).cpu()
            at_opener += float((gradient * current).sum())
        along = torch.cat(list(_products(layer, total)))
    scores: NDArray[np.float64] = ((along - at_opener) / max(len(queries), 1)).numpy()
    return scores


@torch.no_grad()
def _products(layer: Any, gradient: Tensor) -> Iterator[Tensor]:
    """Yield (rows,) by (rows,): each token's embedding times the gradient."""
    for tokens in torch.split(torch.arange(layer.weight.shape[0], device=layer.weight.device), _ROWS):
        # Through the layer, not its weights: some families scale what they look up.
        yield layer(tokens).double().cpu() @ gradient


def opener_columns(processor: Any, queries: Sequence[Query], input_ids: Tensor) -> Tensor:
    """Return (queries,): the column of `input_ids` (left-padded) in which the opener of each query begins.

    Raises:
        UserError: it cannot be found; the family builds its prompts in another way than by the chat template.
    """
    found = []
    for query, row in zip(queries, input_ids, strict=True):
        tail = _from_opener(processor, query)
        if row[-len(tail) :].tolist() != tail:
            raise UserError(
                f"query '{query.id}': its opener cannot be found among the prompt's tokens; "
                "valid: the black-box search, which needs no gradients"
            )
        found.append(len(row) - len(tail))
    return torch.tensor(found, device=input_ids.device)


def opener_tokens(processor: Any, query: Query) -> list[int]:
    """Return the token ids of the query's opener in its prompt."""
    prompt, start, end = _opener_span(processor, query)
    encoded = processor.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [token for token, (left, right) in pairs if left < end and right > start]


def _from_opener(processor: Any, query: Query) -> list[int]:
    """Return the token ids from the opener to the end of the prompt, where no picture's tokens come between."""
    prompt, start, _ = _opener_span(processor, query)
    encoded = processor.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    first = next(index for index, (_, right) in enumerate(encoded["offset_mapping"]) if right > start)
    tail: list[int] = encoded["input_ids"][first:]
    return tail


def _opener_span(processor: Any, query: Query) -> tuple[str, int, int]:
    spans = word_spans(query.text)
    prompt = render_prompt(processor, query.text, has_image=query.image is not None)
    place = render_prompt(processor, _MARKER, has_image=query.image is not None).find(_MARKER)
    # Some templates strip the text.
    text = query.text if prompt.startswith(query.text, place) else query.text.strip()
    if not spans or place < 0 or not prompt.startswith(text, place):
        raise UserError(f"query '{query.id}': has no opener in its prompt")
    shift = place - query.text.index(text)
    return prompt, spans[0][0] + shift, spans[0][1] + shift


@contextmanager
def _leaf(layer: Any) -> Iterator[list[Tensor]]:
    """Make what the embedding layer first gives out, with gradients on, a leaf that collects them."""
    seen: list[Tensor] = []

    def capture(_module: Any, _inputs: Any, output: Tensor) -> Tensor | None:
        if seen or not torch.is_grad_enabled():
            return None
        seen.append(output.detach().requires_grad_(True))
        # Some families write the picture's features into it, which a leaf forbids.
        return seen[0].clone()

    handle = layer.register_forward_hook(capture)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """Keep the parameters from collecting gradients, and dropout off, for as long as this lasts."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    training = model.training
    model.eval()
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
        model.train(training)
