"""`compat: official` against the losses of the paper's code, restated here from full logits and hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.align.runs import data_for, loaded
from torch import Tensor

from unmirage.align.config import AlignConfig, Optimizations
from unmirage.align.forward import PassBatch
from unmirage.align.methods import NpoConfig, RmuConfig, make_method
from unmirage.align.module import AlignModule, count
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.align.reference import Reference
from unmirage.models.encoding import IGNORED
from unmirage.records import Sample

LAYER = 2
SHIFT = 2
NPO = {"beta": 0.7, "alpha": 0.4, "ce": 0.9, "gamma": 1.0, "retain_term": "npo", "compat": "official"}
RMU = {"scale": 10, "alpha": 0.3, "ce": 0.9, "gamma": 1.0, "layer": LAYER, "compat": "official"}


@dataclass(frozen=True)
class Said:
    """All that a model says of a padded batch of one stream."""

    logits: Tensor  # (rows, tokens, vocabulary)
    hidden: Tensor  # (rows, tokens, width) of layer 2
    labels: Tensor  # (rows, tokens) answers, else -100

    @property
    def cross_entropy(self) -> float:
        """The loss that a Hugging Face model gives: a mean over all labeled tokens of the batch."""
        logits, labels = self.logits[:, :-1].flatten(0, 1), self.labels[:, 1:].flatten()
        return F.cross_entropy(logits.double(), labels, ignore_index=IGNORED).item()


@dataclass(frozen=True)
class Case:
    """A method's module after the model has moved away from its reference, and what both say of each stream."""

    module: AlignModule
    passes: list[PassBatch]
    policy: dict[str, Said]
    reference: dict[str, Said]

    def losses(self) -> dict[str, float]:
        """Return what the module gives, all passes together."""
        with torch.no_grad():
            found = [self.module(batch, count(self.passes)) for batch in self.passes]
        return {name: value.item() for parts in found for name, value in parts.items()}


@torch.no_grad()
def _said(model: Any, batch: PassBatch) -> dict[str, Said]:
    """Ask for everything, each stream padded by itself as the paper's code has it, with no code of ours."""
    said = {}
    for name, (start, end) in batch.rows.items():
        width = int(batch.inputs["attention_mask"][start:end].sum(1).max())
        inputs = {
            "input_ids": batch.inputs["input_ids"][start:end, :width],
            "attention_mask": batch.inputs["attention_mask"][start:end, :width],
            "pixel_values": batch.inputs["pixel_values"][start:end],
        }
        output = model(**inputs, output_hidden_states=True)
        labels = inputs["input_ids"].masked_fill(~batch.loss[start:end, :width], IGNORED)
        said[name] = Said(output.logits, output.hidden_states[LAYER], labels)
    return said


def _of_all_lengths(samples: Sequence[Sample]) -> list[Sample]:
    """Return samples with answers of one sentence, of two and so on, so that there is padding."""
    return [replace(one, answer=" ".join([one.answer] * times)) for times, one in enumerate(samples, start=1)]


def _case(tiny, method_config: Any, passes: str) -> Case:
    vlm = loaded(tiny)
    config = AlignConfig(method=method_config, optimizations=Optimizations(cache_reference=False, passes=passes))
    method = make_method(method_config)
    plain = data_for(tiny, method_config, 4 + SHIFT)
    data = replace(plain, forget=_of_all_lengths(plain.forget), retain=_of_all_lengths(plain.retain))
    rows = make_rows(stream_samples(method, data, 0), vlm.processor, data.images, config)
    collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=False)
    # The own retain term, where it has a stream of its own, sees other samples than the cross-entropy.
    items = [{name: stream[at + SHIFT * (name == "retain_term")] for name, stream in rows.items()} for at in range(4)]
    batches = collator(items)
    whole = collator.batch({name: [item[name] for item in items] for name in rows})
    before = _said(vlm.model, whole)
    reference = Reference(vlm.model, LAYER, config.optimizations, adapted=False, cached=False)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in vlm.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    module = AlignModule(vlm.model, method, reference, config.optimizations).eval()
    return Case(module, batches, _said(vlm.model, whole), before)


@pytest.fixture(scope="module", params=["joint", "separate"])
def npo(request, tiny) -> Case:
    return _case(tiny, NpoConfig(**NPO), request.param)


@pytest.fixture(scope="module", params=["joint", "separate"])
def rmu(request, tiny) -> Case:
    return _case(tiny, RmuConfig(**RMU), request.param)


@pytest.mark.parametrize("passes", ["joint", "separate"])
def test_npo_with_retain_batches_apart(tiny, passes: str) -> None:
    case = _case(tiny, NpoConfig(**NPO | {"separate_retain": True}), passes)
    own, own_ref = (said["retain_term"].cross_entropy for said in (case.policy, case.reference))
    losses, beta = case.losses(), NPO["beta"]
    log_sigmoid = F.logsigmoid(torch.tensor(beta * (own - own_ref), dtype=torch.float64)).item()
    assert losses["retain"] == pytest.approx(0.4 * (2 / beta) * log_sigmoid, rel=1e-5)
    assert losses["cross_entropy"] == pytest.approx(0.9 * case.policy["retain"].cross_entropy, rel=1e-5)
    assert abs(own - case.policy["retain"].cross_entropy) > 0.01


@pytest.mark.parametrize("passes", ["joint", "separate"])
def test_rmu_with_retain_batches_apart(tiny, passes: str) -> None:
    case = _case(tiny, RmuConfig(**RMU | {"separate_retain": True}), passes)
    own, own_ref = (said["retain_term"].hidden for said in (case.policy, case.reference))
    losses = case.losses()
    assert losses["retain"] == pytest.approx(0.3 * F.mse_loss(own, own_ref).item(), rel=1e-5)
    assert losses["cross_entropy"] == pytest.approx(0.9 * case.policy["retain"].cross_entropy, rel=1e-5)


def test_the_batch_has_what_the_official_means_are_wrong_about(rmu: Case) -> None:
    """Padding, answers of different lengths, image positions, and a policy that is no longer its reference."""
    for batch in rmu.passes:
        for start, end in batch.rows.values():
            real, ids = batch.inputs["attention_mask"][start:end], batch.inputs["input_ids"][start:end]
            assert batch.places[start:end].sum() > 1.15 * real.sum()
            assert len(set(batch.loss[start:end].sum(1).tolist())) == 4
            assert (ids == rmu.module.model.config.image_token_id).sum() == 4 * rmu.module.model.config.image_seq_length
    assert abs(rmu.policy["forget"].cross_entropy / rmu.reference["forget"].cross_entropy - 1) > 1e-3


def test_npo(npo: Case) -> None:
    forget, forget_ref = npo.policy["forget"].cross_entropy, npo.reference["forget"].cross_entropy
    retain, retain_ref = npo.policy["retain"].cross_entropy, npo.reference["retain"].cross_entropy
    beta = NPO["beta"]

    def log_sigmoid(x: float) -> float:
        return F.logsigmoid(torch.tensor(x, dtype=torch.float64)).item()

    assert npo.losses() == pytest.approx(
        {
            "forget": -(2 / beta) * log_sigmoid(beta * (forget - forget_ref)),
            "cross_entropy": 0.9 * retain,
            "retain": 0.4 * (2 / beta) * log_sigmoid(beta * (retain - retain_ref)),
        },
        rel=1e-5,
    )


def test_rmu(rmu: Case) -> None:
    generator = torch.Generator().manual_seed(0)
    vector = torch.rand(rmu.policy["forget"].hidden.shape[-1], generator=generator)
    control = 10 * vector / vector.norm()
    forget, retain = rmu.policy["forget"].hidden, rmu.policy["retain"].hidden
    assert rmu.losses() == pytest.approx(
        {
            "forget": F.mse_loss(forget, control.expand_as(forget)).item(),
            "cross_entropy": 0.9 * rmu.policy["retain"].cross_entropy,
            "retain": 0.3 * F.mse_loss(retain, rmu.reference["retain"].hidden).item(),
        },
        rel=1e-5,
    )


def test_without_compat_both_are_other_numbers(tiny, npo: Case, rmu: Case) -> None:
    ours = _case(tiny, NpoConfig(**NPO | {"compat": "none"}), "joint").losses()
    theirs = npo.losses()
    assert ours["cross_entropy"] == pytest.approx(theirs["cross_entropy"], rel=1e-5)
    assert abs(ours["forget"] / theirs["forget"] - 1) > 0.01
    ours, theirs = _case(tiny, RmuConfig(**RMU | {"compat": "none"}), "joint").losses(), rmu.losses()
    assert abs(ours["forget"] / theirs["forget"] - 1) > 0.01
    assert abs(ours["retain"] / theirs["retain"] - 1) > 0.01


def test_rmu_without_compat_is_a_mean_over_query_and_answer(tiny) -> None:
    """The same loss by definition, from the same hidden states: what stands around the words of a row is known."""
    case = _case(tiny, RmuConfig(**RMU | {"compat": "none"}), "separate")
    vector = torch.rand(128, generator=torch.Generator().manual_seed(0))
    control = 10 * vector / vector.norm()
    (batch,) = (one for one in case.passes if "forget" in one.rows)
    words = batch.inputs["attention_mask"].bool()
    picture = ["<image>"] * case.module.model.config.image_seq_length
    head, tail = ["<s>", "USER", ":", "Ġ", *picture, "Ċ"], ["ĠASSISTANT", ":"]
    for row, ids in enumerate(batch.inputs["input_ids"].tolist()):
        tokens = loaded(tiny).processor.tokenizer.convert_ids_to_tokens(ids)
        assert tokens[: len(head)] == head
        words[row, : len(head)] = False
        (at,) = (at for at in range(len(tokens)) if tokens[at : at + len(tail)] == tail)
        words[row, at : at + len(tail)] = False
    hidden = case.policy["forget"].hidden[words]
    assert case.losses()["forget"] == pytest.approx(F.mse_loss(hidden, control.expand_as(hidden)).item(), rel=1e-5)
