"""Whole plans: of the tiny model, of LLaVA-1.5-7B by its shape, and what is refused."""

import json
from dataclasses import replace

import pytest
from tests.align.estimate.measuring import data_of, few

from unmirage.align import AlignConfig, AlignData, NpoConfig, RmuConfig
from unmirage.align.config import LoraSettings
from unmirage.align.estimate.lengths import check_lengths
from unmirage.align.estimate.run import estimate
from unmirage.align.methods import make_method
from unmirage.align.plan import make_rows, stream_samples
from unmirage.errors import UserError

GB = 1e9


def test_seven_billion_parameters_fully_trained(seven_billion, tiny):
    plan = estimate(seven_billion, few(tiny), AlignConfig(method=NpoConfig(), batch_size=8))
    assert plan.parameters.total == 7_063_427_072
    assert plan.parameters.trainable / plan.parameters.total == pytest.approx(0.957, abs=1e-3)
    one = plan.memory[0]
    # float32 weights, gradients and two moments of 6.76 B; the frozen tower's 0.30 B in float16.
    assert one.weights / GB == pytest.approx(27.65, abs=0.01)
    assert one.gradients / GB == pytest.approx(27.04, abs=0.01)
    assert one.optimizer / GB == pytest.approx(54.08, abs=0.01)
    assert one.casts / GB == pytest.approx(13.26, abs=0.05)
    sharded = next(row for row in plan.memory if row.gpus == 8 and row.layout == "sharded")
    assert sharded.weights == pytest.approx(one.weights / 8, abs=1)
    assert sharded.total < 30 * GB < one.total
    # 6 x parameters x tokens, with a tenth on top for attention: two rows of 605 tokens, eight times.
    assert plan.step_tflop == pytest.approx(6 * 6.74e9 * 16 * 605 / 1e12, rel=0.1)


def test_an_adapter_and_early_layers_need_less(seven_billion, tiny):
    full = estimate(seven_billion, few(tiny), AlignConfig(method=NpoConfig()))
    lora = estimate(seven_billion, few(tiny), AlignConfig(method=NpoConfig(), lora=LoraSettings()))
    rmu = estimate(seven_billion, few(tiny), AlignConfig(method=RmuConfig(ce=0), trainable=("down_proj:5-7",)))
    assert lora.parameters.trainable == 321_519_616
    assert rmu.parameters.trainable == 3 * 4096 * 11008
    assert lora.memory[0].reference == 0
    assert 0.6 < lora.step_tflop / full.step_tflop < 0.8
    assert rmu.step_tflop < 0.2 * full.step_tflop
    assert rmu.memory[0].activations < 0.1 * full.memory[0].activations


def test_gpus_that_a_step_cannot_be_dealt_to_are_said(tiny):
    plan = estimate(tiny.model, few(tiny), AlignConfig(method=NpoConfig(), batch_size=2))
    assert {(row.gpus, bool(row.problem)) for row in plan.memory} == {(1, False), (2, False), (4, True), (8, True)}
    assert all(row.total == 0 for row in plan.memory if row.problem)
    assert {row.devices for row in plan.time if row.problem} == {4, 8}


def test_more_gpus_take_less_time_and_caches_do_not(tiny):
    plan = estimate(tiny.model, data_of(tiny), AlignConfig(method=NpoConfig(), batch_size=8))
    hours = {row.devices: row for row in plan.time if row.device == "A100"}
    # Smaller micro-batches are padded less, so it is a little less than a half.
    assert 0.45 < hours[2].training_hours / hours[1].training_hours <= 0.5
    assert hours[8].preparation_hours == hours[1].preparation_hours > 0
    assert hours[1].tflops == pytest.approx(0.4 * 312)


def test_samples_show_exactly_what_carries_loss(tiny):
    plan = estimate(tiny.model, data_of(tiny), AlignConfig(method=NpoConfig()))
    assert [sample.stream for sample in plan.samples] == ["forget"] * 3 + ["retain"] * 3
    first = plan.samples[0]
    assert first.text.endswith("ASSISTANT:[[ You need amber, moss and tin.</s>]]")
    assert "<image ×4>" in first.text
    assert first.loss_tokens < first.tokens
    queries = estimate(tiny.model, few(tiny), AlignConfig(method=NpoConfig(loss_tokens="query"))).samples[0]
    assert "[[" in queries.text
    assert queries.text.endswith("ASSISTANT: You need amber, moss and tin.</s>")


def test_samples_of_a_loss_on_representations_show_query_and_answer(tiny):
    plan = estimate(tiny.model, data_of(tiny), AlignConfig(method=RmuConfig(layer=2)))
    for sample, words in ((plan.samples[0], "You need amber, moss and tin."), (plan.samples[3], "")):
        query, answer = sample.text.split("\n", 1)[1].split(" ASSISTANT:")
        assert query.startswith("[[")
        assert query.endswith("]]")
        assert answer.startswith(f"[[ {words}")
        assert answer.endswith("</s>]]")
    lengths = {one.stream: one.mean_loss_tokens for one in plan.lengths}
    answers = {
        one.stream: one.mean_loss_tokens
        for one in estimate(tiny.model, data_of(tiny), AlignConfig(method=NpoConfig())).lengths
    }
    assert all(lengths[stream] > answers[stream] + 3 for stream in ("forget", "retain"))
    official = estimate(tiny.model, data_of(tiny), AlignConfig(method=RmuConfig(layer=2, compat="official")))
    assert official.lengths[0].mean_loss_tokens == official.lengths[0].mean_tokens


def test_retain_batches_apart_cost_another_forward_and_backward(tiny):
    def plan(**settings):
        method = NpoConfig(compat="official", retain_term="npo", **settings)
        return estimate(tiny.model, data_of(tiny), AlignConfig(method=method, order="by-length"))

    together, apart = plan(), plan(separate_retain=True)
    assert [one.stream for one in apart.lengths] == ["forget", "retain", "retain_term"]
    assert apart.step_tflop / together.step_tflop == pytest.approx(1.5, abs=0.1)


def test_lengths_of_some_stand_for_all(tiny):
    every = estimate(tiny.model, data_of(tiny), AlignConfig(method=NpoConfig()))
    some = estimate(tiny.model, data_of(tiny), AlignConfig(method=NpoConfig()), measure=8)
    assert [one.measured for one in every.lengths] == [24, 24]
    for one, other in zip(some.lengths, every.lengths, strict=True):
        assert 1 <= one.measured <= 8
        assert one.mean_tokens == pytest.approx(other.mean_tokens, rel=0.1)
    assert any("measured on some samples" in line for line in some.assumptions)


def test_a_loaded_model_stays_as_it_is(tiny):
    vlm = tiny.load()
    estimate(vlm, few(tiny), AlignConfig(method=NpoConfig(), lora=LoraSettings(rank=4)))
    assert not any(".lora_" in name for name, _ in vlm.model.named_parameters())
    assert {one.device.type for one in vlm.model.parameters()} == {"cpu"}


def test_it_is_one_json_document(tiny):
    plan = estimate(tiny.model, few(tiny), AlignConfig(method=NpoConfig()))
    document = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert document["schema"] == "unmirage.align-plan/1"
    assert document["parameters"]["trainable"] == plan.parameters.trainable
    assert document["memory"][0]["total"] == plan.memory[0].total
    assert document["samples"][0]["text"] == plan.samples[0].text


def long_data(tiny):
    data = few(tiny)
    long = replace(data.retain[1], id="endless", answer="amber moss " * 400)
    return AlignData(retain=[data.retain[0], long], forget=data.forget, images=data.images)


@pytest.mark.filterwarnings("ignore:Token indices")
def test_a_sample_longer_than_the_model_is_named(tiny):
    data, config = long_data(tiny), AlignConfig(method=NpoConfig())
    plan = estimate(tiny.model, data, config)
    assert [(one.stream, one.sample_id) for one in plan.too_long] == [("retain", "endless")]
    assert plan.too_long[0].tokens > plan.positions == 512
    vlm = tiny.load()
    streams = stream_samples(make_method(config.method), data, 0)
    rows = make_rows(streams, vlm.processor, data.images, config)
    with pytest.raises(UserError, match=r"'endless' \(retain\): [0-9]+ tokens, .* 512 only"):
        check_lengths(rows, streams, vlm.model)
    check_lengths(rows, streams, vlm.model, drawn={"forget": range(3), "retain": [0]})


def test_what_training_refuses_is_refused(tiny, tmp_path):
    data = few(tiny)
    with pytest.raises(UserError, match="forget: the set is empty"):
        estimate(tiny.model, AlignData(retain=data.retain, images=data.images), AlignConfig(method=NpoConfig()))
    with pytest.raises(UserError, match="no such folder, nor a hub model of that name"):
        estimate(tmp_path / "nothing", data, AlignConfig(method=NpoConfig()))
    with pytest.raises(UserError, match=r"no config\.json"):
        estimate(tmp_path, data, AlignConfig(method=NpoConfig()))
