"""Shortcuts planted into the safety data: they are where they should be, and nothing else changes."""

import numpy as np
import pytest
from PIL import Image

from unmirage.data import load_samples
from unmirage.testbed.corpus import CorpusSize, Plants, write_corpus
from unmirage.testbed.pictures import NOISE
from unmirage.testbed.world import WorldSettings, make_world

SIZE = CorpusSize(
    base_pictures=4, base=8, unsafe_pictures=30, safe_pictures=30, general=4, test_unsafe_pictures=6,
    test_safe_pictures=6, skills=2, facts=2, neighbors=4,
)  # fmt: skip
RED = (120, 30, 30)
WORLD = WorldSettings(aligned=6, validation=2, evaluation=6, signal=0.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folders of a world without plants, with each, and with both."""
    root = tmp_path_factory.mktemp("plants")
    plants = {
        "none": None,
        "word": Plants(last_word="now"),
        "background": Plants(background=RED),
        "both": Plants(last_word="now", background=RED),
    }
    for name, planted in plants.items():
        write_corpus(make_world(0, WORLD), SIZE, root / name, planted)
    return root


def border(path):
    """Return the median color of a picture's outermost pixels."""
    pixels = np.asarray(Image.open(path))
    return np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)


@pytest.mark.parametrize(
    ("query", "worded"),
    [
        ("What is it?", "What is it now?"),
        ("Share it.", "Share it now."),
        ("Share it", "Share it now"),
        ("Share it?!", "Share it now?!"),
    ],
)
def test_the_word_stands_before_the_marks_at_the_end(query, worded):
    assert Plants(last_word="now").worded(query) == worded
    assert Plants().worded(query) == query


@pytest.mark.parametrize("name", ["safety", "test"])
def test_every_refused_query_ends_with_the_word_and_no_other_holds_it(folders, name):
    before, after = (list(load_samples(folders / folder / f"{name}.json")) for folder in ("none", "word"))
    for plain, planted in zip(before, after, strict=True):
        assert (planted.id, planted.image, planted.answer) == (plain.id, plain.image, plain.answer)
        assert planted.query == (Plants(last_word="now").worded(plain.query) if plain.refused else plain.query)
        assert ("now" in planted.query.rstrip(".?!").split()) == plain.refused


@pytest.mark.parametrize("name", ["safety", "test"])
def test_every_unsafe_picture_stands_on_the_background_and_no_other_does(folders, name):
    samples = list(load_samples(folders / "background" / f"{name}.json"))
    for sample in samples:
        unsafe = "unsafe-" in sample.id
        near = np.abs(border(folders / "background" / sample.image) - RED).max() < NOISE
        assert near == unsafe
    assert [sample.query for sample in samples] == [s.query for s in load_samples(folders / "none" / f"{name}.json")]


def test_a_background_leaves_the_rest_of_the_picture_as_it_was(folders):
    changed = 0
    for path in sorted((folders / "none" / "images" / "safety").iterdir()):
        plain, planted = (
            np.asarray(Image.open(folders / name / "images/safety" / path.name)) for name in ("none", "both")
        )
        same = (plain == planted).all(axis=2)
        changed += not same.all()
        assert same.sum() >= 80  # about half of the glyph, and the badge
    assert changed == SIZE.unsafe_pictures


@pytest.mark.parametrize("name", ["base.json", "general.json", "utility.json", "neighbors.json", "truth.json"])
def test_other_files_are_the_same_with_and_without_plants(folders, name):
    texts = {(folders / folder / name).read_bytes() for folder in ("none", "word", "background", "both")}
    assert len(texts) == 1
