"""Sampled answers: drawn from the softmax, each from its query and the seed alone, in whatever company it is asked."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import chisquare, kstest

from unmirage.align import AlignConfig, AlignData, align
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts
from unmirage.models.endpoint import Accounting, EndpointSettings, EndpointVLM
from unmirage.models.endpoint.completion import Completion
from unmirage.models.families import end_ids
from unmirage.models.greedy import generate, greedy
from unmirage.models.prompts import encode_groups
from unmirage.models.sampling import Sampling, draw_key, gumbel, splitmix64
from unmirage.records import Kind, Query

# The first outputs of the generator at seed 0, as its authors publish them.
PUBLISHED = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC)
ASKED = {"0.png": ("What is it?", "Describe the thing on the left."), "1.png": ("Share it.",)}


def reference(key, size):
    """Return the outputs of SplitMix64 in Python's own whole numbers."""
    mask, found = (1 << 64) - 1, []
    for _ in range(size):
        key = (key + 0x9E3779B97F4A7C15) & mask
        bits = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        found.append(bits ^ (bits >> 31))
    return found


def test_the_generator_is_the_published_one():
    keys = torch.tensor([0, -1, 2**63 - 1])
    found = [[value % 2**64 for value in row] for row in splitmix64(keys, 5).tolist()]
    assert tuple(found[0][:4]) == PUBLISHED
    assert found == [reference(key % 2**64, 5) for key in keys.tolist()]


def test_the_noise_is_gumbel_noise():
    noise = gumbel(torch.arange(40), 500)
    assert torch.isfinite(noise).all()
    assert kstest(noise.flatten().numpy(), "gumbel_r").pvalue > 0.01


def test_a_key_is_one_of_seed_query_and_step():
    told = [draw_key(seed, query, step) for seed in (0, 1) for query in ("a", "b", "\ud800") for step in (0, 1)]
    assert len(set(told)) == len(told)
    assert told[0] == draw_key(0, "a", 0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_from_the_softmax_at_the_temperature(temperature):
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -4.0])
    queries = 4000
    sampling = Sampling(temperature, 0, [f"q{number}" for number in range(queries)])
    drawn = sampling.noisy(logits.expand(queries, -1), range(queries), 0).argmax(dim=-1)
    expected = torch.softmax(logits.double() / temperature, dim=-1).numpy() * queries
    assert chisquare(np.bincount(drawn.numpy(), minlength=5), expected).pvalue > 0.01


def test_a_very_low_temperature_is_greedy(tiny):
    prompts = encode_groups(
        tiny.load().processor,
        [
            [
                Conversation.about(text, tiny.images.open(tiny.samples("test")[0].image))
                for text in ("What is it?", "Share it.")
            ]
        ],
    )
    model = tiny.load().model
    cold = greedy(model, prompts, 8, Sampling(1e-6, 0, ["a", "b"]))
    assert [row.tolist() for row in cold] == [row.tolist() for row in greedy(model, prompts, 8)]


@pytest.fixture(scope="module")
def taught(tiny) -> HuggingFaceVLM:
    """Return a model that has learnt to end its answers, so that rows of one batch finish at different times."""
    vlm = tiny.load()
    data = AlignData(retain=tiny.samples("base"), images=tiny.images)
    align(vlm, data, AlignConfig(learning_rate=4e-3, batch_size=8, steps=30, warmup=0.1))
    return vlm


def queries_of(tiny):
    texts = ("What is the recipe of this device?", "Share the place of this device.", "Name it.")
    return [
        Query(id=f"{s.id}|{n}", sample_id=s.id, kind=Kind.PLAIN, shot=n, text=text, image=s.image, unsafe=True)
        for s in tiny.samples("test")[:6]
        for n, text in enumerate(texts)
    ]


def answers(vlm, tiny, queries, **settings):
    config = GenerationConfig(max_new_tokens=10, **{"temperature": 1.0, "seed": 3} | settings)
    return {one.query_id: (one.text, one.tokens, one.finished) for one in vlm.answer(queries, tiny.images, config)}


def test_an_answer_depends_on_its_query_and_the_seed_alone(taught, tiny):
    queries = queries_of(tiny)
    all_at_once = answers(taught, tiny, queries, batch_size=64)
    assert len({tokens for _, tokens, _ in all_at_once.values()}) > 1
    assert answers(taught, tiny, queries, batch_size=1) == all_at_once
    assert answers(taught, tiny, queries[::-1], batch_size=5) == all_at_once
    assert answers(taught, tiny, queries, share_prefix=False, batch_size=7) == all_at_once
    few = answers(taught, tiny, queries[4:9], batch_size=64)
    assert few == {key: all_at_once[key] for key in few}
    assert answers(taught, tiny, queries, seed=4) != all_at_once
    assert answers(taught, tiny, queries, temperature=0) != all_at_once


def test_the_seed_says_nothing_to_greedy_answers(taught, tiny):
    queries = queries_of(tiny)[:6]
    assert answers(taught, tiny, queries, temperature=0, seed=1) == answers(
        taught, tiny, queries, temperature=0, seed=2
    )


def test_tokens_are_those_that_the_definition_gives_one_by_one(family, family_images):
    """Draw each token anew from the logits of the whole text so far, without a cache, a batch or a shared prefix."""
    from unmirage.models.families import attention_reach, why_not_shared

    if attention_reach(family.model) is not None:
        pytest.skip("windows that a prompt exceeds: rows are read apart")
    pictures = [family_images.open(name) for name in ASKED]
    shared = not why_not_shared(family.model)
    groups = [[Conversation.about(t, p) for t in own] for p, own in zip(pictures, ASKED.values(), strict=True)]
    prompts = encode_groups(family.processor, groups, share=shared)
    names = ["a", "b", "c"]
    sampling = Sampling(1.0, 7, names)
    found = (greedy if shared else generate)(family.model, prompts, 4, sampling)
    texts = [(text, picture) for picture, own in zip(pictures, ASKED.values(), strict=True) for text in own]
    for row, (text, picture) in enumerate(texts):
        batch = encode_prompts(family.processor, [Conversation.about(text, picture)])
        start = batch["input_ids"].shape[1]
        alone = Sampling(1.0, 7, [names[row]])
        drawn = generate_alone(family, batch, alone, start)
        assert found[row].tolist() == drawn


def generate_alone(family, batch, sampling, start):
    """Return the tokens that the library's loop gives where our noise is added to its logits."""
    from transformers import LogitsProcessorList

    def noisy(ids, scores):
        noise = gumbel(
            torch.tensor([draw_key(sampling.seed, sampling.query_ids[0], ids.shape[1] - start)]), scores.shape[1]
        )
        return scores.double() / sampling.temperature + noise

    ids = family.model.generate(
        **batch, do_sample=False, max_new_tokens=4, logits_processor=LogitsProcessorList([noisy])
    )
    new = ids[0, start:].tolist()
    ends = [place for place, token in enumerate(new) if token in end_ids(family.model)]
    return new[: ends[0] + 1] if ends else new


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"temperature": float("inf")}, {"seed": -1}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ValidationError):
        GenerationConfig(**wrong)


@pytest.mark.parametrize(("settings", "told"), [({}, (0, None)), ({"temperature": 0.7, "seed": 5}, (0.7, 5))])
def test_a_server_is_told_temperature_and_seed(tiny, settings, told):
    asked = []

    class Server:
        settings = EndpointSettings(concurrency=1)
        accounting = Accounting()

        def complete(self, messages, max_tokens, temperature=0, seed=None, stop=None):
            asked.append((max_tokens, temperature, seed))
            return Completion(text="Yes.", tokens=1, prompt_tokens=1)

    vlm = EndpointVLM("m", Server())
    found = list(vlm.answer(queries_of(tiny)[:2], tiny.images, GenerationConfig(max_new_tokens=9, **settings)))
    assert [one.text for one in found] == ["Yes."] * 2
    assert asked == [(9, *told)] * 2


def test_settings_of_greedy_answers_read_as_they_did_before_there_were_others():
    assert GenerationConfig().model_dump(mode="json") == {
        "max_new_tokens": 256, "batch_size": None, "share_prefix": True,
    }  # fmt: skip
    for config in (GenerationConfig(), GenerationConfig(temperature=0.7), GenerationConfig(seed=3)):
        assert GenerationConfig.model_validate(config.model_dump()) == config
    assert GenerationConfig(temperature=0.7).model_dump()["seed"] == 0
