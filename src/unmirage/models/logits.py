"""Compute a model's logits from its last hidden states, only where they are needed.

Some families cap or scale what their output layer gives (Gemma, Cohere, Granite). What the model does is measured once
on its own forward pass, so that no list of families is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unmirage.errors import UserError, one_line
from unmirage.models.batches import is_out_of_memory
from unmirage.models.discovery import head_of, type_of
from unmirage.models.structure import last_hidden

_SPREAD = 20.0  # of the logits in the probe: large enough that usual caps (30, 50) show
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}
_CLOSE_IN_LOW_PRECISION = 0.05
_CAPS = ("final_logit_softcapping",)
_SCALES = ("logit_scale", "logits_scaling")


@dataclass(frozen=True, slots=True)
class LogitRule:
    """What a model does with the output of its output layer.

    Attributes:
        scale: factor.
        cap: bound of a tanh cap; None without one.
        size: number of logits that are kept; None keeps all.
    """

    scale: float = 1.0
    cap: float | None = None
    size: int | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the model's logits (..., size) from those of its output layer (..., vocabulary)."""
        if self.scale != 1.0:
            logits = logits * self.scale
        if self.cap is not None:
            logits = torch.tanh(logits / self.cap) * self.cap
        return logits if self.size is None else logits[..., : self.size]


def output_layer(model: Any) -> nn.Module:
    """Return the module that turns the last hidden states into logits.

    Raises:
        UserError: it could not be found.
    """
    found = head_of(model)
    if found is None:
        raise UserError(f"model type '{type_of(model)}': its output layer could not be found; it cannot be trained")
    return found


def output_logits(model: Any, hidden: Tensor, head: nn.Module | None = None) -> Tensor:
    """Return the model's logits (n, vocabulary) for n of its last hidden states (n, width).

    The hidden states are rows of `last_hidden`: this computes logits only where needed. `head` replaces the model's own
    output layer, for example with a frozen copy.

    Raises:
        UserError: the model computes its logits in a way that is not known.
    """
    rule = logit_rule(model)
    layer: Any = output_layer(model) if head is None else head
    logits: Tensor = rule(layer(hidden))
    return logits


def logit_rule(model: Any) -> LogitRule:
    """Return what the model does with the output of its output layer; measured once per model.

    Raises:
        UserError: the model has no output layer, or computes its logits in a way that is not known.
    """
    output_layer(model)
    if getattr(model.config, "is_encoder_decoder", False):
        raise UserError(f"model type '{type_of(model)}': has an encoder and a decoder; only plain decoders are trained")
    settings = tuple(_settings(model, *_CAPS, *_SCALES))
    # An attribute, because copies of the model (its reference) keep it.
    known: tuple[tuple[float, ...], LogitRule] | None = getattr(model, "_logit_rule", None)
    if known is None or known[0] != settings:
        if next(model.parameters()).device.type == "meta":
            return LogitRule()  # nothing is computed with it
        known = settings, _measured(model)
        model._logit_rule = known
    return known[1]


@torch.no_grad()
def _measured(model: Any) -> LogitRule:
    """Return the rule that turns the output layer's output into the model's logits, from one pass over two tokens."""
    head: Any = output_layer(model)
    ends = model.generation_config.eos_token_id if getattr(model, "generation_config", None) else None
    end = ends[0] if isinstance(ends, list) else ends or 0
    ids = torch.full((1, 2), end, device=next(model.parameters()).device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    seen: list[Tensor] = []

    def replace(_module: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # Real logits of a small model may be too small for a cap to show.
        seen.append(arguments[0])
        seen.append(_loud(head, arguments[0]))
        return (seen[-1], *arguments[1:])

    training = model.training
    model.eval()
    try:
        last = last_hidden(model, inputs)
        with head.register_forward_pre_hook(replace):
            own = model(**inputs, use_cache=False).logits
        plain = head.forward(seen[1]) if len(seen) == 2 else None
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        raise _unknown(model, f"its forward pass fails on text alone ({one_line(error, 200)})") from error
    finally:
        model.train(training)
    if plain is None or last.shape != seen[0].shape:
        raise _unknown(model, "its output layer is not applied to the last hidden states")
    near = _CLOSE.get(plain.dtype, _CLOSE_IN_LOW_PRECISION)
    if not all(bool(one.isfinite().all()) for one in (last, seen[0], own, plain)):
        return LogitRule()  # broken weights show in the loss, whose error names them
    if (last - seen[0]).abs().max() > near * last.abs().max().clamp(min=1):
        raise _unknown(model, "its hidden states are changed before the output layer")
    return _fitting(model, plain.float(), own.float(), near)


def _loud(head: Any, like: Tensor) -> Tensor:
    """Return random hidden states with widely spread logits; torch's global generator is left alone."""
    draws = torch.randn(like.shape, generator=torch.Generator().manual_seed(0)).to(like)
    spread = head.forward(draws).float().std()
    return draws * float(_SPREAD / spread) if bool(spread.isfinite()) and spread > 0 else draws


def _fitting(model: Any, plain: Tensor, own: Tensor, near: float) -> LogitRule:
    size = None if own.shape[-1] == plain.shape[-1] else own.shape[-1]
    caps = list(_settings(model, *_CAPS))
    # A plain factor shows in small logits too, and before a cap.
    part = plain[..., :size]
    scale = float((part * own).sum() / (part * part).sum())
    rules = [LogitRule(), LogitRule(scale=scale), *(LogitRule(cap=cap) for cap in caps)]
    for factor in _settings(model, *_SCALES):
        rules += [LogitRule(scale, cap) for scale in (factor, 1 / factor) for cap in caps]
    for rule in rules:
        fitted = LogitRule(rule.scale, rule.cap, size)
        if (fitted(plain) - own).abs().max() <= near * own.abs().max():
            return fitted
    raise _unknown(model, "its logits are neither those of its output layer, nor scaled, nor capped")


def _settings(model: Any, *names: str) -> Iterator[float]:
    """Yield the numbers that the model's configs have under these names."""
    for config in (model.config.get_text_config(), model.config):
        for name in names:
            value = getattr(config, name, None)
            if isinstance(value, float | int) and value:
                yield value


def _unknown(model: Any, why: str) -> UserError:
    return UserError(f"model type '{type_of(model)}': {why}; its loss cannot be computed, so it cannot be trained")
