"""A model and what is to be done to it in, the answers of all its variants in the store out.

A variant that has answered everything is passed over. One that was broken off is made again, the same one, and asked
the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unmirage.align.run import Progress
from unmirage.data.images import Pictures
from unmirage.evaluate.gaps import unasked
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.lasting.int8 import round_to_int8
from unmirage.evaluate.lasting.relearning import RelearnConfig, relearn
from unmirage.evaluate.lasting.variants import INT8, NO_ADAPTER, RELEARNED, TEMPERATURE
from unmirage.evaluate.until_success import ask_until_success
from unmirage.models import VLM, GenerationConfig, HuggingFaceVLM, ask
from unmirage.records import Query, Sample, Variant
from unmirage.run.model import save_model
from unmirage.run.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RelearnData:
    """What a model is fine-tuned on: samples in drawn order, so that n of them are the first n, and their pictures."""

    samples: Sequence[Sample]
    images: Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """What is done to one model, and how its variants are asked.

    Attributes:
        of: the model's name in tables; it is asked too.
        variants: see `plan_variants`.
        load: returns the model under a name, with weights that may be changed.
        load_base: the same without its adapter; None where it has none.
        data: what it is fine-tuned on, by name.
        relearning: how.
        images: pictures of the queries.
        generation: how it answers; a variant's temperature takes the place of its own.
        queries: ask only these; None asks all in the store.
        until: a judge; no shot is asked after one that it calls a success.
        keep: folder for the fine-tuned models; None keeps none.
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
        """Return the model's name and those of its variants."""
        return [self.of, *(variant.model for variant in self.variants)]

    def missing(self, store: Store, name: str) -> list[Query]:
        """Return the queries that one of them is still to be asked."""
        if self.until is not None:
            return unasked(store, self.until.name, name, stopped=True)
        found = store.unanswered(name)
        if self.queries is None:
            return found
        chosen = {query.id for query in self.queries}
        return [query for query in found if query.id in chosen]


def run_stress(stress: Stress, store: Store, made_of: Mapping[str, str], progress: Progress) -> int:
    """Make and ask what has not answered everything yet; return how many queries got no answer.

    Args:
        stress: what to do.
        store: has the queries, and takes variants and answers.
        made_of: what identifies the model, as `Store.add_model` takes it.
        progress: called with (stage, done, in all).

    Raises:
        UserError: another model, or one made with other settings, has answered under one of the names; or the data
            cannot be learned from. Nothing is trained before all names are looked at.
    """
    plan: list[tuple[str, Variant | None]] = [(stress.of, None), *((one.model, one) for one in stress.variants)]
    made = {name: dict(made_of) | _made_with(stress, variant) for name, variant in plan}
    for name, files in made.items():
        if store.model_files(name):
            store.add_model(name, files)
    for name, variant in plan:
        if stress.missing(store, name):
            _answer(stress, store, name, variant, made[name], progress)
    return sum(len(stress.missing(store, name)) for name in made)


def _answer(
    stress: Stress, store: Store, name: str, variant: Variant | None, made_of: Mapping[str, str], progress: Progress
) -> None:
    """Make a variant and ask it; its weights are given up before the next one is loaded."""
    vlm, generation = _made(stress, name, variant, progress)
    store.add_model(name, made_of)
    if variant is not None:
        store.add_variant(variant)
    _ask(stress, vlm, store, generation, progress)


def _made(stress: Stress, name: str, variant: Variant | None, progress: Progress) -> tuple[VLM, GenerationConfig]:
    """Return a variant, ready to be asked, and how; the model itself for None."""
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
        relearn(
            vlm,
            data.samples[: int(variant.amount)],
            data.images,
            stress.relearning,
            lambda stage, done, total: progress(f"{name}: {stage}", done, total),
        )
        if stress.keep is not None:
            settings = stress.relearning.model_dump(mode="json") | {"data": variant.data, "samples": variant.amount}
            save_model(stress.keep / name.replace(" + ", "-").replace(" ", "-"), vlm, settings, {})
    return vlm, stress.generation


def _at(stress: Stress, variant: Variant) -> GenerationConfig:
    return stress.generation.model_copy(update={"temperature": variant.amount, "seed": stress.relearning.seed})


def _ask(stress: Stress, vlm: VLM, store: Store, generation: GenerationConfig, progress: Progress) -> None:
    def told(done: int, total: int) -> None:
        progress(f"{vlm.name}: ask", done, total)

    if stress.until is not None:
        ask_until_success(vlm, store, stress.images, generation, stress.until, told)
    else:
        ask(vlm, store, stress.images, generation, told, queries=stress.queries)


def _made_with(stress: Stress, variant: Variant | None) -> dict[str, str]:
    """Return what identifies a variant beside the model that it is made from, so that no other takes its name."""
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
        digest.update(json.dumps([sample.query, sample.answer, sample.image]).encode())
    return digest.hexdigest()[:16]
