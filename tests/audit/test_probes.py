from dataclasses import replace

import numpy as np
import pytest

from unmirage.audit.corpus import Reader
from unmirage.audit.pictures import measure
from unmirage.audit.probes import PROBES, Unseen, _accuracy, climb, gather, ladder
from unmirage.intervals import wilson

IMAGE_RUNGS = {"image", "words_and_image", "image_embedding"}


def evidence_of(data, test=None, seed=0, change=None):
    """Return the evidence of datasets whose pictures are not read; `change` may add to what is known of them."""
    reader = Reader()
    train = reader.read(data)
    measured = measure(train.pictures, None, seed)
    held_out = None if test is None else reader.read(test)
    if held_out is not None:
        measured = measured.joined(measure(held_out.pictures, None, seed))
    return gather(train, held_out, measured if change is None else change(measured), seed)


def scored(evidence):
    return ladder(evidence, climb(evidence))


def test_the_opener_tells_all_but_the_half_and_half_word(tied):
    result = scored(evidence_of(tied))
    assert set(result) == set(PROBES) - {"image_embedding"}
    assert result["majority"].test == 0.5
    assert result["opener"].train == pytest.approx(0.8, abs=0.02)
    assert 0.7 <= result["opener"].test <= 0.85
    told = [accuracy for name, accuracy in result.items() if name not in IMAGE_RUNGS]
    assert {(accuracy.baseline, accuracy.n) for accuracy in told} == {(0.5, 200)}


def test_words_that_are_no_opener_can_tell_as_well(make_dataset):
    rows = [(f"Maybe {'send' if n % 2 else 'see'} the boat {n}", n % 2 == 1) for n in range(60)]
    result = scored(evidence_of(make_dataset(*rows)))
    assert result["opener"].test == result["majority"].test == 0.5
    assert result["words_without_opener"].test == result["first_words"].test == 1


def test_shape_and_template_tell_what_no_word_does(make_dataset):
    rows = [(f"What is boat{n}{'?' if n % 2 else ''}", n % 2 == 1) for n in range(60)]
    result = scored(evidence_of(make_dataset(*rows)))
    assert result["shape"].test == 1
    assert result["words"].test <= 0.6
    rows = [(f"see boat{n} and kite{n}" if n % 2 else f"and boat{n} see kite{n}", n % 2 == 1) for n in range(60)]
    assert scored(evidence_of(make_dataset(*rows)))["template"].test == 1


def test_a_held_out_file_is_the_test_if_there_is_one(tied, make_dataset):
    unseen = make_dataset(("Share it", True), ("What is it", False), ("What", True), ("New word", False))
    evidence = evidence_of(tied, unseen)
    assert [(train.tolist(), test.tolist()) for train, test in evidence.splits] == [
        (list(range(200)), [200, 201, 202, 203])
    ]
    result = scored(evidence)
    assert (result["opener"].test, result["opener"].n) == (0.5, 4)
    assert result["majority"].test == result["opener"].baseline == 0.5
    assert result["opener"].train == 0.8


def test_one_picture_never_stands_on_both_sides(make_dataset):
    data = make_dataset(*((f"Word{n % 7} it {n}", n % 3 == 0, f"{n // 2}.png") for n in range(100)))
    evidence = evidence_of(data)
    pictures = np.arange(100) // 2
    assert len(evidence.splits) == 5
    assert all(not set(pictures[train]) & set(pictures[test]) for train, test in evidence.splits)
    assert sorted(np.concatenate([test for _, test in evidence.splits])) == list(range(100))


def test_pictures_of_the_same_content_are_one_picture(make_dataset):
    data = make_dataset(*((f"Word{n % 7} it {n}", n % 3 == 0, f"{n}.png") for n in range(60)))

    def pair(measured):
        measured.same[:] = np.arange(60) // 3 * 3
        return measured

    evidence = evidence_of(data, change=pair)
    content = np.arange(60) // 3
    assert all(not set(content[train]) & set(content[test]) for train, test in evidence.splits)


def test_a_picture_that_gives_the_answer_away_is_no_help_when_grouped(make_dataset):
    # One word a picture, so that the word is known only if the picture is.
    rows = [(f"w{n // 4} it {n}", n // 4 % 2 == 0, f"{n // 4}.png") for n in range(160)]
    result = scored(evidence_of(make_dataset(*rows)))
    assert result["opener"].train == 1
    assert result["opener"].test <= 0.55


def test_the_baseline_is_the_majority_guess_on_the_same_queries(make_dataset):
    rows = [(f"w{n} it", n % 10 < 7) for n in range(100)]
    result = scored(evidence_of(make_dataset(*rows)))
    assert result["opener"].test == result["opener"].baseline == result["majority"].test == pytest.approx(0.7)


def test_every_interval_holds_its_estimate(tied):
    result = scored(evidence_of(tied))
    for accuracy in result.values():
        if accuracy.test is not None:
            assert 0 <= accuracy.low <= accuracy.test <= accuracy.high <= 1
    assert (result["opener"].low, result["opener"].high) == pytest.approx(
        wilson(round(200 * result["opener"].test), 200)
    )


def test_an_accuracy_counts_scores_above_one_half_as_refused(tied):
    evidence = evidence_of(tied)
    unseen = Unseen(rows=np.array([0, 60, 61]), score=np.array([0.9, 0.4, 0.6]), seen=1.0, baseline=0.5)
    accuracy = _accuracy(evidence, unseen, of_picture=False)
    assert (accuracy.test, accuracy.n, accuracy.train, accuracy.baseline) == (pytest.approx(2 / 3), 3, 1.0, 0.5)


@pytest.mark.parametrize(
    "rows",
    [
        [("What", False), ("What", False), ("Share", True)],
        [("What", False)] * 9,
        [],
    ],
    ids=["one refused", "one label", "nothing"],
)
def test_too_few_queries_are_not_estimable(make_dataset, rows):
    for accuracy in scored(evidence_of(make_dataset(*rows))).values():
        assert (accuracy.train, accuracy.test, accuracy.baseline) == (None, None, None)
        assert (accuracy.low, accuracy.high, accuracy.n) == (None, None, 0)


def test_queries_without_words_leave_the_probes_the_majority(make_dataset):
    rows = [("?" * n + ",", n <= 10) for n in range(1, 31)]
    result = scored(evidence_of(make_dataset(*rows)))
    for name in ("opener", "first_words", "template", "words", "words_without_opener"):
        assert result[name].test == result["majority"].test == pytest.approx(2 / 3)


def test_large_data_are_drawn_with_the_seed(make_dataset, monkeypatch):
    monkeypatch.setattr("unmirage.audit.probes.MAX_QUERIES", 50)
    data = make_dataset(*((f"w{n} it", n % 2 == 0) for n in range(300)))
    drawn = [evidence_of(data, seed=seed).corpus.queries for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 50
    assert drawn[0] == sorted(drawn[0], key=lambda query: int(query.split()[0][1:]))
    both = evidence_of(data, data)
    assert len(both.corpus) == 100
    assert [len(part) for part in both.splits[0]] == [50, 50]


def test_pictures_that_were_not_read_tell_nothing(make_dataset):
    data = make_dataset(*((f"w{n % 5} it", n % 2 == 0, f"{n}.png") for n in range(40)))
    result = scored(evidence_of(data))
    assert "image_embedding" not in result
    for name in ("image", "words_and_image"):
        assert (result[name].test, result[name].n) == (None, 0)
    assert result["words"].test is not None


@pytest.fixture
def with_pictures(make_dataset):
    """Return evidence of 60 queries, 40 of them with a picture that was read: bright if it is refused."""

    def change(measured):
        measured.status[:] = 1
        measured.values[:] = 10.0
        measured.values[:, 2] = np.where(np.arange(40) % 2 == 0, 200.0, 50.0)
        return measured

    rows = [(f"see it {n}", n % 2 == 0, f"{n}.png") for n in range(40)]
    rows += [(f"see it {n}", n % 2 == 0) for n in range(40, 60)]
    return lambda vectors=None: evidence_of(
        make_dataset(*rows), change=lambda measured: replace(change(measured), vectors=vectors)
    )


def test_what_pictures_tell_is_judged_on_queries_that_have_one(with_pictures):
    result = scored(with_pictures())
    assert (result["image"].test, result["image"].n) == (1, 40)
    assert (result["words_and_image"].test, result["words_and_image"].n) == (1, 40)
    assert (result["words"].test, result["words"].n) == (0.5, 60)
    assert result["image"].baseline == pytest.approx(0.5, abs=0.1)  # folds of 60 queries, 40 of which count here


def test_an_encoder_adds_a_rung_that_learns_what_its_vectors_tell(with_pictures):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8))
    assert scored(with_pictures(vectors))["image_embedding"].test <= 0.75
    vectors[:, 3] += np.where(np.arange(40) % 2 == 0, 5, -5)
    accuracy = scored(with_pictures(vectors))["image_embedding"]
    assert accuracy.test > 0.9
    assert accuracy.n == 40


def test_the_same_seed_gives_the_same_accuracies_and_another_other_folds(make_dataset):
    rng = np.random.default_rng(0)
    data = make_dataset(*((f"w{rng.integers(20)} v{rng.integers(20)}", bool(rng.random() < 0.6)) for _ in range(150)))
    assert scored(evidence_of(data)) == scored(evidence_of(data))
    assert scored(evidence_of(data)) != scored(evidence_of(data, seed=1))


def test_progress_is_told_after_each_probe(tied):
    told = []
    climb(evidence_of(tied), lambda *step: told.append(step))
    assert told == [("probes", place, len(PROBES)) for place in range(1, len(PROBES) + 1)]
