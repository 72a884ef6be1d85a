"""What a run is made of: which data fit which method, how many steps, which streams, and who is asked beforehand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.align.runs import data_for, loaded, method_config

from unmirage.align import METHODS, AlignConfig, AlignData
from unmirage.align.config import Optimizations
from unmirage.align.methods import make_method
from unmirage.align.plan import (
    check_data,
    keeps_reference,
    looks_inside,
    loss_tokens,
    make_dataset,
    make_rows,
    needs_reference,
    passes,
    preferred,
    step_count,
    stream_samples,
)
from unmirage.errors import UserError
from unmirage.records import Sample

SAMPLES = [
    Sample(id=f"s{n}", record=f"r{n}", query=f"What {n}?", answer="You need tin.", refused=False, label_source="field")
    for n in range(23)
]


def _method(name: str, **settings):
    return make_method(method_config(name, **settings))


@given(st.integers(1, 23), st.integers(1, 6), st.integers(0, 5))
def test_answers_to_prefer_are_dealt_evenly(samples: int, answers: int, seed: int) -> None:
    texts = [f"I don't know {n}." for n in range(answers)]
    dealt = preferred(SAMPLES[:samples], texts, seed)
    times = Counter(sample.answer for sample in dealt)
    assert set(times) <= set(texts)
    assert max(times.values()) - min(times[text] for text in texts) <= 1
    assert [replace(one, answer=SAMPLES[0].answer) for one in dealt] == SAMPLES[:samples]
    assert dealt == preferred(SAMPLES[:samples], texts, seed)


def test_another_seed_deals_otherwise() -> None:
    assert len({tuple(s.answer for s in preferred(SAMPLES, ("a", "b", "c"), seed)) for seed in range(5)}) == 5


@pytest.mark.parametrize(
    ("forget", "retain", "settings", "steps"),
    [
        (0, 23, {"batch_size": 5}, 5),
        (0, 20, {"batch_size": 5}, 4),
        (0, 23, {"batch_size": 5, "epochs": 2.0}, 10),
        (10, 23, {"batch_size": 5}, 2),
        (10, 23, {"batch_size": 4, "epochs": 0.5}, 2),
        (10, 23, {"batch_size": 20, "epochs": 0.1}, 1),
        (10, 23, {"steps": 77}, 77),
    ],
)
def test_an_epoch_is_a_pass_over_the_forget_set_where_there_is_one(
    tiny, forget: int, retain: int, settings: dict, steps: int
) -> None:
    data = AlignData(retain=SAMPLES[:retain], forget=SAMPLES[:forget], images=tiny.images)
    assert step_count(data, AlignConfig(**settings)) == steps


@pytest.mark.parametrize(
    ("name", "settings", "forget", "retain", "message"),
    [
        ("npo", {}, 0, 3, r"forget: the set is empty; method 'npo' needs harmful responses to forget"),
        ("npo", {}, 3, 0, r"retain: the set is empty; add at least one sample"),
        ("sft", {}, 3, 3, r"forget: method 'sft' uses no forget set; pass all data as retain set"),
        ("ga", {}, 3, 3, r"retain: method 'ga' with gamma 0 uses no retain set; leave it out, or set method\.gamma=1"),
        ("rmu", {"layer": 5}, 3, 3, r"method\.layer: 5 is out of range; this model has decoder layers 1 to 4"),
        ("npo", {"layer": 5, "retain_term": "representation"}, 3, 3, r"method\.layer: 5 is out of range"),
    ],
)
def test_data_that_do_not_fit_are_refused(tiny, name, settings, forget: int, retain: int, message: str) -> None:
    data = AlignData(retain=SAMPLES[:retain], forget=SAMPLES[:forget], images=tiny.images)
    config = AlignConfig(method=method_config(name, **settings))
    with pytest.raises(UserError, match=message):
        check_data(make_method(config.method), loaded(tiny).model, data, config)


@pytest.mark.parametrize("name", METHODS)
def test_the_layer_matters_only_to_those_that_look_inside(tiny, name: str) -> None:
    config = AlignConfig(method=method_config(name, layer=9))
    data = data_for(tiny, config.method, 3)
    if name in ("rmu", "adaptive-rmu"):
        with pytest.raises(UserError, match="out of range"):
            check_data(make_method(config.method), loaded(tiny).model, data, config)
    else:
        check_data(make_method(config.method), loaded(tiny).model, data, config)


@pytest.mark.parametrize("stream", ["forget", "retain"])
def test_an_empty_answer_is_named(tiny, stream: str) -> None:
    bad = [SAMPLES[0], replace(SAMPLES[1], answer=" \n"), replace(SAMPLES[2], answer="")]
    sets = {"forget": SAMPLES, "retain": SAMPLES} | {stream: bad}
    config = AlignConfig(method=method_config("npo"))
    with pytest.raises(UserError, match=r"sample 's1': the answer is empty \(2 such samples\)"):
        check_data(make_method(config.method), loaded(tiny).model, AlignData(images=tiny.images, **sets), config)


def test_dpo_sees_each_query_with_both_answers_side_by_side(tiny) -> None:
    config = AlignConfig(method=method_config("dpo"), batch_size=3, order="by-length")
    data = data_for(tiny, config.method, 7)
    method = make_method(config.method)
    streams = stream_samples(method, data, 0)
    assert list(streams) == ["forget", "prefer", "retain"]
    dataset = make_dataset(make_rows(streams, loaded(tiny).processor, data.images, config), 6, config)
    assert len(dataset) == 18
    for at in range(len(dataset)):
        item = dataset[at]
        ends = {name: item[name].example.prompt_length for name in ("forget", "prefer")}
        assert ends["forget"] == ends["prefer"]
        prompts = [item[name].example.input_ids[: ends[name]].tolist() for name in ends]
        assert prompts[0] == prompts[1]
        answers = [item[name].example.input_ids[ends[name] :].tolist() for name in ends]
        assert answers[0] != answers[1]


APART = {"retain_term": "npo", "compat": "official", "separate_retain": True}


def test_retain_batches_apart_are_two_orders_of_one_set(tiny) -> None:
    config = AlignConfig(method=method_config("npo", **APART), batch_size=5)
    data = data_for(tiny, config.method, 5)
    streams = stream_samples(make_method(config.method), data, 0)
    assert list(streams) == ["forget", "retain", "retain_term"]
    assert streams["retain"] == streams["retain_term"] == data.retain
    dataset = make_dataset(make_rows(streams, loaded(tiny).processor, data.images, config), 4, config)
    drawn = {
        name: [tuple(dataset[at][name].example.input_ids.tolist()) for at in range(20)]
        for name in ("retain", "retain_term")
    }
    for start in range(0, 20, 5):  # each goes through the whole set by itself
        first, second = (drawn[name][start : start + 5] for name in drawn)
        assert sorted(first) == sorted(second)
        assert first != second


@pytest.mark.parametrize("settings", [{"separate_retain": False}, {"alpha": 0}, {"ce": 0}, {"gamma": 0}])
def test_retain_batches_are_one_where_one_term_is_off(settings: dict) -> None:
    method = make_method(method_config("npo", **APART | settings))
    assert not method.separates
    assert method.wants("retain_term") == method.needs("retain_term") == frozenset()


def test_each_retain_batch_is_asked_for_its_own_term_alone() -> None:
    method = make_method(method_config("npo", **APART | {"retain_term": "representation"}))
    assert (method.wants("retain"), method.needs("retain")) == ({"log_probs"}, frozenset())
    assert method.wants("retain_term") == method.needs("retain_term") == {"hidden"}
    assert looks_inside(method)


def test_only_the_forget_loss_covers_other_tokens() -> None:
    config = AlignConfig(method=method_config("dpo", loss_tokens="all"))
    assert loss_tokens(config) == {"forget": "all", "prefer": "answer", "retain": "answer", "retain_term": "answer"}


@pytest.mark.parametrize("name", METHODS)
def test_whom_the_reference_is_asked_for(name: str) -> None:
    method = _method(name)
    streams = ["forget"] * method.forgets + ["retain"] * method.retains
    expected = name in ("adaptive-rmu", "dpo", "kl-min", "npo", "rmu")
    assert needs_reference(method, streams) is expected


def test_representations_of_padding_are_not_kept() -> None:
    def keeps(name: str, *, cache: bool = True, passes: str = "auto", rows: int = 4, **settings) -> bool:
        optimizations = Optimizations(cache_reference=cache, passes=passes)
        config = AlignConfig(method=method_config(name, **settings), optimizations=optimizations, batch_size=rows)
        return keeps_reference(make_method(config.method), config)

    assert keeps("rmu")
    assert keeps("npo", compat="official", retain_term="npo")
    assert not keeps("rmu", compat="official")
    assert not keeps("npo", compat="official", retain_term="representation")
    assert not keeps("rmu", cache=False)
    assert keeps("rmu", compat="official", passes="separate", rows=1)
    assert not keeps("rmu", compat="official", rows=1)
    assert not keeps("rmu", compat="official", passes="separate", rows=1, cache=False)


@pytest.mark.parametrize(
    ("name", "optimizations", "one_pass", "expected"),
    [
        ("npo", {}, False, (("forget", "retain"),)),
        ("npo", {"passes": "separate"}, False, (("forget",), ("retain",))),
        ("rmu", {}, False, (("forget",), ("retain",))),
        ("rmu", {"stop_early": False}, False, (("forget", "retain"),)),
        ("rmu", {"passes": "joint"}, False, (("forget", "retain"),)),
        ("rmu", {}, True, (("forget", "retain"),)),
        ("dpo", {"passes": "separate"}, False, (("forget", "prefer"), ("retain",))),
        ("sft", {}, False, (("retain",),)),
        ("ga", {}, False, (("forget",),)),
    ],
)
def test_which_streams_go_together(name: str, optimizations: dict, one_pass: bool, expected: tuple) -> None:
    config = AlignConfig(method=method_config(name), optimizations=optimizations)
    assert passes(make_method(config.method), config, one_pass=one_pass) == expected


def test_retain_batches_apart_go_through_the_model_as_the_plan_says() -> None:
    def plan(**optimizations: str) -> tuple:
        config = AlignConfig(method=method_config("npo", **APART), optimizations=optimizations)
        return passes(make_method(config.method), config, one_pass=False)

    assert plan() == (("forget", "retain", "retain_term"),)
    assert plan(passes="separate") == (("forget",), ("retain",), ("retain_term",))


def test_separate_passes_are_refused_where_there_can_be_only_one() -> None:
    config = AlignConfig(method=method_config("npo"), optimizations={"passes": "separate"})
    with pytest.raises(
        UserError, match=r"optimizations.passes: 'separate' does not work under DeepSpeed; valid: auto, joint"
    ):
        passes(make_method(config.method), config, one_pass=True)
