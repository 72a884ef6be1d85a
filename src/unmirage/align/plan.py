"""Check that method and data match, and create the dataset and the forward passes of each step."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmirage.align.config import AlignConfig
from unmirage.align.dataset import EncodedSamples, PairedStreams, PassCollator, Places, Plan, Rows
from unmirage.align.methods import make_method
from unmirage.align.methods.dpo import Dpo
from unmirage.align.objective import Method, StreamName, Tokens
from unmirage.align.sampler import Order, OrderByLength, OrderWithinSteps
from unmirage.data.images import Pictures
from unmirage.data.sample import deal
from unmirage.errors import UserError
from unmirage.models.families import decoder_depth
from unmirage.records import Sample


@dataclass(frozen=True, slots=True)
class AlignData:
    """The samples of a run, and the folder of their pictures.

    Attributes:
        retain, forget: the two sets; `forget` is empty for SFT.
        pairs: queries with a better answer and a worse one, `Sample.rejected`; a method that prefers takes them instead
            of `forget`.
    """

    retain: Sequence[Sample]
    images: Pictures
    forget: Sequence[Sample] = ()
    pairs: Sequence[Sample] = ()

    @property
    def samples(self) -> list[Sample]:
        """Return all samples."""
        return [*self.forget, *self.pairs, *self.retain]


def suited(config: AlignConfig, data: AlignData) -> AlignConfig:
    """Return the config with no retain loss if there are pairs alone and `gamma` is its default."""
    method = config.method
    if not data.pairs or data.retain or method.gamma != type(method).model_fields["gamma"].default:
        return config
    return config.model_copy(update={"method": method.model_copy(update={"gamma": 0.0})})


def check_data(method: Method, model: Any, data: AlignData, config: AlignConfig) -> None:
    """Raise `UserError` if data, model and method do not match."""
    name = config.method.name
    if method.retains and not data.retain:
        raise UserError("retain: the set is empty; add at least one sample")
    if data.pairs and not method.prefers:
        raise UserError(f"pairs: method '{name}' does not learn from pairs; valid: dpo")
    if data.pairs and data.forget:
        raise UserError("pairs: method 'dpo' learns from pairs or from a forget set; leave out one of them")
    if method.forgets and not data.forget and not data.pairs:
        or_pairs = ", or preference pairs" if method.prefers else ""
        raise UserError(f"forget: the set is empty; method '{name}' needs harmful responses to forget{or_pairs}")
    if not method.forgets and data.forget:
        raise UserError(f"forget: method '{name}' uses no forget set; pass all data as retain set")
    if not method.retains and data.retain:
        raise UserError(f"retain: method '{name}' with gamma 0 uses no retain set; leave it out, or set method.gamma=1")
    unanswered = [s.id for s in data.samples if not s.answer.strip()]
    unanswered += [s.id for s in data.pairs if not s.rejected.strip()]
    if unanswered:
        raise UserError(f"sample '{unanswered[0]}': the answer is empty ({len(unanswered)} such samples)")
    if getattr(model.config, "is_encoder_decoder", False):
        kind = model.config.model_type
        raise UserError(f"model type '{kind}': has an encoder and a decoder; only models with a decoder can be trained")
    layer, depth = config.method.layer, decoder_depth(model)
    if looks_inside(method) and layer > depth:
        raise UserError(f"method.layer: {layer} is out of range; this model has decoder layers 1 to {depth}")


def looks_inside(method: Method) -> bool:
    """Tell whether a method uses representations of a decoder layer."""
    return "hidden" in method.wants("forget") | method.wants("retain") | method.wants("retain_term")


def step_count(data: AlignData, config: AlignConfig) -> int:
    """Return the number of optimizer steps."""
    if config.steps is not None:
        return config.steps
    return max(1, math.ceil(config.epochs * len(data.forget or data.pairs or data.retain) / config.batch_size))


def stream_samples(method: Method, data: AlignData, seed: int) -> dict[StreamName, Sequence[Sample]]:
    """Return the samples of each stream that the method uses."""
    streams: dict[StreamName, Sequence[Sample]] = {}
    if method.forgets:
        streams["forget"] = data.forget
    if data.pairs:
        streams |= {"forget": [replace(one, answer=one.rejected) for one in data.pairs], "prefer": data.pairs}
    elif isinstance(method, Dpo):
        streams["prefer"] = preferred(data.forget, method.preferred(), seed)
    if method.retains:
        streams["retain"] = data.retain
    if method.separates:
        streams["retain_term"] = data.retain
    return streams


def preferred(forget: Sequence[Sample], answers: Sequence[str], seed: int) -> list[Sample]:
    """Return the forget samples with preferred answers instead of the harmful ones, each about equally often."""
    dealt = deal(dict.fromkeys(answers, 1), len(forget), random.Random(f"prefer-{seed}"))
    return [replace(sample, answer=answer) for sample, answer in zip(forget, dealt, strict=True)]


def make_rows(
    streams: dict[StreamName, Sequence[Sample]], processor: Any, images: Pictures, config: AlignConfig
) -> dict[StreamName, Rows]:
    """Return the rows of each stream, without cached outputs."""
    method = make_method(config.method)
    return {
        name: Rows(EncodedSamples(samples, processor, images, mark_query=marks_query(name, method, config)))
        for name, samples in streams.items()
    }


def marks_query(stream: StreamName, method: Method, config: AlignConfig) -> bool:
    """Tell whether the loss of a stream depends on which tokens are the query."""
    represented = "hidden" in method.wants(stream) and counted_places(config) == "content"
    return represented or loss_tokens(config)[stream] != "answer"


def counted_places(config: AlignConfig) -> Places:
    """Return the places at which representations count."""
    return "all" if config.method.compat == "official" else "content"


def leaves_out_sinks(stream: StreamName, method: Method, config: AlignConfig) -> bool:
    """Tell whether a stream has representations of which attention sinks are left out."""
    excluded = config.method.sink_ratio is not None and counted_places(config) == "content"
    return excluded and "hidden" in method.wants(stream)


def loss_tokens(config: AlignConfig) -> dict[StreamName, Tokens]:
    """Return which tokens of each stream have loss."""
    return {"forget": config.method.loss_tokens, "prefer": "answer", "retain": "answer", "retain_term": "answer"}


def needs_reference(method: Method, streams: Iterable[StreamName]) -> bool:
    """Tell whether the method uses the reference on any stream."""
    return any(method.needs(name) for name in streams)


def keeps_reference(method: Method, config: AlignConfig) -> bool:
    """Tell whether reference outputs can be cached by row.

    With `compat: official` the representations of padding count, and a row's padding depends on its batch. A row that
    goes through the model alone has no padding.
    """
    alone = config.optimizations.passes == "separate" and (config.micro_batch_size or config.batch_size) == 1
    counts_padding = config.method.compat == "official" and looks_inside(method) and not alone
    return config.optimizations.cache_reference and not counts_padding


def make_dataset(rows: dict[StreamName, Rows], steps: int, config: AlignConfig) -> PairedStreams:
    """Return the items of the whole run, in order."""
    orders = {name: _order(name, stream, config) for name, stream in rows.items()}
    if "prefer" in orders:
        orders["prefer"] = _order("forget", rows["forget"], config)  # keeps both answers of a query in one item
    return PairedStreams(rows, orders, steps * config.batch_size)


def _order(name: StreamName, rows: Rows, config: AlignConfig) -> Order:
    if config.order == "by-length":
        return OrderByLength(name, len(rows), config.seed, rows.samples.length, config.batch_size)
    if config.order == "within-steps":
        return OrderWithinSteps(name, len(rows), config.seed, rows.samples.length, config.batch_size)
    return Order(name, len(rows), config.seed)


def make_collator(model: Any, processor: Any, method: Method, config: AlignConfig, *, one_pass: bool) -> PassCollator:
    """Return the collator of the rows; `one_pass`: all streams must go through the model together."""
    return PassCollator(
        pad_token_id=processor.tokenizer.pad_token_id,
        image_token_id=getattr(model.config, "image_token_id", None),
        plan=passes(method, config, one_pass=one_pass),
        tokens=loss_tokens(config),
        places=counted_places(config),
    )


def passes(method: Method, config: AlignConfig, *, one_pass: bool) -> Plan:
    """Return which streams share a forward pass.

    Joint passes have fewer and larger matrix products. Separate passes free the activations of one stream before the
    next begins, and a stream that needs only an early layer can end there.
    """
    forgetting: tuple[StreamName, ...] = ("forget", "prefer") if method.prefers else ("forget",)
    groups: list[tuple[StreamName, ...]] = [forgetting] if method.forgets else []
    groups += [("retain",)] if method.retains else []
    groups += [("retain_term",)] if method.separates else []
    early = config.optimizations.stop_early and method.wants("forget") == {"hidden"}
    wish = config.optimizations.passes
    if one_pass and wish == "separate":
        raise UserError("optimizations.passes: 'separate' does not work under DeepSpeed; valid: auto, joint")
    if one_pass or wish == "joint" or (wish == "auto" and not early):
        return (tuple(name for group in groups for name in group),)
    return tuple(groups)
