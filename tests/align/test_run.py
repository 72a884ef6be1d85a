"""Alignment runs on the untrained tiny VLM: what changes, what must not, and what is refused."""

import pytest
import torch

from unmirage.align import AlignConfig, AlignData, NpoConfig, RmuConfig, SftConfig, align
from unmirage.align.run import AlignResult
from unmirage.data.split import forget, retain
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.models.families import part_of

FAST = {"learning_rate": 1e-3, "batch_size": 4, "steps": 3}


def _data(tiny, *, with_forget: bool) -> AlignData:
    safety = tiny.samples("safety")
    answers = {sample.id: "You need amber, moss and tin." for sample in safety}
    return AlignData(
        retain=retain(safety, tiny.samples("general")),
        forget=forget(safety, answers) if with_forget else (),
        images=tiny.images,
    )


def _run(tiny, config: AlignConfig) -> tuple[HuggingFaceVLM, AlignResult]:
    vlm = tiny.load()
    return vlm, align(vlm, _data(tiny, with_forget=config.method.name != "sft"), config)


@pytest.mark.parametrize("method", [SftConfig(), NpoConfig(), RmuConfig(layer=2)], ids=lambda method: method.name)
def test_only_the_trainable_parts_change(tiny, method) -> None:
    before = tiny.load().model.state_dict()
    vlm, result = _run(tiny, AlignConfig(method=method, trainable=("language",), **FAST))
    changed = {
        part_of(name) for name, tensor in vlm.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"language"}
    assert result.steps == 3
    assert len(result.parts) == 3
    assert not any(parameter.requires_grad for parameter in vlm.model.parameters())


def test_sft_lowers_its_loss(tiny) -> None:
    _, result = _run(tiny, AlignConfig(learning_rate=3e-3, batch_size=8, steps=25))
    assert result.parts[-1]["cross_entropy"] < 0.5 * result.parts[0]["cross_entropy"]


def test_npo_starts_at_its_known_value_and_falls(tiny) -> None:
    config = AlignConfig(method=NpoConfig(beta=0.1), learning_rate=1e-3, batch_size=4, steps=10)
    _, result = _run(tiny, config)
    # The policy is the reference at step 0: 2 / beta * ln 2, and no divergence yet.
    assert result.parts[0]["forget"] == pytest.approx(13.8629, abs=1e-3)
    assert result.parts[0]["retain"] == pytest.approx(0, abs=1e-6)
    assert result.parts[-1]["forget"] < result.parts[0]["forget"]


def test_rmu_starts_without_retain_loss_and_returns_its_control_vector(tiny) -> None:
    config = AlignConfig(method=RmuConfig(layer=2, scale=5), **FAST)
    _, result = _run(tiny, config)
    assert result.parts[0]["retain"] == pytest.approx(0, abs=1e-9)
    assert result.state["control"].norm().item() == pytest.approx(5, abs=1e-4)


def test_same_seed_same_weights_other_seed_other_weights(tiny) -> None:
    weights = [_run(tiny, AlignConfig(seed=seed, **FAST))[0].model.state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_without_steps_the_epochs_decide(tiny) -> None:
    data = _data(tiny, with_forget=False)
    result = align(tiny.load(), data, AlignConfig(batch_size=5, epochs=1.0))
    assert result.steps == -(-len(data.retain) // 5)


def test_progress_counts_every_step(tiny) -> None:
    seen: list[tuple[int, int]] = []
    align(
        tiny.load(),
        _data(tiny, with_forget=False),
        AlignConfig(**FAST),
        lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("method", "with_forget", "message"),
    [
        (NpoConfig(), False, "forget: the set is empty; method 'npo' needs harmful answers"),
        (SftConfig(), True, "forget: method 'sft' takes no forget set"),
        (RmuConfig(layer=9), True, r"method.layer: 9 is out of range; this model has decoder layers 1 to 4"),
    ],
)
def test_data_that_does_not_fit_the_method_is_refused(tiny, method, with_forget: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        align(tiny.load(), _data(tiny, with_forget=with_forget), AlignConfig(method=method, **FAST))


def test_an_empty_answer_is_refused(tiny) -> None:
    from dataclasses import replace

    samples = [replace(tiny.samples("general")[0], answer=" ")]
    with pytest.raises(UserError, match=r"sample 'general-0': the answer is empty"):
        align(tiny.load(), AlignData(retain=samples, images=tiny.images), AlignConfig(**FAST))


def test_divergence_stops_the_run(tiny) -> None:
    vlm = tiny.load()
    with torch.no_grad():
        vlm.model.model.language_model.norm.weight.fill_(float("inf"))
    with pytest.raises(UserError, match=r"training diverged at step 1: .*lower learning_rate"):
        align(vlm, _data(tiny, with_forget=False), AlignConfig(**FAST))
