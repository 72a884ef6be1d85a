"""Pictures inside a text keep their places when the text is reworded, or the rewrite is not used."""

import pytest

from unmirage.data.places import frame, placed_in, reworded
from unmirage.records import Placed, Sample

LABELS = "Image-1: \nImage-2: \nWhat differs?"


def at(*places):
    return tuple(Placed(f"{number}.png", place) for number, place in enumerate(places))


def places(found):
    return None if found is None else [one.at for one in found]


@pytest.mark.parametrize(
    ("text", "images", "body"),
    [
        ("What is it?", (), "What is it?"),
        ("What is it?", (0,), "What is it?"),
        ("What is it?", (11,), "What is it?"),
        (LABELS, (9, 19), "What differs?"),
        ("Image-1:\nImage-2:\nWhat differs?", (8, 17), "What differs?"),
        ("What differs?\n(a) \n(b) ", (18, 23), "What differs?"),
        ("\n\nWhat differs?", (0, 1), "What differs?"),
        (" Image 1\n Image 2\nWhat differs?", (0, 9), "What differs?"),
        (", What differs?", (0, 1), ", What differs?"),  # the comma is a piece of its own, so two pieces have text
        ("What differs? ", (13,), "What differs?"),
        ("What differs?\nImage: ", (21,), "What differs?"),
        ("Name it: ", (9,), "Name it: "),  # all label: nothing else is left to reword
        ("Compare  with  and explain.", (8, 14), "Compare  with  and explain."),
        ("What is in ?", (11,), "What is in ?"),  # the sentence goes on behind the picture
        ("First look. Then say what you see.", (12,), "First look. Then say what you see."),  # two pieces of text
    ],
)
def test_the_part_to_reword(text, images, body):
    parts = frame(text, at(*images))
    assert parts.body == body
    assert parts.around(parts.body) == text


@pytest.mark.parametrize(
    ("old", "images", "new", "expected"),
    [
        ("What is it?", (0, 11), "Share it.", [0, 9]),
        (LABELS, (9, 19), "Image-1: \nImage-2: \nShare what differs.", [9, 19]),
        ("Compare  with  and explain.", (8, 14), "What if you compare  with  and explain.", [20, 26]),
        ("Compare  with  and explain.", (8, 14), "Compare  with  and explain, now.", [8, 14]),
        ("Compare  with  and explain.", (8, 14), "What differs?", None),
        ("Compare  with  and explain.", (8, 14), "Compare  and that and explain.", [8, 17]),
        ("Look at this", (5,), "At this", [0]),  # the first letter changes
        ("Look  here", (5,), "Look", [4]),
        ("Look  here", (5,), "Looking up", None),  # part of a word is no match
        ("Say here", (4,), "There", None),
    ],
)
def test_the_places_in_a_rewrite(old, images, new, expected):
    assert places(placed_in(new, old, at(*images))) == expected


def test_a_sample_whose_rewrite_loses_a_picture_stays_as_it_is():
    def sample(query, images):
        return Sample(id="a", record="a", query=query, refused=None, label_source="none", image="0.png", images=images)

    kept = reworded(sample(LABELS, at(9, 19)), lambda text: f"Share: {text.lower()}")
    assert (kept.query, places(kept.images)) == ("Image-1: \nImage-2: \nShare: what differs?", [9, 19])
    lost = sample("Compare  with  and explain.", at(8, 14))
    assert reworded(lost, lambda _: "What differs?") is lost
