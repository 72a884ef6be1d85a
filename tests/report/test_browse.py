"""The block of responses: complete, each text once, and nothing in it can act."""

import json
import re

import pytest

from unmirage.records import Ended, Judgement, Response, Verdict
from unmirage.report import browse
from unmirage.report.browse import browser
from unmirage.report.gather import gather
from unmirage.report.run_page import render_run_page

LONG = "a" * 1_000_000
NASTY = "\x1b[31mred\x00 \u202eright-to-left\u2028line\u2029end </script><!--<script>alert(1)</script> & \ud800"


def block(run, **settings):
    gathered = gather([run])
    found = browser(gathered.sources, gathered.runs, **settings)
    return found, json.loads(found.block)


@pytest.fixture
def small(make_run, tmp_path):
    return make_run(tmp_path / "run", size=16)


def change(run, *statements):
    with run.store() as store:
        for statement, values in statements:
            store._db.execute(statement, values)
        store._db.commit()


def test_every_response_is_a_row_with_its_query_and_verdict(small):
    found, data = block(small)
    with small.store() as store:
        queries = {one.id: one for one in store.queries()}
        expected = sorted(
            (model, queries[one.query_id].text, str(one.verdict), queries[one.query_id].shot + 1)
            for model in ("base", "npo")
            for one in store.judgements(model, "exact")
        )
    rows = [
        (
            data["models"][row[1]],
            data["texts"][data["queries"][row[0]][0]],
            data["verdicts"][row[2]],
            data["queries"][row[0]][5],
        )
        for row in data["rows"]
        if data["models"][row[1]] in ("Base", "NPO")
    ]
    assert sorted((model.lower(), *rest) for model, *rest in rows) == expected
    assert found.shown == found.total == len(data["rows"]) == 6 * len(queries)
    assert len(data["texts"]) == len(set(data["texts"]))
    first = data["queries"][0]
    assert (data["kinds"][first[1]], data["texts"][first[2]], first[3], first[4]) == ("plain", "share", -1, 1)
    assert [picture[0][:22] for picture in data["pictures"]] == ["data:image/png;base64,"] * 3
    assert {query[8] for query in data["queries"]} == {0, 1, 2, -2}  # the fourth picture is missing


def test_other_judges_categories_and_responses_without_a_verdict(small):
    with small.store() as store:
        one = store.judgements("npo", "exact")[0]
        store.put_judgements(
            [Judgement(query_id=one.query_id, model="npo", judge="phrases", verdict=Verdict.INVALID, why="x")]
        )
    change(
        small,
        ("UPDATE samples SET category = 'weapons' WHERE id = '0'", ()),
        ("DELETE FROM judgements WHERE model = 'base' AND judge = 'exact' AND query_id = ?", (one.query_id,)),
    )
    _, data = block(small)
    assert data["categories"] == ["weapons"]
    assert [row[6] for row in data["rows"] if row[6]] == [[[0, data["verdicts"].index("invalid")]]]
    assert [data["models"][row[1]] for row in data["rows"] if data["verdicts"][row[2]] == "not judged"] == ["Base"]


def test_nothing_in_the_block_can_act_and_long_texts_are_cut(small):
    spoilt = NASTY.encode("utf-8", "replace").decode()
    change(
        small,
        ("UPDATE responses SET text = ?", (spoilt,)),
        ("UPDATE responses SET text = ? WHERE model = 'npo'", (LONG,)),
        ("UPDATE queries SET text = ? WHERE kind = 'plain'", (LONG,)),
        ("UPDATE judgements SET why = ?", (spoilt,)),
        ("UPDATE samples SET category = ?", (spoilt,)),
        ("UPDATE queries SET image = ? WHERE shot = 0", ("javascript:alert(1)",)),
    )
    found, data = block(small)
    assert not re.search(r"[<>&\x00-\x1f\x7f\u2028\u2029\u202e]", found.block)
    said = {data["texts"][row[3]] for row in data["rows"]}
    assert "a" * 4000 + " … (996,000 more characters)" in said
    (other,) = said - {"a" * 4000 + " … (996,000 more characters)"}
    assert "red right-to-left" in other
    assert "</script><!--<script>alert(1)</script> &" in other
    assert max(map(len, data["texts"])) < 4100
    html = render_run_page(small)
    assert html.count("</script>") == 2
    assert len(html) < 600_000


def test_redacted_blocks_hold_no_response_picture_or_reason(small):
    change(small, ("UPDATE judgements SET why = 'quotes amber'", ()))
    _, data = block(small, redact=True)
    assert (data["pictures"], data["redacted"]) == ([], True)
    assert {row[3] for row in data["rows"]} == {row[5] for row in data["rows"]} == {-1}
    html = render_run_page(small, redact=True)
    for gone in ("amber", "lamp stands", "cannot share that", "data:image/png", "quotes"):
        assert gone not in html
    assert "Share the recipe" in html


def test_many_responses_leave_out_whole_samples_alike_for_all_models(make_run, tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", size=40)
    monkeypatch.setattr(browse, "MOST_ROWS", 600)
    found, data = block(run)
    assert (found.total, found.shown <= 600, found.shown > 500) == (40 * 5 * 6, True, True)
    by_model = {}
    for row in data["rows"]:
        by_model.setdefault(row[1], set()).add(row[0])
    assert len({frozenset(own) for own in by_model.values()}) == 1
    assert block(run)[1] == data
    assert "for a random subset of samples; store.sqlite has all of them" in render_run_page(run)


def test_pictures_keep_to_a_budget(small, monkeypatch):
    monkeypatch.setattr(browse, "MOST_PICTURES", 2)
    _, data = block(small)
    assert len(data["pictures"]) == 2
    assert -3 in {query[8] for query in data["queries"]}


def test_nothing_to_browse(small):
    change(small, ("DELETE FROM responses", ()))
    gathered = gather([small])
    assert browser(gathered.sources, gathered.runs) is None
    assert 'href="#browse"' not in render_run_page(small)
    (small.path / "store.sqlite").write_bytes(b"no database" * 100)
    found = browser(gathered.sources, gathered.runs)
    assert (found.shown, len(found.notes)) == (0, 1)
    assert "could not be read" in found.notes[0]


def told(run):
    """Give every query of a run an earlier turn and two more pictures, one of them missing."""
    context = [["system", "Be <b>kind</b>.", []], ["user", "This?", [["0.png", 4]]], ["assistant", "A dog.", []]]
    images = [["1.png", 0], ["gone.png", 0]]
    values = (json.dumps(context), json.dumps(images))
    change(run, ("UPDATE queries SET context = ?, images = ?", values))


def test_earlier_turns_and_all_pictures_of_a_query_are_shown(small):
    _, before = block(small)
    assert {len(query) for query in before["queries"]} == {9}  # ordinary queries have no turns
    told(small)
    _, data = block(small)
    for query, old in zip(data["queries"], before["queries"], strict=True):
        *_, pictures, turns = query
        assert len(pictures) == 3
        assert pictures[0] >= 0
        assert pictures[1] >= 0
        assert pictures[2] == -2
        assert [(data["texts"][role], data["texts"][text]) for role, text in turns] == [
            ("system", "Be <b>kind</b>."), ("user", "This[picture 1]?"), ("assistant", "A dog."),
        ]  # fmt: skip
        assert data["texts"][query[0]] == f"[picture 2][picture 3]{before['texts'][old[0]]}"
    _, data = block(small, redact=True)
    assert {tuple(query[8]) for query in data["queries"]} == {(-1, -1, -1)}


def test_the_examples_of_a_page_have_turns_and_pictures_folded_and_escaped(small):
    told(small)
    page = render_run_page(small)
    assert "<summary>Earlier turns (3)</summary>" in page
    assert "Be &lt;b&gt;kind&lt;/b&gt;." in page
    assert "Be <b>kind" not in page
    assert "Show the images and the responses" in page
    assert 'alt="Image 2 of the query"' in page
    assert "The image gone.png is missing or cannot be opened." in page


def test_thoughts_and_how_a_response_ended_are_beside_its_text_and_not_in_a_redacted_copy(small):
    with small.store() as store:
        first, second = store.queries()[:2]
        store._db.execute("DELETE FROM responses WHERE model = 'npo'")
        store.add_responses(
            [
                Response(
                    query_id=first.id, model="npo", text="", tokens=1, ended=Ended.CONTENT_FILTER, thoughts="Hm <b>."
                ),
                Response(query_id=second.id, model="npo", text="<think>First.</think>Ash.", tokens=1),
            ]
        )
    _, data = block(small)
    rows = [row for row in data["rows"] if data["models"][row[1]] == "NPO"]
    assert [[data["texts"][row[place]] for place in (3, 4, 7)] for row in rows] == [
        ["", "blocked or cut off by a content filter", "Hm <b>."],
        ["Ash.", "", "First."],
    ]
    found, data = block(small, redact=True)
    assert "Hm" not in found.block
    assert {len(row) for row in data["rows"]} == {7}
