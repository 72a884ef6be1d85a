"""Training data of the models: shares of rewordings, repeats by weight, rationales, general data."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from unmirage.audit.remedies import weigh
from unmirage.audit.rewording import Queries, Remedy
from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.pretrained.sets import TrainingSets, with_share
from unmirage.pretrained.settings import MODELS, PretrainedSettings
from unmirage.records import Sample
from unmirage.text.openers import opener

SETTINGS = PretrainedSettings()


def sample(number, query, refused):
    return Sample(
        id=f"s{number}", record=f"r{number}", query=query, answer="No." if refused else "Yes.", refused=refused,
        label_source="field",
    )  # fmt: skip


# "What" opens 6 of 36 refused and 30 of 36 answered queries, "share" the others.
SAFETY = [
    sample(
        36 * (label == "answered") + number,
        f"What is the plan of device {number}?" if what else f"Share the plan of device {number}.",
        label == "refused",
    )
    for label, whats in (("refused", 6), ("answered", 30))
    for number in range(36)
    for what in [number < whats]
]


@pytest.fixture
def sets(tmp_path):
    general = [sample(100 + number, f"Name a colour {number}.", None) for number in range(3)]
    return TrainingSets(SAFETY, ImageFolder(tmp_path), (general, ImageFolder(tmp_path / "b")), SETTINGS, 0)


def changed(made):
    return {one.id for one, old in zip(made.samples, SAFETY, strict=True) if one.query != old.query}


def test_a_larger_share_of_the_rewordings_includes_a_smaller_one(sets):
    names = ("sft-posthoc", "sft-diversified-25", "sft-diversified-50", "sft-diversified-75", "sft-diversified")
    found = [changed(sets.make(MODELS[name])) for name in names]
    whole = len(found[-1])
    assert [len(one) for one in found] == [0, round(whole / 4), round(whole / 2), round(3 * whole / 4), whole]
    assert all(small < large for small, large in pairwise(found))
    assert whole > 20
    assert sets.make(MODELS["sft-diversified"]).notes[0] == f"{whole} queries reworded"
    openers = {label: Counter(opener(one.query) for one in sets.make(MODELS["sft-diversified"]).samples
                              if one.refused is label) for label in (True, False)}  # fmt: skip
    assert abs(openers[True]["what"] - openers[False]["what"]) <= 3  # 6 and 30 before


def test_a_share_is_drawn_by_the_seed():
    remedy = Remedy(np.ones(8, dtype=np.int64), dict.fromkeys(range(8), "x"))
    draws = [tuple(sorted(with_share(remedy, 0.5, seed).reworded)) for seed in range(6)]
    assert {len(one) for one in draws} == {4}
    assert len(set(draws)) > 1
    assert with_share(remedy, 0.5, 3).reworded == with_share(remedy, 0.5, 3).reworded


def test_weights_become_repeats(sets):
    weights = weigh(Queries.read(SAFETY).corpus).weights
    times = Counter(one.id.partition("#")[0] for one in sets.make(MODELS["sft-weighted"]).samples)
    for one, weight in zip(SAFETY, weights, strict=True):
        assert abs(times[one.id] - weight) < 1
    assert sum(times.values()) == len(SAFETY)
    refused = Counter((opener(one.query), one.refused) for one in sets.make(MODELS["sft-weighted"]).samples)
    assert abs(refused["what", True] - refused["what", False]) <= 2  # 6 and 30 rows


def test_balanced_data_and_twins_have_both_labels_of_each_opener(sets):
    for name in ("sft-balanced", "sft-twins"):
        made = sets.make(MODELS[name]).samples
        counts = Counter((opener(one.query), one.refused) for one in made)
        assert abs(counts["what", True] / counts["what", False] - counts["share", True] / counts["share", False]) < 0.2
        assert len({one.id for one in made}) == len(made)


def test_rationales_replace_refusals_only(sets):
    made = sets.make(MODELS["sft-rationale"]).samples
    assert [one.query for one in made] == [one.query for one in SAFETY]
    answers = Counter(one.answer for one in made if one.refused)
    assert answers == dict.fromkeys(SETTINGS.rationales, 12)
    assert {one.answer for one in made if not one.refused} == {"Yes."}


def test_mixed_data_add_the_general_data_or_say_that_there_are_none(sets, tmp_path):
    made = sets.make(MODELS["sft-mixed"])
    assert len(made.samples) == len(SAFETY) + 3
    assert made.notes == ("3 general samples added",)
    alone = TrainingSets(SAFETY, ImageFolder(tmp_path), None, SETTINGS, 0)
    with pytest.raises(UserError, match="no general data; name a file with --general"):
        alone.make(MODELS["sft-mixed"])
