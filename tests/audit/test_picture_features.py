from dataclasses import replace

import numpy as np
import pytest

from unmirage.audit.picture_features import color_names, picture_features, trait_matrix
from unmirage.audit.pictures import COLUMNS, measure

COLOURS = {
    (0, 0, 0): "black",
    (30, 30, 30): "black",
    (96, 96, 96): "dark gray",
    (140, 140, 140): "gray",
    (200, 200, 200): "light gray",
    (255, 255, 255): "white",
    (250, 245, 240): "white",
    (255, 0, 0): "red",
    (255, 0, 20): "red",
    (120, 30, 30): "red",
    (80, 10, 10): "dark red",
    (255, 140, 0): "orange",
    (240, 216, 32): "yellow",
    (32, 168, 56): "green",
    (0, 80, 0): "dark green",
    (24, 180, 190): "cyan",
    (40, 72, 224): "blue",
    (0, 0, 100): "dark blue",
    (130, 30, 220): "purple",
    (236, 72, 196): "pink",
}


@pytest.mark.parametrize(("rgb", "name"), COLOURS.items())
def test_colours_are_called_what_a_person_would_call_them(rgb, name):
    assert color_names(np.array([rgb], dtype=float)).tolist() == [name]


def test_many_colours_at_once_are_those_one_by_one():
    assert color_names(np.array(list(COLOURS), dtype=float)).tolist() == list(COLOURS.values())
    assert len(color_names(np.zeros((0, 3)))) == 0


def read(corpus, **columns):
    """Return the corpus's pictures as if all had been read, with these figures, by column."""
    measured = measure(corpus.pictures, None, 0)
    for name, figures in columns.items():
        measured.values[:, COLUMNS.index(name)] = figures
    measured.status[:] = 1
    return replace(measured, formats=["PNG"] * len(corpus.pictures))


def counts(family):
    return dict(zip(family.names, family.members.totals.tolist(), strict=True))


def test_without_pictures_there_are_no_features(make_corpus):
    corpus = make_corpus(("a", True), ("b", False))
    assert list(picture_features(corpus, measure([], None, 0), 1)) == []


def test_folders_and_endings_are_told_without_reading_anything(make_corpus):
    names = ["ads/1.PNG", "ads/2.png", "faces/old/3.jpg", "4", "ads/1.PNG"]
    corpus = make_corpus(*(("a", True, name) for name in names), ("a", False))
    (family,) = picture_features(corpus, measure(corpus.pictures, None, 0), 1)
    assert counts(family) == {
        "folder: ads": 3,
        "folder: faces/old": 1,
        "folder: .": 1,
        "file name: .png": 3,
        "file name: .jpg": 1,
        "file name: no ending": 1,
    }
    assert (family.kind, family.position) == ("image", "image")
    assert family.told.tolist() == [True] * 5 + [False]
    assert family.texts[family.names.index("folder: ads")] == "come with a picture from the folder “ads”"


def test_only_queries_whose_picture_was_read_are_told_what_it_looks_like(make_corpus):
    corpus = make_corpus(*(("a", True, f"{n}.png") for n in range(3)), ("a", True, "0.png"), ("a", False))
    measured = read(corpus, width=[40, 30, 20], height=[20, 30, 40])
    measured.status[2] = 2
    _, family = picture_features(corpus, measured, 1)
    assert family.told.tolist() == [True, True, False, True, False]
    found = counts(family)
    assert found["orientation: landscape"] == 2
    assert found["orientation: square"] == 1
    assert "orientation: portrait" not in found
    assert found["size: 40×20"] == 2
    assert found["format: PNG"] == 3
    assert "size: 0×0" not in found


@pytest.mark.parametrize("column", ["brightness", "contrast", "saturation", "sharpness"])
def test_figures_fall_into_quarters(make_corpus, column):
    corpus = make_corpus(*(("a", True, f"{n}.png") for n in range(40)))
    _, family = picture_features(corpus, read(corpus, **{column: np.arange(40.0)}), 1)
    assert [count for name, count in counts(family).items() if name.startswith(f"{column}: ")] == [10] * 4


def test_figures_that_pictures_share_make_fewer_levels(make_corpus):
    corpus = make_corpus(*(("a", True, f"{n}.png") for n in range(40)))
    _, family = picture_features(corpus, read(corpus, brightness=np.repeat([10.0, 200.0], [30, 10])), 1)
    found = [count for name, count in counts(family).items() if name.startswith("brightness: ")]
    assert sorted(found) == [10, 30]


def test_colours_of_the_whole_and_of_the_border_are_told_apart(make_corpus):
    corpus = make_corpus(*(("a", True, f"{n}.png") for n in range(4)))
    red, blue = [200.0, 200, 0, 0], [0.0, 0, 200, 200]
    measured = read(corpus, **{"mean red": red, "mean blue": blue, "border red": blue, "border blue": red})
    _, family = picture_features(corpus, measured, 1)
    members = {name: family.members.of(place).tolist() for place, name in enumerate(family.names)}
    assert members["mean color: red"] == members["border color: blue"] == [0, 1]
    assert members["mean color: blue"] == members["border color: red"] == [2, 3]


def test_rare_traits_are_left_out(make_corpus):
    corpus = make_corpus(("a", True, "x/1.png"), *(("a", True, f"y/{n}.png") for n in range(3)))
    (family,) = picture_features(corpus, measure(corpus.pictures, None, 0), 3)
    assert counts(family) == {"folder: y": 3, "file name: .png": 4}


def test_a_probe_sees_the_same_traits_by_picture(make_corpus):
    corpus = make_corpus(*(("a", True, f"{n}.png") for n in range(8)))
    measured = read(corpus, brightness=np.arange(8.0), width=5, height=4)
    matrix = trait_matrix(measured)
    _, family = picture_features(corpus, measured, 1)
    assert sorted(matrix.sum(axis=0)[matrix.any(axis=0)]) == sorted(family.members.totals)
    measured.status[3] = 2
    assert not trait_matrix(measured)[3].any()
