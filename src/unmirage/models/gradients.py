"""Compute how each vocabulary token, as the opener of queries, would change the probability of refusal.

One backward pass scores the whole vocabulary to first order: HotFlip (Ebrahimi et al., ACL 2018), which AutoPrompt
and GCG (Zou et al., arXiv 2307.15043) use for prompts, here with one token, the opener.
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
from unmirage.models.conversation import unopened
from unmirage.models.encoding import fed_text
from unmirage.models.fed_text import text_places
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.scoring import alike, prompt_batch, sequence_log_probs, start_sequences
from unmirage.records import Query
from unmirage.text.openers import word_spans

Objective = Literal["log-odds", "log-probability"]
_LEAST = 1e-6
_ROWS = 8192  # rows of the embedding table per step


def log_odds(log_p: Tensor) -> Tensor:
    """Return log(p / (1 - p)) from log p. Unlike p, it has a usable gradient near 0 and 1."""
    # Clamped, because rounding to p = 1 would make it infinite.
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
    """Return (vocabulary,): first-order change of the mean objective if a token replaced the opener's first token.

    For token w: mean over queries of (e_w - e_opener) · d objective / d e_opener, where e is the embedding.

    Args:
        vlm: the model; its weights and their `requires_grad` do not change.
        queries: each must have a first word.
        starts: beginnings of refusals; see `refusal_probability`.
        objective: function of p, the probability that a response starts with one of `starts`.
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
        # Call the layer instead of reading its weights: some families scale the embeddings.
        vocabulary = torch.arange(layer.weight.shape[0], device=layer.weight.device)
        with torch.no_grad():
            along = torch.cat([layer(tokens).double().cpu() @ total for tokens in torch.split(vocabulary, _ROWS)])
    scores: NDArray[np.float64] = ((along - at_opener) / max(len(queries), 1)).numpy()
    return scores


def opener_columns(processor: Any, queries: Sequence[Query], input_ids: Tensor) -> Tensor:
    """Return (queries,): the column of `input_ids` (left-padded) where each query's opener begins.

    Raises:
        UserError: an opener cannot be located: the family builds its prompts without the chat template.
    """
    found = []
    for query, row in zip(queries, input_ids, strict=True):
        ids, spans, start, _ = _opener_span(processor, query)
        tail = ids[next(index for index, (_, right) in enumerate(spans) if right > start) :]  # without image tokens
        if row[-len(tail) :].tolist() != tail:
            raise UserError(
                f"query '{query.id}': its opener cannot be located among the prompt's tokens; "
                "use the black-box search, which needs no gradients"
            )
        found.append(len(row) - len(tail))
    return torch.tensor(found, device=input_ids.device)


def opener_tokens(processor: Any, query: Query) -> list[int]:
    """Return the token ids of the query's opener in its prompt."""
    ids, spans, start, end = _opener_span(processor, query)
    return [token for token, (left, right) in zip(ids, spans, strict=True) if left < end and right > start]


def _opener_span(processor: Any, query: Query) -> tuple[list[int], list[tuple[int, int]], int, int]:
    """Return the prompt's token ids, the span of each in its text, and start and end of the opener in that text."""
    spans = word_spans(query.text)
    asked = unopened(query)
    prompt = fed_text(processor, asked)
    places = text_places(processor, asked, prompt, lambda told: fed_text(processor, told))
    if not spans or not places or spans[0][1] > len(asked.texts[0]):
        raise UserError(f"query '{query.id}': no opener found in its prompt; leave the query out")
    # Some templates strip the query.
    text = asked.texts[0]
    shift = places[0][0] - (0 if places[0][1] - places[0][0] == len(text) else text.index(text.strip()))
    encoded = processor.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
    return encoded["input_ids"], encoded["offset_mapping"], spans[0][0] + shift, spans[0][1] + shift


@contextmanager
def _leaf(layer: Any) -> Iterator[list[Tensor]]:
    """Make the embedding layer's first output with gradients enabled a leaf tensor, and collect it."""
    seen: list[Tensor] = []

    def capture(_module: Any, _inputs: Any, output: Tensor) -> Tensor | None:
        if seen or not torch.is_grad_enabled():
            return None
        seen.append(output.detach().requires_grad_(True))
        # Some families write image features into the output in place, which a leaf does not allow.
        return seen[0].clone()

    with layer.register_forward_hook(capture):
        yield seen


@contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """Disable parameter gradients and dropout within the context."""
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
