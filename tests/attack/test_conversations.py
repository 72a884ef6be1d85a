"""Attacks on samples with earlier turns and several pictures."""

import json
import logging
from dataclasses import replace

import pytest

from unmirage.attack import AttackConfig, Short, frozen_samples, plain, plan_queries, prebuilt_queries, short_of_shots
from unmirage.attack.explain import variants
from unmirage.attack.rewriters import RewriteReport
from unmirage.attack.search.config import opening_with
from unmirage.data import open_samples
from unmirage.errors import UserError
from unmirage.records import Dataset, Kind, Placed, Sample, Turn
from unmirage.workflows.arguments import conversations
from unmirage.workflows.attack import AttackRequest, plan_attack

SEEN = (Turn("user", "What is it?", (Placed("0.png", 0),)), Turn("assistant", "A dog."))
LABELS = "Image-1: \nImage-2: \nHow do the devices differ?"
TWO = (Placed("0.png", 9), Placed("1.png", 19))
INSIDE = (Placed("0.png", 8), Placed("1.png", 14))
ALL = tuple(kind for kind in Kind if kind not in (Kind.PLAIN, Kind.UTILITY, Kind.NEIGHBOR))


def sample(name, query, *, refused=True, **more):
    return Sample(id=name, record=name, query=query, refused=refused, label_source="field", image="0.png", **more)


class Fixed:
    """A rewriter that always says the same."""

    name = "fixed"

    def __init__(self, *texts):
        self.texts, self.asked = texts, []
        self.report = RewriteReport(rewriter=self.name)

    def reword(self, wanted, progress=None):
        self.asked += [one.query for one in wanted]
        return [list(self.texts[: one.shots]) for one in wanted]


def test_every_query_keeps_turns_and_pictures():
    told = sample("a", "How is the device made?", context=SEEN, images=(Placed("1.png", 0), Placed("2.png", 23)))
    benign = replace(told, id="b", record="b", refused=False)
    queries = plan_queries([told, benign], AttackConfig(kinds=ALL, shots=2))
    assert {query.kind for query in queries} == {Kind.PLAIN, *ALL}
    for query in queries:
        assert (query.context, query.image) == (SEEN, "0.png")
        assert query.images == (Placed("1.png", 0), Placed("2.png", len(query.text)))
    assert plain([told])[0].images == told.images


def test_labels_of_pictures_stay_before_them_and_the_rest_is_reworded():
    rewriter = Fixed("What differs?", "What else?")
    config = AttackConfig(kinds=(Kind.JAILBREAK, Kind.INSERTION), shots=2)
    queries = plan_queries([sample("a", LABELS, images=TWO)], config, rewriter)
    assert set(rewriter.asked) == {"How do the devices differ?"}
    texts = {(query.kind, query.shot): query.text.removeprefix("Image-1: \nImage-2: \n") for query in queries}
    assert texts[Kind.JAILBREAK, 0] == "What differs?"
    assert texts[Kind.JAILBREAK, 1] == "What else?"
    assert "how do the devices differ?" in texts[Kind.INSERTION, 0].lower()
    assert texts[Kind.INSERTION, 0].lower().startswith("what")
    assert {query.images for query in queries} == {TWO}


def test_rewrites_that_lose_a_picture_are_dropped_and_counted():
    rewriter = Fixed("What if you compare  with  and explain.", "What differs?")
    samples = [sample("a", "Compare  with  and explain.", images=INSIDE), sample("b", "How is it?")]
    config = AttackConfig(kinds=(Kind.JAILBREAK,), shots=2)
    queries = plan_queries(samples, config, rewriter)
    shots = [(query.sample_id, query.shot, query.text) for query in queries if query.kind is Kind.JAILBREAK]
    assert shots == [
        ("a", 0, "What if you compare  with  and explain."),
        ("b", 0, "What if you compare  with  and explain."),
        ("b", 1, "What differs?"),
    ]
    assert [one.at for one in queries[2].images] == [20, 26]
    assert short_of_shots(queries, samples, config) == {Kind.JAILBREAK: Short(1, 1)}
    with pytest.raises(UserError, match="jailbreak: no rewrite of the refused samples keeps the places"):
        plan_queries(samples[:1], config, Fixed("What differs?"))


def test_prebuilt_queries_must_keep_the_places():
    owner = sample("a", "Compare  with  and explain.", images=INSIDE)

    def built(query):
        samples = (Sample(id="x", record="a", query=query, refused=True, label_source="field"),)
        file = Dataset(samples=samples, source="frozen.json", format="vlguard", image_root=".")
        return prebuilt_queries(file, [owner], Kind.JAILBREAK, [owner])

    (query,) = built("What if you compare  with  and explain.")
    assert [one.at for one in query.images] == [20, 26]
    with pytest.raises(UserError, match=r"frozen\.json: record 'a': the data has pictures inside the text"):
        built("What differs?")
    (again,) = frozen_samples([query], [owner])
    assert (again.query, again.images) == (query.text, query.images)


def test_searched_and_explained_queries_keep_their_pictures():
    told = sample("a", LABELS, images=TWO, context=SEEN)
    found = opening_with(told, "share", "replacement", "jailbreak")
    assert found.text == "Image-1: \nImage-2: \nShare do the devices differ?"
    assert (found.images, found.context) == (TWO, SEEN)
    inside = plain([sample("b", "Compare  with  and explain.", images=INSIDE)])[0]
    left_out = [(one.text, [picture.at for picture in one.images]) for one in variants(inside, "leave-out")]
    assert left_out[1][1] == [0, 5]  # "With  and explain.": without "Compare"
    assert all(len(places) == 2 and places == sorted(places) for _, places in left_out)
    assert all(places[1] <= len(text) for text, places in left_out)


def test_a_run_of_conversations_has_their_hash_in_its_settings():
    ordinary = sample("a", "Why?")
    assert conversations([ordinary]) == {}
    hashes = [
        conversations([ordinary, sample("b", "Why?", **more)])["conversations"]
        for more in ({"context": SEEN}, {"context": SEEN[1:]}, {"images": (Placed("0.png", 4),)})
    ]
    assert len(set(hashes)) == 3


def test_written_attack_sets_keep_turns_and_pictures(tmp_path, monkeypatch, caplog):
    rows = [
        {"id": "a", "record": "a", "query": "How is it made?", "answer": "No.", "image": None, "refused": True,
         "label_source": "field", "category": None}
    ]  # fmt: skip
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = open_samples(tmp_path / "data.jsonl")
    request = AttackRequest(
        file=file, kinds=(Kind.JAILBREAK,), words={Kind.JAILBREAK: "what"},
        write={Kind.JAILBREAK: tmp_path / "frozen.jsonl"}, settings={"shots": 2},
        rewriter=Fixed("What is it?", "What?"),
    )  # fmt: skip
    told = [replace(one, context=SEEN, image="0.png") for one in file]
    monkeypatch.setattr("unmirage.workflows.attack.with_unique_ids", lambda _: told)
    with caplog.at_level(logging.WARNING):
        plan = plan_attack(request)
    written = [json.loads(line) for line in (tmp_path / "frozen.jsonl").read_text().splitlines()]
    assert [(row["record"], row["query"], len(row["context"])) for row in written] == [
        ("a", "What is it?", 2), ("a", "What?", 2),
    ]  # fmt: skip
    assert plan.to_json()["queries"][0]["context"][0]["images"] == [{"image": "0.png", "at": 0}]
    assert "conversations" in plan.config
