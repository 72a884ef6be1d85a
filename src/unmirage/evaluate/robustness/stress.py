"""Build the variants of a model, query them, and store their responses.

Complete variants are skipped. Interrupted variants are rebuilt and resumed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unmirage.data.images import Pictures
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.missing import unasked
from unmirage.evaluate.robustness.relearning import RelearnConfig, relearn
from unmirage.evaluate.robustness.variants import INT8, NO_ADAPTER, RELEARNED, TEMPERATURE, round_to_int8
from unmirage.evaluate.until_success import ask_until_success
from unmirage.models import VLM, GenerationConfig, HuggingFaceVLM, ask
from unmirage.records import Query, Sample, Variant
from unmirage.run.fingerprint import hashed_fields
from unmirage.run.model import save_model
from unmirage.run.progress import Progress, in_stage, prefixed
from unmirage.run.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RelearnData:
    """Fine-tuning data: samples in drawn order (a set of n consists of the first n) and their images."""

    samples: Sequence[Sample]
    images: Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """Variants of one model, and settings for building and querying them.

    Attributes:
        of: name of the model in tables. The unmodified model is queried too.
        variants: variants to build; see `plan_variants`.
        load: returns the model under a given name, with weights that may be modified.
        load_base: returns the model without its adapter; None if it has no adapter.
        data: fine-tuning data by name.
        relearning: fine-tuning settings.
        images: images of the queries.
        generation: generation settings. The temperature of a variant overrides the one here.
        queries: queries to send; None sends all queries in the store.
        until: judge that stops the shots at a sample after the first success; None sends all shots.
        keep: folder in which fine-tuned models are saved; None saves none.
    """

    of: str
    variants: Sequence[Variant]
    load: Callable[[str], VLM]
    load_base: Callable[[str], VLM] | None = None
    data: Mapping[str, RelearnData] = field(default_factory=dict)
    relearning: RelearnConfig = field(default_factory=RelearnConfig)
    images: Pictures
    generation: GenerationConfig
    queries: Sequence[Query] | None = None
    until: Judge | None = None
    keep: Path | None = None

    def names(self) -> list[str]:
        """Return the names of the model and its variants."""
        return [self.of, *(variant.model for variant in self.variants)]

    def missing(self, store: Store, name: str) -> list[Query]:
        """Return the queries that the model or variant `name` has not answered yet."""
        if self.until is not None:
            return unasked(store, self.until.name, name, stopped=True)
        found = store.unanswered(name)
        if self.queries is None:
            return found
        chosen = {query.id for query in self.queries}
        return [query for query in found if query.id in chosen]


def run_stress(stress: Stress, store: Store, fingerprint: Mapping[str, str], progress: Progress) -> int:
    """Build and query all incomplete variants; return the number of queries without a response.

    Args:
        stress: variants and settings.
        store: contains the queries, and receives variants and responses.
        fingerprint: properties that identify the model, as for `Store.add_model`.
        progress: called with (stage, done, total).

    Raises:
        UserError: a different model, or one with other settings, has responses under one of the names; or the data is
            not usable for training. All names are checked before any training starts.
    """
    plan: list[tuple[str, Variant | None]] = [(stress.of, None), *((one.model, one) for one in stress.variants)]
    made = {name: dict(fingerprint) | _made_with(stress, variant) for name, variant in plan}
    for name, files in made.items():
        if store.model_files(name):
            store.add_model(name, files)
    for name, variant in plan:
        if stress.missing(store, name):
            _answer(stress, store, name, variant, made[name], progress)
    return sum(len(stress.missing(store, name)) for name in made)


def _answer(
    stress: Stress, store: Store, name: str, variant: Variant | None, fingerprint: Mapping[str, str], progress: Progress
) -> None:
    """Build and query a variant. Its weights are released before the next one is loaded."""
    vlm, generation = _made(stress, name, variant, progress)
    store.add_model(name, fingerprint)
    if variant is not None:
        store.add_variant(variant)
    _ask(stress, vlm, store, generation, progress)


def _made(stress: Stress, name: str, variant: Variant | None, progress: Progress) -> tuple[VLM, GenerationConfig]:
    """Return a variant (the unmodified model for None) and its generation settings."""
    kind = None if variant is None else variant.kind
    if kind == NO_ADAPTER:
        assert stress.load_base is not None
        return stress.load_base(name), stress.generation
    vlm = stress.load(name)
    if variant is None:
        return vlm, stress.generation
    if kind == TEMPERATURE:
        return vlm, _at(stress, variant)
    assert isinstance(vlm, HuggingFaceVLM)
    if kind == INT8:
        round_to_int8(vlm.model)
    else:
        assert kind == RELEARNED
        data = stress.data[variant.data]
        samples = data.samples[: int(variant.amount)]
        relearn(vlm, samples, data.images, stress.relearning, prefixed(progress, name))
        if stress.keep is not None:
            settings = stress.relearning.model_dump(mode="json") | {"data": variant.data, "samples": variant.amount}
            save_model(stress.keep / name.replace(" + ", "-").replace(" ", "-"), vlm, settings, {})
    return vlm, stress.generation


def _at(stress: Stress, variant: Variant) -> GenerationConfig:
    return stress.generation.model_copy(update={"temperature": variant.amount, "seed": stress.relearning.seed})


def _ask(stress: Stress, vlm: VLM, store: Store, generation: GenerationConfig, progress: Progress) -> None:
    told = in_stage(progress, f"{vlm.name}: ask")
    if stress.until is not None:
        ask_until_success(vlm, store, stress.images, generation, stress.until, told)
    else:
        ask(vlm, store, stress.images, generation, told, queries=stress.queries)


def _made_with(stress: Stress, variant: Variant | None) -> dict[str, str]:
    """Return properties that identify a variant, in addition to its source model, so that names cannot collide."""
    if variant is None:
        return {}
    told = {"variant": variant.kind}
    if variant.kind == TEMPERATURE:
        generation = _at(stress, variant)
        return told | {"temperature": str(generation.temperature), "seed": str(generation.seed)}
    if variant.kind == RELEARNED:
        settings = stress.relearning.model_dump(mode="json")
        told |= {f"relearn.{key}": json.dumps(value) for key, value in settings.items()}
        told["samples"] = _digest(stress.data[variant.data].samples[: int(variant.amount)])
    return told


def _digest(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        fields = hashed_fields(sample)
        more = [fields[name] for name in ("images", "context") if name in fields]
        digest.update(json.dumps([sample.query, sample.answer, sample.image, *more]).encode())
    return digest.hexdigest()[:16]
