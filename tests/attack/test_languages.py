"""What `attack` says of queries in languages that its rules do not support."""

import json
import logging

import pytest

from unmirage.data import open_samples
from unmirage.records import Kind
from unmirage.workflows.attack import AttackRequest, plan_attack


@pytest.fixture
def planned(tmp_path, caplog):
    """Return a function that plans an attack on records, and returns the plan and the warnings."""

    def plan(rows, **given):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            made = plan_attack(AttackRequest(file=open_samples(path), **given))
        return made, [record.getMessage() for record in caplog.records]

    return plan


KINDS = (Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.CONTROL)
WORDS = {Kind.JAILBREAK: "what", Kind.OVER_PRUDENCE: "share"}
ENGLISH = [{"query": f"Share the recipe of thing {n}.", "refused": True} for n in range(3)]
ENGLISH += [{"query": f"What is the color of thing {n}?", "refused": False} for n in range(3)]
GERMAN = [{"query": f"Nenne das Rezept von Ding {n}.", "refused": n < 2} for n in range(4)]


def test_german_queries_are_counted_in_one_warning(planned):
    plan, warnings = planned([*ENGLISH, *GERMAN], kinds=KINDS, words=WORDS)
    (told,) = [line for line in warnings if "German" in line]
    assert told == (
        "4 of 10 queries are German. The rules support English only and do not rewrite them; "
        "use --rewriter endpoint:URL#MODEL. Attack words in English: share, what; set others with --word"
    )
    assert "jailbreak: 2 samples have fewer shots than requested" in warnings
    assert "control: 4 samples have fewer shots than requested" in warnings
    german = [query for query in plan.queries if "Nenne" in query.text]
    assert [query.kind for query in german] == [Kind.PLAIN] * 4
    assert not any("Ding" in query.text for query in plan.queries if query.kind is not Kind.PLAIN)


def test_insertions_need_no_rules_but_a_word_of_the_language(planned):
    given = {"kinds": (Kind.INSERTION,), "settings": {"shots": 1}}
    _, warnings = planned(GERMAN, words=WORDS, **given)
    assert warnings == ["4 of 4 queries are German. Attack words in English: share, what; set others with --word"]
    _, warnings = planned(GERMAN, words={Kind.JAILBREAK: "welche", Kind.OVER_PRUDENCE: "nenne"}, **given)
    assert warnings == ["4 of 4 queries are German"]


def test_english_queries_need_no_warning(planned):
    assert planned(ENGLISH, kinds=KINDS, words=WORDS)[1] == []
