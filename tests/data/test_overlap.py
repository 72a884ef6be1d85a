"""Overlap of sample lists that are small enough to count by hand."""

import json
from dataclasses import replace
from hashlib import blake2b

import pytest

from unmirage.data import ImageFolder
from unmirage.data.overlap import (
    Count,
    Shared,
    Way,
    count_shared,
    fingerprints_of,
    normalized,
    overlaps,
)
from unmirage.records import Placed, Sample, Turn


def sample(query, image=None, answer="", group=None):
    return Sample(
        id=query,
        record=query,
        query=query,
        answer=answer,
        image=image,
        refused=False,
        label_source="field",
        group=group,
    )


@pytest.fixture
def pictures(tmp_path):
    for name, content in {"a.png": b"A", "copy-of-a.png": b"A", "b.png": b"B"}.items():
        (tmp_path / name).write_bytes(content)
    return ImageFolder(tmp_path)


@pytest.fixture
def first(pictures):
    rows = [
        sample("What is it?", "a.png", "An axe.", "axes"),
        sample("What is it?", "b.png", "A bell.", "bells"),
        sample("Who made it?", "b.png", "Bo.", "bells"),
        sample("Share it.", None, "I cannot."),
        sample("Name it.", "gone.png"),
    ]
    return fingerprints_of(rows, pictures)


@pytest.fixture
def second(pictures):
    rows = [
        sample("what  is it", "copy-of-a.png", "It is an axe.", "axes"),
        sample("Share it!", None, "I CANNOT"),
        sample("Tell me.", "b.png", "Bo."),
        sample("Call it.", "gone.png", group="axes"),
    ]
    return fingerprints_of(rows, pictures)


def overlap(first, second):
    """Return the overlap of two lists, and its counts of each list by criterion."""
    (pair,) = overlaps({"first": first, "second": second})
    both = {way: getattr(pair, way) for way in Way}
    return pair, {way: one.first for way, one in both.items()}, {way: one.second for way, one in both.items()}


def test_each_way_is_counted_in_both_directions(first, second):
    pair, of_first, of_second = overlap(first, second)
    assert of_first == {
        Way.PICTURE: Count(4, 4),  # a, b twice, and gone, by its path
        Way.QUERY: Count(3, 5),
        Way.PICTURE_AND_QUERY: Count(2, 5),  # the axe, and the query without a picture
        Way.QUERY_AND_ANSWER: Count(1, 4),
        Way.GROUP: Count(1, 3),
    }
    assert of_second == {
        Way.PICTURE: Count(3, 3),
        Way.QUERY: Count(2, 4),
        Way.PICTURE_AND_QUERY: Count(2, 4),
        Way.QUERY_AND_ANSWER: Count(1, 3),
        Way.GROUP: Count(2, 2),
    }
    assert (pair.first, pair.second, list(pair.shared)) == ("first", "second", list(Way))
    assert pair.picture_and_query == Shared(Count(2, 5), Count(2, 4))
    assert (first.unread, second.unread, len(first), len(second)) == (1, 1, 5, 4)


def test_lists_with_nothing_in_common(first, pictures):
    pair, _, of_second = overlap(first, fingerprints_of([sample("Else?", answer="An axe.")], pictures))
    assert not pair.shared
    assert of_second[Way.QUERY_AND_ANSWER] == Count(0, 1)
    assert of_second[Way.PICTURE] == Count(0, 0)


def test_a_picture_is_read_once_and_counted_once(tmp_path, pictures, monkeypatch):
    read = []
    content = ImageFolder.content
    monkeypatch.setattr(ImageFolder, "content", lambda self, name: read.append(name) or content(self, name))
    rows = [sample(str(n), name) for n in range(3) for name in ("a.png", "gone.png")]
    assert fingerprints_of(rows, pictures).unread == 1
    assert sorted(read) == ["a.png", "gone.png"]


def test_a_file_never_equals_a_path(tmp_path, pictures):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "gone.png").write_bytes(b"gone.png")
    there = fingerprints_of([sample("?", "gone.png")], ImageFolder(tmp_path / "other"))
    not_there = fingerprints_of([sample("?", "gone.png")], pictures)
    assert not overlap(there, not_there)[1][Way.PICTURE].shared
    assert overlap(not_there, not_there)[1][Way.PICTURE] == Count(1, 1)


def test_all_pairs_in_order(first, second):
    found = overlaps({"x": first, "y": second, "z": first})
    assert [(one.first, one.second) for one in found] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert found[1].query.first == Count(5, 5)
    assert found[2] == replace(overlap(second, first)[0], first="y", second="z")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is it?", "  what\n is\tIT ?! "),
        ("What’s it", "What's it."),
        ("ﬁne", "FINE"),
        ("Ａ１", "a1"),
        ("Straße", "STRASSE"),
        ("e\u0301tude", "\u00e9tude"),
    ],
)
def test_texts_that_are_equal(one, other):
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(("one", "other"), [("2 + 3?", "2 - 3?"), ("cannot", "can not"), ("a", "b"), ("?a", "a")])
def test_texts_that_differ(one, other):
    assert normalized(one) != normalized(other)


def test_parts_do_not_run_together_and_odd_text_is_taken(pictures):
    one = fingerprints_of([sample("ab", answer="c"), sample("\ud800", answer="\0")], pictures)
    other = fingerprints_of([sample("a", answer="bc"), sample("\ud800", answer="\0")], pictures)
    assert count_shared(one, {way: other.keys[way] for way in Way})[Way.QUERY_AND_ANSWER] == Count(1, 2)


def test_earlier_turns_and_all_pictures_tell_samples_apart(pictures):
    seen = (Turn("user", "Who made it?", (Placed("a.png", 0),)), Turn("assistant", "Bo."))
    plain = sample("And now?", "a.png", "Yes.")
    two = replace(plain, images=(Placed("a.png", 0), Placed("b.png", 0)))
    rows = [
        plain,
        replace(plain, context=(Turn("system", "Be kind."),)),
        replace(plain, context=seen),
        replace(plain, context=(replace(seen[0], text="WHO made it"), seen[1])),
        two,
        replace(two, images=two.images[::-1]),
        replace(two, images=(Placed("copy-of-a.png", 5), Placed("b.png", 0))),
    ]
    keys = fingerprints_of(rows, pictures).keys

    def groups(way):
        return [keys[way].index(key) for key in keys[way]]

    assert groups(Way.QUERY) == [0, 1, 2, 2, 0, 0, 0]  # texts are normalized in earlier turns too
    assert groups(Way.PICTURE) == [0, 0, 0, 0, 4, 5, 4]
    assert groups(Way.PICTURE_AND_QUERY) == [0, 1, 2, 2, 4, 5, 4]
    assert groups(Way.QUERY_AND_ANSWER) == groups(Way.QUERY)


def test_hashes_of_ordinary_samples_are_those_of_stored_training_records(pictures):
    keys = fingerprints_of([sample("What is it?", "a.png", "An axe.")], pictures).keys
    picture = int.from_bytes(blake2b(b"A", digest_size=8).digest())

    def hashed(*parts):
        return int.from_bytes(blake2b(json.dumps(parts).encode(), digest_size=8).digest())

    assert keys[Way.PICTURE] == (picture,)
    assert keys[Way.QUERY] == (hashed("what is it"),)
    assert keys[Way.PICTURE_AND_QUERY] == (hashed(picture, "what is it"),)
    assert keys[Way.QUERY_AND_ANSWER] == (hashed("what is it", "an axe"),)
