import json

import pytest

from unmirage.attack.documents import Explanation
from unmirage.errors import UserError
from unmirage.report.explain_view import MOST_QUERIES, explain_view, tint

DOCUMENT = {
    "schema": "unmirage.explain/1",
    "model": "npo",
    "from_the_future": 1,
    "queries": [
        {
            "query_id": "7|jailbreak|0",
            "text": "Share the <b>recipe</b>.",
            "p_refusal": 0.9,
            "words": [
                {"word": "share", "start": 0, "end": 5, "p_without": 0.1, "change": 0.8},
                {"word": "the", "start": 6, "end": 9, "p_without": 0.9, "change": 0},
                {"word": "recipe", "start": 13, "end": 19, "p_without": 0.98, "change": -0.08, "later": []},
            ],
        }
    ],
}


def view(**changes):
    query = DOCUMENT["queries"][0] | changes
    return explain_view(Explanation.read(DOCUMENT | {"queries": [query]}))


def test_the_pieces_are_the_text_with_its_words_tinted():
    found = view()
    [query] = found.queries
    assert "".join(piece.text for piece in query.pieces) == "Share the <b>recipe</b>."
    assert [(piece.text, piece.tint, piece.title) for piece in query.pieces if piece.title] == [
        ("Share", "up5", "+80.0 points"),
        ("the", "", "+0.0 points"),
        ("recipe", "", "−8.0 points"),
    ]
    assert (found.scale, found.rest, found.model) == (0.8, 0, "npo")


@pytest.mark.parametrize(
    ("change", "expected"),
    [(0.5, "up5"), (0.9, "up5"), (-0.5, "down5"), (0.3, "up3"), (-0.1, "down1"), (0.04, ""), (0, ""), (None, "")],
)
def test_tints_have_five_steps_each_way(change, expected):
    assert tint(change, 0.5) == expected


def test_small_changes_are_not_blown_up_to_the_full_scale():
    words = [{"word": "share", "start": 0, "end": 5, "p_without": 0.9, "change": 0.01}]
    assert view(words=words).queries[0].pieces[0].tint == "up1"
    assert view(words=[]).scale == 0.05


@pytest.mark.parametrize(("start", "end"), [(20, 99), (99, 120), (5, 5), (9, 2), (3, 8)])
def test_a_word_outside_the_text_or_inside_another_is_not_tinted(start, end):
    words = [
        {"word": "share", "start": 0, "end": 5, "p_without": 0.4, "change": 0.5},
        {"word": "odd", "start": start, "end": end, "p_without": 0.4, "change": 0.5},
    ]
    [query] = view(words=words).queries
    assert "".join(piece.text for piece in query.pieces) == query.query.text
    assert [piece.text for piece in query.pieces if piece.tint] == ["Share"]
    assert len(query.words) == 2


def test_many_queries_are_cut_and_counted():
    found = explain_view(Explanation.read(DOCUMENT | {"queries": DOCUMENT["queries"] * 30}))
    assert (len(found.queries), found.rest) == (MOST_QUERIES, 30 - MOST_QUERIES)
    assert explain_view(Explanation.read(DOCUMENT | {"queries": []})) is None


def test_a_wrong_document_is_named(tmp_path):
    path = tmp_path / "explain.json"
    path.write_text(json.dumps(DOCUMENT | {"schema": "unmirage.explain/2"}))
    with pytest.raises(UserError, match=r"explain\.json: schema is 'unmirage.explain/2'"):
        Explanation.load(path)
    query = DOCUMENT["queries"][0] | {"p_refusal": 90}
    path.write_text(json.dumps(DOCUMENT | {"queries": [query]}))
    with pytest.raises(UserError, match=r"queries\.0\.p_refusal: .* less than or equal to 1"):
        Explanation.load(path)
