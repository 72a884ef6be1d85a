"""What the audit is for: it finds what was planted, finds nothing in noise, and knows VLGuard."""

from dataclasses import replace

import numpy as np
import pytest

from unmirage.audit import AuditOptions, audit
from unmirage.audit.audit import _find, _read
from unmirage.audit.corpus import Reader
from unmirage.audit.features import fewest_queries
from unmirage.audit.remediation import with_remedies
from unmirage.data import open_samples, writer_for
from unmirage.testbed.corpus import Plants

SEEDS = 100


def found(read, labels=None):
    """Return what is found, under other labels if they are given."""
    corpus = read.corpus if labels is None else replace(read.corpus, refused=labels)
    return _find(replace(read, corpus=corpus), fewest_queries(len(corpus)))


def significant(read, labels=None):
    return [finding for finding in found(read, labels).findings if finding.q_value < 0.05]


def seeds_with_a_finding(read, draw):
    """Return how many of 100 seeds find something in labels that `draw` makes of a random generator."""
    return sum(bool(significant(read, draw(np.random.default_rng(seed)))) for seed in range(SEEDS))


def test_shuffled_labels_of_the_testbed_show_nothing(plain_testbed):
    assert len(plain_testbed.corpus) == 1200
    assert plain_testbed.measured.read.all()
    shuffled = seeds_with_a_finding(plain_testbed, lambda rng: rng.permutation(plain_testbed.corpus.refused))
    print(f"\ntestbed, shuffled by query: {shuffled} of {SEEDS} seeds with a finding")
    assert shuffled <= 5


def test_labels_that_pictures_have_by_chance_show_nothing(plain_testbed):
    corpus = plain_testbed.corpus
    of_pictures = np.arange(len(corpus.pictures)) % 3 > 0
    shuffled = seeds_with_a_finding(plain_testbed, lambda rng: rng.permutation(of_pictures)[corpus.picture])
    print(f"\ntestbed, shuffled by picture: {shuffled} of {SEEDS} seeds with a finding")
    assert shuffled <= 5


def test_shuffled_labels_of_vlguard_show_nothing(vlguard):
    read = _read(Reader(), vlguard, AuditOptions())
    shuffled = seeds_with_a_finding(read, lambda rng: rng.permutation(read.corpus.refused))
    print(f"\nVLGuard, shuffled: {shuffled} of {SEEDS} seeds with a finding")
    assert shuffled <= 5


def test_a_planted_last_word_ranks_first_of_all(testbed):
    first = found(testbed(Plants(last_word="now"))).findings[0]
    assert (first.feature, first.position, first.kind) == ("now", -1, "word")
    assert (first.refused, first.answered, first.direction) == (800, 0, "refusal")
    assert first.redundant_with is None
    assert first.headline


def test_a_planted_background_is_the_first_of_what_pictures_tell(testbed):
    pictures = [
        finding for finding in found(testbed(Plants(background=(120, 30, 30)))).findings if finding.kind == "image"
    ]
    first = pictures[0]
    assert first.feature in ("border color: red", "border color: dark red")
    assert (first.direction, first.answered) == ("refusal", 0)
    assert first.refused >= 380  # of 400; noise makes some of them brown or another red
    assert first.q_value < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_plants_neither_the_word_nor_the_pictures_are_found(testbed, plain_testbed, seed):
    tied = significant(testbed(seed=seed) if seed else plain_testbed)
    assert tied
    assert not [finding.feature for finding in tied if finding.kind == "image"]
    assert not [finding.feature for finding in tied if "now" in finding.feature.split()]


@pytest.fixture(scope="module")
def of_vlguard(vlguard):
    """Return the audit of VLGuard."""
    return audit(vlguard)


def test_vlguard_shows_the_papers_numbers(of_vlguard):
    assert (of_vlguard.n, of_vlguard.refused) == (2977, 2000)
    openers = {one.opener: (one.refused, one.answered) for one in of_vlguard.openers}
    assert {word: openers[word] for word in ("what", "can", "share", "describe", "please", "identify")} == {
        "what": (61, 869),
        "can": (862, 103),
        "share": (195, 0),
        "describe": (162, 0),
        "please": (124, 1),
        "identify": (107, 0),
    }
    ladder = of_vlguard.predictability
    assert ladder["majority"].test == pytest.approx(2000 / 2977)
    assert ladder["opener"].test >= 0.94
    assert ladder["words"].test >= 0.97
    assert ladder["words_without_opener"].test >= 0.96
    assert of_vlguard.probes.evaluation == "cross-validated"
    assert of_vlguard.shortcut_gap == pytest.approx(ladder["opener"].test - 2000 / 2977)


def test_vlguards_words_to_attack_with_are_the_papers(of_vlguard):
    assert list(of_vlguard.suggested.jailbreak) == ["what"]
    words = list(of_vlguard.suggested.over_prudence)
    assert words[0] == "share"
    assert {"share", "describe", "please", "identify", "can"} <= set(words)


def test_vlguards_labels_disagree_with_its_answers_sixteen_times(of_vlguard):
    quality = of_vlguard.label_quality
    assert (quality.both, quality.missed, quality.false_alarms) == (2977, 11, 5)
    assert len(quality.examples) == 16


def test_after_each_remedy_the_opener_tells_no_more_of_vlguard_than_the_majority(of_vlguard, vlguard, tmp_path):
    files = {"balanced": tmp_path / "balanced.json", "diversified": tmp_path / "diversified.json"}
    mended = with_remedies(
        of_vlguard, vlguard, files, lambda path: writer_for(path, "vlguard"), open_samples, AuditOptions()
    )
    for name, outcome in mended.remedies.items():
        print(f"\n{name}: n {outcome.n}, gap {outcome.shortcut_gap:+.4f}, unchanged {outcome.unchanged_wording}")
        assert abs(outcome.shortcut_gap) <= 0.02
        ladder = outcome.predictability
        assert abs(ladder["opener"].test - ladder["majority"].test) <= 0.02
        assert outcome.n == 2977 - outcome.dropped
    assert mended.remedies["balanced"].changed == mended.remedies["diversified"].dropped == 0
    assert mended.remedies["diversified"].refused == 2000
