import numpy as np
import pytest
from PIL import Image

from unmirage.audit.corpus import Reader
from unmirage.audit.pictures import COLUMNS, Status, count_pictures, encode, measure
from unmirage.data import ImageFolder


@pytest.fixture
def folder(tmp_path):
    """Return a folder, and a function that draws a picture of an array of pixels into it."""

    def draw(name, pixels, **settings):
        Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(tmp_path / name, **settings)

    return ImageFolder(tmp_path), draw


def flat(colour, width=20, height=10):
    return np.full((height, width, 3), colour)


def figures(measured, place=0):
    return dict(zip(COLUMNS, measured.values[place].tolist(), strict=True))


def test_a_flat_picture_by_hand(folder):
    images, draw = folder
    draw("a.png", flat((200, 100, 50)))
    measured = measure(["a.png"], images, 0)
    assert measured.status.tolist() == [Status.READ]
    found = figures(measured)
    assert (found["width"], found["height"]) == (20, 10)
    assert found["brightness"] == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert found["saturation"] == pytest.approx((200 - 50) / 200)
    assert found["contrast"] == pytest.approx(0, abs=1e-9)
    assert found["sharpness"] == pytest.approx(0, abs=1e-9)
    for place in ("mean", "border"):
        assert [found[f"{place} {channel}"] for channel in ("red", "green", "blue")] == pytest.approx([200, 100, 50])
    assert (measured.formats, measured.exif.tolist()) == (["PNG"], [False])


def test_one_bright_pixel_by_hand(folder):
    images, draw = folder
    pixels = flat((0, 0, 0), width=4, height=3)
    pixels[1, 1] = 60
    draw("a.png", pixels)
    found = figures(measure(["a.png"], images, 0))
    assert found["brightness"] == pytest.approx(60 / 12)
    assert found["contrast"] == pytest.approx(np.sqrt(60**2 / 12 - 5**2))
    # The Laplacian is -4 * 60 at the pixel and 60 beside it: their standard deviation is 150.
    assert found["sharpness"] == pytest.approx(150)
    assert found["saturation"] == 0


def test_the_border_is_what_the_outermost_pixels_mostly_are(folder):
    images, draw = folder
    pixels = flat((0, 0, 250), width=9, height=9)
    pixels[[0, -1]] = pixels[:, [0, -1]] = (120, 30, 30)
    pixels[0, 3:6] = (255, 255, 255)  # something that touches the edge
    draw("a.png", pixels)
    found = figures(measure(["a.png"], images, 0))
    assert [found[f"border {channel}"] for channel in ("red", "green", "blue")] == [120, 30, 30]
    assert found["mean blue"] > 100


def test_a_picture_of_one_pixel_is_measured(folder):
    images, draw = folder
    draw("a.png", [[[0, 0, 0]]])
    assert figures(measure(["a.png"], images, 0)) == dict.fromkeys(COLUMNS, 0) | {"width": 1, "height": 1}


def test_large_pictures_keep_their_own_size_though_a_reduced_copy_is_measured(folder):
    images, draw = folder
    draw("a.jpg", flat((90, 90, 90), width=900, height=600))
    found = figures(measure(["a.jpg"], images, 0))
    assert (found["width"], found["height"]) == (900, 600)
    assert found["brightness"] == pytest.approx(90, abs=1)


def test_format_and_exif_are_told_by_content(folder):
    images, draw = folder
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    draw("a.png", flat((9, 9, 9)), format="JPEG", exif=exif)
    draw("b.jpg", flat((9, 9, 9)), format="JPEG")
    draw("c.webp", flat((9, 9, 9)))
    measured = measure(["a.png", "b.jpg", "c.webp"], images, 0)
    assert measured.formats == ["JPEG", "JPEG", "WEBP"]
    assert measured.exif.tolist() == [True, False, False]


@pytest.fixture
def mixed(folder, make_dataset):
    """Return queries about pictures: two of the same content, one of its own, a missing and a broken one."""
    images, draw = folder
    draw("a.png", flat((1, 2, 3)))
    draw("b.png", flat((1, 2, 3)))
    draw("c.png", flat((9, 9, 9)))
    (images.root / "broken.png").write_text("no picture")
    names = ["a.png", "missing.png", "b.png", "c.png", "broken.png", "../outside.png", "a.png"]
    rows = [("see it", n != 2, name) for n, name in enumerate(names)] + [("see it", False)]
    corpus = Reader().read(make_dataset(*rows))
    return corpus, images, measure(corpus.pictures, images, 0)


def test_what_became_of_each_picture_is_counted(mixed):
    corpus, _, measured = mixed
    assert corpus.pictures == ["a.png", "missing.png", "b.png", "c.png", "broken.png", "../outside.png"]
    assert measured.status.tolist() == [
        Status.READ, Status.MISSING, Status.READ, Status.READ, Status.UNREADABLE, Status.MISSING,
    ]  # fmt: skip
    assert measured.same.tolist() == [0, 1, 0, 3, 4, 5]
    count = count_pictures(corpus, measured)
    assert (count.named, count.looked_at, count.read, count.missing, count.unreadable) == (6, 6, 3, 2, 1)
    assert count.repeated == 1
    assert count.both_labels == 1  # "a.png" is refused, its copy answered
    (problem,) = count.examples
    assert "'broken.png' is not a readable picture" in problem


def test_pictures_that_were_not_read_have_no_figures(mixed):
    _, _, measured = mixed
    assert not measured.values[~measured.read].any()
    assert [measured.formats[place] for place in np.flatnonzero(~measured.read)] == ["", "", ""]


def test_without_a_place_to_read_from_nothing_is_looked_at(mixed):
    corpus, _, _ = mixed
    measured = measure(corpus.pictures, None, 0)
    count = count_pictures(corpus, measured)
    assert (count.named, count.looked_at, count.read, count.missing) == (6, 0, 0, 0)
    assert count.both_labels == 0
    assert not measured.read.any()


def test_many_pictures_are_drawn_with_the_seed(folder, monkeypatch):
    images, draw = folder
    monkeypatch.setattr("unmirage.audit.pictures.MAX_PICTURES", 5)
    names = [f"{n}.png" for n in range(12)]
    for n, name in enumerate(names):
        draw(name, flat((n, n, n), width=3, height=3))
    drawn = [measure(names, images, seed).status.tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sum(status == Status.READ for status in drawn[0]) == 5
    found = measure(names, images, 0)
    for place in np.flatnonzero(found.read).tolist():
        assert figures(found, place)["brightness"] == pytest.approx(place)


def test_progress_is_told_up_to_the_last_picture(folder):
    images, draw = folder
    draw("a.png", flat((1, 2, 3)))
    told = []
    measure(["a.png", "missing.png"], images, 0, lambda *step: told.append(step))
    assert told == [("pictures", 2, 2)]


def test_an_encoder_is_shown_only_what_could_be_read(mixed):
    corpus, images, measured = mixed
    shown = []

    def encoder(pictures, paths):
        assert pictures is images
        shown.extend(paths)
        return np.arange(2.0 * len(paths)).reshape(-1, 2)

    vectors = encode(measured, corpus.pictures, images, encoder).vectors
    assert shown == ["a.png", "b.png", "c.png"]
    assert vectors.tolist() == [[0, 1], [0, 0], [2, 3], [4, 5], [0, 0], [0, 0]]


def test_joined_pictures_keep_what_is_known_of_each(mixed):
    _, images, measured = mixed
    both = measured.joined(measure(["c.png", "c.png"], images, 0))
    assert both.same.tolist() == [0, 1, 0, 3, 4, 5, 6, 6]
    assert both.status.tolist() == [*measured.status.tolist(), Status.READ, Status.READ]
    assert len(both.formats) == len(both.exif) == len(both.values) == 8
    assert both.vectors is None
