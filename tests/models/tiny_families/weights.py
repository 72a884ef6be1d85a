"""Random weights with which both the picture and every word matter, and answers differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

GAIN = 1.4
LOUD = 3.0  # spread of the logits: wide enough that rounding never decides between two tokens
END = 1.3  # the end of an answer is louder still, so that some answers end early
QUIET = 0.05  # output rows of tokens that shall never be said are this small


def fill(model: Any, tokenizer: Any, ends: Sequence[str], *, seed: int = 1) -> Any:
    """Draw every matrix anew, and say which tokens end an answer; returns the model.

    A library's own spread (0.02) is meant for thousands of dimensions: in 32 nothing would matter, and
    Gemma3's projector is even zero. Only plain text and `ends` are ever said, because a picture's
    token in an answer would ask for a picture when that answer is read again.
    """
    generator = torch.Generator().manual_seed(seed)
    end_ids = tokenizer.convert_tokens_to_ids(list(ends))
    said = model.get_output_embeddings().weight
    with torch.no_grad():
        for module in model.modules():
            for parameter in module.parameters(recurse=False):
                if parameter.dim() > 1 or (
                    parameter.numel() > 1 and parameter.std() > 0
                ):  # a bias or a norm starts as a constant
                    parameter.normal_(0.0, _spread(module, parameter), generator=generator)
        if said is not model.get_input_embeddings().weight:
            said.mul_(LOUD)
        else:  # or the likeliest next word would be the same word again
            said.mul_(1 / LOUD)
            decoder = model.model.language_model
            norm = decoder.norm if hasattr(decoder, "norm") else decoder.embedding_norm
            norm.weight.normal_(0.0, LOUD**2, generator=generator)
        said[_unsayable(tokenizer, ends, len(said))] *= QUIET
        said[end_ids] *= END
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = end_ids if len(end_ids) > 1 else end_ids[0]
    return model.eval()


def _spread(module: nn.Module, parameter: torch.Tensor) -> float:
    if parameter.dim() == 3 and "Experts" in module.__class__.__name__:
        return float(GAIN * parameter.shape[-1] ** -0.5)
    if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        return GAIN * (len(parameter) / parameter.numel()) ** 0.5
    return len(parameter) ** -0.5 if module.__class__.__name__ == "Gemma3MultiModalProjector" else 1.0


def _unsayable(tokenizer: Any, ends: Sequence[str], rows: int) -> list[int]:
    """Return the ids that are neither readable ASCII nor the end of an answer."""
    special, last = {*tokenizer.get_added_vocab().values()}, {*tokenizer.convert_tokens_to_ids(list(ends))}
    texts = tokenizer.batch_decode([[token] for token in range(rows)])
    return [
        token
        for token, text in enumerate(texts)
        if token not in last and (token in special or not (text.isascii() and text.isprintable() and text))
    ]
