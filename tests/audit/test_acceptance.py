"""What the audit is for: it finds what was planted, finds nothing in noise, and knows VLGuard."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmirage.audit import AuditOptions, audit
from unmirage.audit.audit import _counted, _find, _read
from unmirage.audit.corpus import Reader
from unmirage.audit.features import fewest_queries
from unmirage.audit.informedness import measure_openers
from unmirage.audit.remediation import with_remedies
from unmirage.data import load_samples, open_samples, writer_for
from unmirage.records import Sample
from unmirage.testbed.corpus import Plants

SEEDS = 100
VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"


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
    assert ladder["words"].test == pytest.approx(0.964, abs=0.005)  # 0.977 with copies on both sides of a fold
    assert ladder["words_without_opener"].test == pytest.approx(0.956, abs=0.005)
    assert of_vlguard.probes.evaluation == "cross-validated"
    assert of_vlguard.shortcut_gap == pytest.approx(ladder["opener"].test - 2000 / 2977)


def test_vlguards_opener_separates_the_labels(of_vlguard):
    found = of_vlguard.informedness
    assert found.value == pytest.approx(0.821, abs=0.01)
    assert 0.75 <= found.low < found.value < found.high <= 0.88
    assert of_vlguard.auc.value == pytest.approx(0.956, abs=0.01)
    assert found.verdict.said == "clear shortcut"
    parts = {one.opener: one.contribution for one in of_vlguard.openers}
    assert sum(parts.values()) == pytest.approx(found.value)
    assert list(parts)[:2] == ["can", "what"]
    assert sorted(parts, key=parts.get)[-3:] == ["share", "can", "what"]


def informedness_of(dataset, seed=0):
    read = _read(Reader(), dataset, AuditOptions())
    return measure_openers(_counted(read), None, seed).informedness


@pytest.mark.parametrize("count", [5_000, 20_000, 55_000])
def test_general_questions_do_not_hide_vlguards_shortcut(of_vlguard, vlguard, count):
    file = VLGUARD.parents[1] / "field" / "vqa" / "vizwiz_val_questions_vqa_format.json"
    if not file.exists():
        pytest.skip("VizWiz's questions are not here")
    questions = [one["question"] for one in json.loads(file.read_text())["questions"]]
    general = tuple(
        Sample(
            id=f"general-{n}",
            record=f"general-{n}",
            query=f"{questions[n % len(questions)].rstrip(' .?')}{f' in picture {n}' if n >= len(questions) else ''}?",
            refused=False,
            label_source="field",
        )
        for n in range(count)
    )
    found = informedness_of(replace(vlguard, samples=vlguard.samples + general))
    print(f"\n{count:,} general questions: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})")
    assert -0.02 <= found.value - of_vlguard.informedness.value <= 0.06
    assert found.verdict.said == "clear shortcut"


def test_the_interval_of_shuffled_labels_covers_0(vlguard):
    read, covered = _read(Reader(), vlguard, AuditOptions()), 0
    for seed in range(SEEDS):
        labels = np.random.default_rng(seed).permutation(read.corpus.refused)
        queries = _counted(replace(read, corpus=replace(read.corpus, refused=labels)))
        found = measure_openers(queries, None, seed).informedness
        covered += found.low <= 0 <= found.high
    print(f"\nVLGuard, shuffled: the interval of {covered} of {SEEDS} seeds covers 0")
    assert covered >= 98


def test_harmful_twins_that_open_alike_show_no_shortcut():
    file = VLGUARD.parents[1] / "field" / "mossbench" / "pairs_544.json"
    if not file.exists():
        pytest.skip("MOSSBench's pairs are not here")
    data = load_samples(file)
    for seed in range(10):
        found = informedness_of(data, seed)
        assert found.low <= 0 <= found.high
        assert found.verdict.said == "no shortcut found"


def test_vlguards_words_to_attack_with_are_the_papers(of_vlguard):
    assert list(of_vlguard.suggested.jailbreak) == ["what"]
    words = list(of_vlguard.suggested.over_prudence)
    assert words[0] == "share"
    assert {"share", "describe", "please", "identify", "can"} <= set(words)


def test_vlguards_labels_disagree_with_its_answers_ten_times(of_vlguard):
    quality = of_vlguard.label_quality
    assert (quality.both, quality.missed, quality.false_alarms) == (2977, 5, 5)
    assert len(quality.examples) == 10


def test_after_each_remedy_the_opener_tells_no_more_of_vlguard_than_the_majority(of_vlguard, vlguard, tmp_path):
    files = {"balanced": tmp_path / "balanced.json", "diversified": tmp_path / "diversified.json"}
    mended = with_remedies(
        of_vlguard, vlguard, files, lambda path: writer_for(path, "vlguard"), open_samples, AuditOptions()
    )
    for name, outcome in mended.remedies.items():
        print(f"\n{name}: n {outcome.n}, gap {outcome.shortcut_gap:+.4f}, unchanged {outcome.unchanged_wording}")
        assert abs(outcome.shortcut_gap) <= 0.02
        print(f"informedness {outcome.informedness}")
        assert outcome.informedness.verdict.said == "no shortcut found"
        ladder = outcome.predictability
        assert abs(ladder["opener"].test - ladder["majority"].test) <= 0.02
        assert outcome.n == 2977 - outcome.dropped
    assert mended.remedies["balanced"].changed == mended.remedies["diversified"].dropped == 0
    assert mended.remedies["diversified"].refused == 2000
