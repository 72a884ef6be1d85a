"""Fine-tuning after a repair: the same samples and seed give the same weights, none gives the model itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from unmirage.evaluate.robustness import RelearnConfig, in_drawn_order, relearn

FAST = RelearnConfig(learning_rate=1e-3, batch_size=4, steps=3)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(vlm):
    return {name: tensor.clone() for name, tensor in vlm.model.state_dict().items()}


def relearned(tiny, count, config=FAST, told=None):
    vlm = tiny.load()
    relearn(vlm, in_drawn_order(tiny.samples("base"), 0)[:count], tiny.images, config, told)
    return weights(vlm)


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_same_seed_gives_the_same_weights_and_other_samples_others(tiny):
    steps = []
    first = relearned(tiny, 2, told=lambda *told: steps.append(told))
    assert [told[1:] for told in steps if told[0] == "align"] == [(1, 3), (2, 3), (3, 3)]  # as many as for 8
    assert same(first, relearned(tiny, 2))
    assert not same(first, relearned(tiny, 8))
    before = weights(tiny.load())
    moved = {name for name in before if not torch.equal(before[name], first[name])}
    assert moved
    assert not any("vision_tower" in name for name in moved)


def test_no_samples_leave_the_model_as_it_is(tiny):
    assert same(relearned(tiny, 0), weights(tiny.load()))


def test_a_rate_of_nearly_nothing_changes_nearly_nothing(tiny):
    before, after = weights(tiny.load()), relearned(tiny, 2, FAST.model_copy(update={"learning_rate": 1e-9}))
    assert all(torch.allclose(tensor, after[name], atol=1e-6) for name, tensor in before.items())


def test_few_samples_are_among_the_many_and_those_without_an_answer_are_none(tiny):
    samples = tiny.samples("base")
    samples[3] = replace(samples[3], answer=" \n")
    drawn = in_drawn_order(samples, 0)
    assert {one.id for one in drawn} == {one.id for one in samples} - {samples[3].id}
    assert [one.id for one in drawn] != [one.id for one in samples if one.id != samples[3].id]
    assert drawn == in_drawn_order(samples, 0) != in_drawn_order(samples, 1)


def test_it_is_fine_tuning_with_a_number_of_steps():
    assert (RelearnConfig().method.name, RelearnConfig().schedule, RelearnConfig().warmup) == ("sft", "constant", 0)
    for wrong in ({"method": {"name": "npo"}}, {"steps": None}, {"steps": 0}, {"lr": 1}):
        with pytest.raises(ValidationError):
            RelearnConfig.model_validate(wrong)
