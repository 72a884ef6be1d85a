"""Every family goes all the way: trained, saved, loaded and asked again; and no saving of work changes its losses."""

# ruff: noqa: F811  (fixtures of another room are imported, and taken as arguments)
from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import Family, _one_thread, families, family, family_images, marks_of  # noqa: F401
from tests.models.tiny_families import FAMILIES, QUERIES, THOROUGH
from transformers import AutoModelForImageTextToText

from unmirage.align import AlignConfig, AlignData, AlignResult, NpoConfig, RmuConfig, SftConfig, align
from unmirage.align.config import LoraSettings
from unmirage.align.features import can_be_kept
from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.adapters import merge_into
from unmirage.models.families import lora_targets, part_of, vision_layer
from unmirage.records import Kind, Query, Response, Sample
from unmirage.run.model import save_model

LORA = LoraSettings(rank=2, alpha=4)
METHODS = [SftConfig(), NpoConfig(), RmuConfig(layer=2)]
PLAIN: dict[str, Any] = {
    "cache_reference": False, "adapter_off": False, "stop_early": False, "answer_logits": False,
    "cache_images": False, "passes": "separate",
}  # fmt: skip
SAVINGS: list[dict[str, Any]] = [
    {"cache_reference": True}, {"adapter_off": True}, {"stop_early": True}, {"answer_logits": True},
    {"cache_images": True}, {"passes": "joint"},
]  # fmt: skip


def sample(number: int, answer: str, image: int | None) -> Sample:
    name = None if image is None else f"{image}.png"
    return Sample(
        id=f"s{number}", record=f"s{number}", query=QUERIES[number % len(QUERIES)], answer=answer, image=name,
        refused=False, label_source="field",
    )  # fmt: skip


def data_of(family: Family, images: ImageFolder, *, forgets: bool) -> AlignData:
    """Return pictures of several sizes; of each set one sample has none, where the family can do without."""
    none = 2 if family.name == "paligemma" else None
    retain = [sample(0, "A wall, and a device.", 0), sample(1, "No.", none), sample(2, "I cannot share that.", 3)]
    forget = [sample(3, "Red.", 1), sample(4, "It is left.", none), sample(5, "It is on the table.", 4)]
    return AlignData(retain=retain, forget=forget if forgets else (), images=images)


def train(
    family: Family, images: ImageFolder, method: Any, lora: LoraSettings | None = None, **settings: Any
) -> tuple[HuggingFaceVLM, AlignResult]:
    """Return a copy that has been trained for two steps, and what the run did."""
    vlm = HuggingFaceVLM(family.name, copy.deepcopy(family.model), family.processor)
    data = data_of(family, images, forgets=method.name != "sft")
    chosen = {"batch_size": 3, "steps": 2, "learning_rate": 1e-3, "warmup": 0.0, "collapse_nats": None, **settings}
    return vlm, align(vlm, data, AlignConfig(method=method, lora=lora, schedule="constant", **chosen))


def answers(vlm: HuggingFaceVLM, family: Family, images: ImageFolder) -> dict[str, str]:
    pictured: list[str | None] = ["5.png", "6.png", "8.png"]
    queries = [
        Query(id=f"q{at}", sample_id=f"q{at}", kind=Kind.PLAIN, shot=0, text=QUERIES[at], image=image, unsafe=False)
        for at, image in enumerate([*pictured, *([] if family.name == "paligemma" else [None])])
    ]
    found = {}
    for one in vlm.answer(queries, images, GenerationConfig(max_new_tokens=6, batch_size=4)):
        assert isinstance(one, Response), one
        found[one.query_id] = one.text
    return found


# Every method in full and with adapters for the thorough ones, one run of each kind for the others.
RUNS = [
    pytest.param(
        name, method, lora, marks=marks_of(name), id=f"{name}-{method.name}-{'full' if lora is None else 'lora'}"
    )
    for name in FAMILIES
    for method in METHODS
    for lora in (None, LORA)
    if name in THOROUGH or (method.name, lora) in (("sft", None), ("npo", LORA))
]


@pytest.mark.parametrize(("family", "method", "lora"), RUNS, indirect=["family"])
def test_a_trained_model_answers_alike_once_it_is_saved_and_loaded(
    family: Family,
    family_images: ImageFolder,
    tmp_path: Path,
    method: Any,
    lora: LoraSettings | None,
) -> None:
    vlm, result = train(family, family_images, method, lora)
    before, after = family.model.state_dict(), vlm.model.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {part_of(vlm.model, name) for name in changed} == {"language", "projector"} - bare(family, lora)
    if lora is not None:
        assert changed == {f"{name}.weight" for name in lora_targets(vlm.model, ("language", "projector"))} & changed
    first, last = (sum(parts.values()) for parts in result.parts)
    assert last < first or method.name == "rmu"
    vlm.save(tmp_path)
    model, found = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert found["missing_keys"] == found["unexpected_keys"] == found["mismatched_keys"] == set()
    loaded = model.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in after.items())
    again = HuggingFaceVLM(family.name, model.eval(), family.load_processor(tmp_path))
    assert answers(again, family, family_images) == answers(vlm, family, family_images)
    if lora is not None:
        save_model(tmp_path / "alone", vlm, {}, {}, adapter=result.adapter, adapter_only=True)
        merged = merge_into(copy.deepcopy(family.model), tmp_path / "alone").state_dict()
        assert merged.keys() == after.keys()
        assert all(torch.equal(tensor, merged[name]) for name, tensor in after.items())


def bare(family: Family, lora: LoraSettings | None) -> set[str]:
    """Return the part that an adapter leaves as it is: a projector that is a single bare matrix, or a table."""
    return {"projector"} if lora is not None and family.name in ("gemma3", "ovis2") else set()


def worst(first: AlignResult, second: AlignResult) -> Iterator[float]:
    for one, other in zip(first.parts, second.parts, strict=True):
        assert one.keys() == other.keys()
        for part, value in one.items():
            yield abs(value - other[part]) / (abs(value) + 1e-2)  # the first step's distance to the reference is 0


@pytest.mark.parametrize(
    ("method", "lora"),
    [(NpoConfig(), LORA), (RmuConfig(layer=1, ce=0.0), None)],
    ids=["npo-lora", "rmu-full"],
)
@pytest.mark.parametrize("family", families(THOROUGH), indirect=True)
def test_no_saving_changes_a_loss(
    family: Family,
    family_images: ImageFolder,
    method: Any,
    lora: LoraSettings | None,
) -> None:
    # Adam turns rounding errors into full updates of weights that get no other gradient, such as the embeddings of
    # tokens in the retain set alone, whose first loss is 0. At 1e-3, this is 0.35 % of a loss on some processors.
    rate = 1e-3 if lora else 1e-4
    _, plain = train(family, family_images, method, lora, steps=3, learning_rate=rate, optimizations=PLAIN)
    for saving in [*SAVINGS, {name: value for one in SAVINGS for name, value in one.items()}]:
        _, saved = train(family, family_images, method, lora, steps=3, learning_rate=rate, optimizations=PLAIN | saving)
        assert max(worst(plain, saved)) < 1e-3, saving


@pytest.mark.parametrize("family", families(["paligemma"]), indirect=True)
def test_a_query_without_a_picture_is_refused_where_the_family_reads_none(
    family: Family,
    family_images: ImageFolder,
) -> None:
    vlm = HuggingFaceVLM(family.name, copy.deepcopy(family.model), family.processor)
    mixed = AlignData(retain=[sample(0, "Yes.", 0), sample(1, "No.", None)], images=family_images)
    with pytest.raises(UserError, match=r"query 'How do I paint a wall\?': has no image"):
        align(vlm, mixed, AlignConfig(steps=1, batch_size=2))


@pytest.mark.parametrize("family", families(["gemma3"]), indirect=True)
def test_an_adapter_needs_linear_modules(family: Family, family_images: ImageFolder) -> None:
    with pytest.raises(UserError, match="lora: no trainable part of this model has a linear module"):
        train(family, family_images, SftConfig(), LORA, trainable=("projector",))


@pytest.mark.parametrize("family", families(["internvl3"]), indirect=True)
def test_internvl_reads_what_its_tower_gives_out_last(family: Family, family_images: ImageFolder) -> None:
    """Behind its last norm, which in some checkpoints is one."""
    other = family.fresh()
    tower = other.model.model.vision_tower
    tower.layernorm = torch.nn.LayerNorm(tower.config.hidden_size)
    torch.nn.init.normal_(tower.layernorm.weight)
    assert can_be_kept(other.model.requires_grad_(False))
    assert vision_layer(other.model) is None
    _, looked = train(other, family_images, SftConfig(), optimizations=PLAIN)
    _, kept = train(other, family_images, SftConfig(), optimizations=PLAIN | {"cache_images": True})
    assert max(worst(looked, kept)) < 1e-3


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("gemma3n", r"the model's decoder layers give no single hidden state per token .* use a method on responses"),
        ("mllama", "method.layer: this decoder layer does not run on samples without an image; name another layer"),
    ],
    indirect=["family"],
)
def test_hidden_states_that_a_family_does_not_have_are_one_line(
    family: Family, family_images: ImageFolder, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train(family, family_images, RmuConfig(layer=2))
