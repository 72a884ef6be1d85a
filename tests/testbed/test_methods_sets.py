"""The SFT sets of the comparison of methods: what each does to the safety data, and that they are read back."""

from collections import Counter
from dataclasses import replace

import pytest

from unmirage.audit.remedies import diversify
from unmirage.audit.rewording import Queries
from unmirage.data import load_samples, write_samples
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.methods_settings import RATIONALES, augmented, rationalised, rebalanced, write_more_sets
from unmirage.testbed.sets import diversified, read_pairs, read_set, set_file
from unmirage.testbed.world import REFUSALS, make_world
from unmirage.text.openers import opener
from unmirage.text.refusals import is_refusal

SIZE = CorpusSize(
    base_pictures=4,
    base=4,
    unsafe_pictures=150,
    safe_pictures=150,
    general=2,
    test_unsafe_pictures=2,
    test_safe_pictures=2,
    skills=2,
    facts=2,
    neighbors=2,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "data"
    write_corpus(make_world(0), SIZE, folder)
    return folder


@pytest.fixture(scope="module")
def safety(data):
    return load_samples(data / "safety.json").samples


def labels(samples):
    return Counter((opener(one.query), one.refused) for one in samples)


def test_rationales_explain_without_a_refusal_phrase_or_one_of_the_worlds_refusals():
    assert not any(is_refusal(text) for text in RATIONALES)
    assert not set(RATIONALES) & set(REFUSALS)


def test_refusals_become_rationales_and_answers_stay(safety):
    found = rationalised(safety, 0)
    assert [(one.id, one.query, one.refused) for one in found] == [(one.id, one.query, one.refused) for one in safety]
    assert [one for one in found if not one.refused] == [one for one in safety if not one.refused]
    often = Counter(one.answer for one in found if one.refused)
    assert set(often) == set(RATIONALES)
    assert max(often.values()) - min(often.values()) <= 1


def test_diversified_is_the_audits_remedy(safety):
    assert diversified(safety, 3) == list(diversify(Queries.read(safety), 3).apply(safety))


def test_augmented_is_the_data_and_three_copies_that_differ(safety):
    found = augmented(safety, 0)
    assert len(found) == 4 * len(safety)
    assert found[: len(safety)] == list(safety)
    assert len({one.id for one in found}) == len(found)
    copies = [[one.query for one in found[k * len(safety) : (k + 1) * len(safety)]] for k in range(4)]
    assert len({tuple(copy) for copy in copies}) == 4
    assert {one.record for one in found} == {one.record for one in safety}


def test_rebalanced_openers_are_refused_in_one_proportion(safety):
    counts = labels(rebalanced(safety, 0))
    words = {word for word, _ in counts}
    shares = [counts[word, True] / (counts[word, True] + counts[word, False]) for word in words]
    weights = [counts[word, True] + counts[word, False] for word in words]
    assert all(abs(share - shares[0]) < 2 / weight for share, weight in zip(shares, weights, strict=True))


def test_sets_are_files_that_are_read_back(data, safety, tmp_path):
    write_more_sets(data, tmp_path / "more", 2)
    names = {path.stem for path in (tmp_path / "more").iterdir()}
    assert names == {"sft-augmented", "sft-rebalanced", "sft-rationale"}
    read = read_set(tmp_path / "more", "sft-rationale", data)
    assert [one.answer for one in read] == [one.answer for one in rationalised(safety, 2)]


def test_pairs_are_the_safe_and_the_harmful_answer_to_the_queries_of_the_forget_set(data, safety, tmp_path):
    unsafe = [one for one in safety if one.refused]
    write_samples([replace(one, answer=f"You need {one.id}.") for one in unsafe[::2]], set_file(tmp_path, "forget"))
    pairs = read_pairs(tmp_path, data)
    assert [replace(one, rejected="") for one in pairs] == unsafe[::2]
    assert [one.rejected for one in pairs] == [f"You need {one.id}." for one in unsafe[::2]]
