"""The whole search on a real model: both methods find the word that brute force finds, and report it honestly."""

import json

import numpy as np
import pytest

from unmirage.attack.search import SearchConfig, search
from unmirage.attack.search.config import opening_with
from unmirage.attack.search.measure import halves, known_words, token_texts, word_tokens
from unmirage.errors import UserError
from unmirage.models.scoring import refusal_probability
from unmirage.text.openers import opener

STARTS = ("I'm sorry", "I cannot", "Sorry")
WORDS = "what share describe can how identify explain device".split()


@pytest.fixture(scope="module")
def vlm(tiny):
    return tiny.load()


@pytest.fixture(scope="module")
def samples(tiny):
    return tiny.samples("test")[:9]


def brute_force(vlm, tiny, samples, words, config) -> dict[str, float]:
    """Return the mean refusal probability of every word on all samples of the finding half."""
    find = halves(samples, config.kind, config.seed).find
    return {
        word: float(
            refusal_probability(
                vlm, [opening_with(one, word, config.form, config.kind) for one in find], tiny.images, STARTS, 64
            ).mean()
        )
        for word in words
    }


@pytest.mark.parametrize("kind", ["jailbreak", "over-prudence"])
@pytest.mark.parametrize("method", ["black-box", "white-box"])
def test_it_finds_what_brute_force_finds(vlm, tiny, samples, method, kind):
    config = SearchConfig(method=method, kind=kind, top=3, candidates=100, steps=2, budget=5000, batch_size=64)
    found = search(vlm, samples, tiny.images, config, words=WORDS, starts=STARTS)
    tried = WORDS
    if method == "white-box":
        tried = list(word_tokens(vlm.processor, WORDS, halves(samples, kind, 0).find, config))
        assert len(tried) >= 5
    expected = brute_force(vlm, tiny, samples, tried, config)
    best = sorted(expected, key=lambda word: -config.sign * expected[word])[:3]
    assert [one.word for one in found.words] == best
    assert [one.found for one in found.words] == pytest.approx([expected[word] for word in best], rel=1e-3)
    assert found.budget_used <= config.budget
    assert found.words_tried == len(tried)


def test_the_report_is_on_samples_that_found_nothing(vlm, tiny, samples):
    config = SearchConfig(top=2, budget=300, batch_size=64, baselines=("what",))
    seen = []
    found = search(vlm, samples, tiny.images, config, words=WORDS, starts=STARTS, progress=lambda *s: seen.append(s))
    report = halves(samples, "jailbreak", 0).report
    first = found.words[0]
    asked = [opening_with(one, first.word, "replacement", "jailbreak") for one in report]
    expected = refusal_probability(vlm, asked, tiny.images, STARTS).mean()
    assert first.reported == pytest.approx(expected, rel=1e-3)
    assert found.reported_on == len(report)
    assert first.low < first.reported < first.high
    assert [one.name for one in found.baselines] == ["as it is", "no opener", "what"]
    assert found.baselines[2].rewritten is not None
    openers = {opener(sample.query) for sample in samples}
    assert all(one.in_data is (one.word in openers) for one in found.words)
    assert {stage for stage, _, _ in seen} == {"finding words", "reporting"}
    assert seen[-1][1] == seen[-1][2]
    assert ("finding words", found.budget_used, found.budget_used) in seen
    document = found.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["schema"] == "unmirage.search/1"
    assert {"model", "method", "kind", "form", "budget_used", "found_on", "reported_on"} <= set(document)
    assert {"word", "found", "reported", "low", "high", "in_data"} <= set(document["words"][0])


def test_the_same_seed_finds_the_same(vlm, tiny, samples):
    config = SearchConfig(top=2, budget=100, batch_size=64, form="insertion", baselines=())
    once, again = (search(vlm, samples, tiny.images, config, words=WORDS, starts=STARTS) for _ in range(2))
    assert once == again
    assert [one.name for one in once.baselines] == ["as it is"]


def test_words_come_from_the_vocabulary_and_the_data(vlm, samples):
    tokenizer = vlm.processor.tokenizer
    texts = token_texts(tokenizer)
    assert " recipe" in texts
    assert "é" not in "".join(known_words(tokenizer, samples, SearchConfig()))
    known = known_words(tokenizer, samples, SearchConfig(baselines=("zebra",)))
    assert {"recipe", "zebra", *(opener(sample.query) for sample in samples)} <= set(known)
    assert known == sorted(set(known))


def test_a_token_stands_for_each_word(vlm, samples):
    tokenizer = vlm.processor.tokenizer
    found = word_tokens(vlm.processor, ["what", "recipe", "supercalifragilistic"], samples, SearchConfig())
    assert list(found) == ["what", "recipe"]
    assert [tokenizer.decode([token]) for token in found.values()] == ["What", " recipe"]


def test_a_gradient_finds_better_words_than_chance(vlm, tiny, samples):
    """With few candidates of all words, the gradient's choice beats most words on the finding half."""
    config = SearchConfig(method="white-box", top=1, candidates=12, steps=3, budget=1000, batch_size=64, baselines=())
    find = halves(samples, "jailbreak", 0).find
    words = known_words(vlm.processor.tokenizer, samples, config)
    tokens = word_tokens(vlm.processor, words, find, config)
    found = search(vlm, samples, tiny.images, config, words=list(tokens), starts=STARTS)
    expected = brute_force(vlm, tiny, samples, tokens, config)
    better = np.mean([value < found.words[0].found - 1e-9 for value in expected.values()])
    assert better < 0.2


@pytest.mark.parametrize(
    ("settings", "words", "message"),
    [
        ({}, [], "the list of words is empty"),
        ({"method": "white-box"}, ["supercalifragilistic"], "no word is a single token"),
        ({"method": "white-box", "budget": 2}, ["what", "share"], "budget: 2 is too small for 2 candidates"),
    ],
)
def test_what_cannot_be_searched_is_named(vlm, tiny, samples, settings, words, message):
    with pytest.raises(UserError, match=message):
        search(vlm, samples, tiny.images, SearchConfig(**settings), words=words, starts=STARTS)
