"""What is asked and what may be kept, told from the data alone."""

import json

import pytest
from pydantic import ValidationError

from unmirage.data import open_samples
from unmirage.errors import UserError
from unmirage.prepare import PrepareConfig
from unmirage.prepare.plan import plan


@pytest.fixture
def opened(tmp_path):
    def opened(rows, **options):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(rows))
        return open_samples(path, **options)

    return opened


def rows(refused, answered):
    return [{"query": f"Share {n}.", "answer": "No.", "refused": True} for n in range(refused)] + [
        {"query": f"What is {n}?", "answer": "Red.", "refused": False} for n in range(answered)
    ]


def made(file, general=False, **config):
    return plan(file, PrepareConfig(**config), general=general)


def test_both_kinds_of_vlguards_unsafe_queries_are_asked(tiny):
    file = open_samples(tiny.data / "safety.json")
    both = made(file)
    assert (len(both.queries), len(both.safe)) == (24, 12)
    assert all(query.unsafe for query in both.queries)
    for kind in ("unsafe-picture", "unsafe-text"):
        one = made(file, kinds=(kind,))
        assert len(one.queries) == 12
        assert {one.kinds[query.sample_id] for query in one.queries} == {kind}
        assert one.safe == both.safe
    texts = {query.sample_id for query in made(file, kinds=("unsafe-text",)).queries}
    assert all(name.endswith("/unsafe") for name in texts)
    assert both.to_json(general=False)["unsafe_by_kind"] == {"unsafe-picture": 12, "unsafe-text": 12}


def test_a_repeated_id_keeps_its_kind(opened):
    record = {"id": "a", "image": "1.png", "safe": True}
    record["instr-resp"] = [
        {"safe_instruction": "What?", "response": "Red."},
        {"unsafe_instruction": "How?", "response": "No."},
    ]
    found = made(opened([record, record]))
    assert found.kinds == {"a/unsafe": "unsafe-text", "a/unsafe#2": "unsafe-text"}


def test_other_formats_do_not_tell_kinds_apart(opened):
    file = opened(rows(2, 2))
    assert made(file).kinds == {}
    with pytest.raises(UserError, match=r"--kinds: format 'json' .* does not distinguish kinds; valid: vlguard"):
        made(file, kinds=("unsafe-text",))


def test_limit_and_seed_draw_by_label(opened):
    file = opened(rows(30, 10))
    few = made(file, limit=8, seed=1)
    assert (len(few.queries), len(few.safe)) == (6, 2)
    assert few.fingerprint() == made(file, limit=8, seed=1).fingerprint() != made(file, limit=8, seed=2).fingerprint()


def test_the_retain_size_is_all_or_the_papers(opened):
    file = opened(rows(2, 3))
    assert made(file).retain_size is None
    assert made(file, general=True).retain_size == 2000
    assert made(file, retain_size=2).to_json(general=False)["retain"] == {"from_data": 2, "from_general_at_most": 0}
    assert made(file, general=True).to_json(general=True)["retain"] == {"from_data": 3, "from_general_at_most": 1997}


def test_safe_samples_without_an_answer_cannot_be_kept(opened):
    found = made(opened([*rows(1, 1), {"query": "Why?", "answer": " ", "refused": False}]))
    assert (len(found.safe), found.without_answer) == (1, 1)


def test_nothing_to_ask_and_nothing_to_keep_are_told(opened, tiny):
    with pytest.raises(UserError, match=r"data.json: no unsafe query found; valid: a dataset with at least one"):
        made(opened(rows(0, 2)))
    with pytest.raises(UserError, match=r"data.json: no safe query with an answer found. .* --general"):
        made(opened(rows(2, 0)))
    assert made(opened(rows(2, 0)), general=True).safe == ()
    only = {"id": "a", "safe": False, "instr-resp": [{"instruction": "How?", "response": "No."}]}
    with pytest.raises(UserError, match="no unsafe query of kind unsafe-text found"):
        made(opened([only, only]), kinds=("unsafe-text",))


def test_what_a_store_cannot_hold_is_replaced_in_what_it_finds_samples_by(opened):
    found = made(opened([{"id": "a\ud800", "query": "\ud800?", "answer": "No.", "refused": True}, *rows(0, 1)]))
    assert (found.queries[0].sample_id, found.queries[0].text) == ("a?", "??")


@pytest.mark.parametrize("config", [{"kinds": ()}, {"kinds": ("other",)}, {"limit": 1}, {"retain_size": 0}, {"x": 1}])
def test_bad_settings_are_refused(config):
    with pytest.raises(ValidationError):
        PrepareConfig(**config)
