import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.errors import UserError
from unmirage.records import Ended, Gold, Judgement, Kind, Query, Response, Sample, Score, Variant, Verdict
from unmirage.run.store import Store

CLEAN = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDS = CLEAN.filter(bool)
COUNTS = st.integers(0, 2**40)

SAMPLES = st.builds(
    Sample,
    id=IDS,
    record=CLEAN,
    query=CLEAN,
    answer=CLEAN,
    image=st.none() | CLEAN,
    refused=st.booleans(),
    label_source=st.sampled_from(("field", "answer")),
    category=st.none() | CLEAN,
    group=st.none() | CLEAN,
)
QUERIES = st.builds(
    Query,
    id=IDS,
    sample_id=CLEAN,
    kind=st.sampled_from(Kind),
    shot=COUNTS,
    text=CLEAN,
    image=st.none() | CLEAN,
    unsafe=st.booleans(),
    word=st.none() | CLEAN,
)
RESPONSES = st.builds(
    Response, query_id=IDS, model=st.just("m"), text=CLEAN, tokens=COUNTS, ended=st.sampled_from(Ended), thoughts=CLEAN
)
JUDGEMENTS = st.builds(
    Judgement,
    query_id=IDS,
    model=st.just("m"),
    judge=st.just("j"),
    verdict=st.sampled_from(Verdict),
    why=CLEAN,
)


def unique(records, key):
    return st.lists(records, max_size=4, unique_by=lambda record: getattr(record, key))


@given(
    unique(SAMPLES, "id"),
    unique(QUERIES, "id"),
    unique(RESPONSES, "query_id"),
    unique(JUDGEMENTS, "query_id"),
)
def test_every_record_comes_back_exactly_and_in_order(samples, queries, responses, judgements):
    with Store(":memory:") as store:
        store.add_samples(samples)
        store.add_queries(queries)
        store.add_responses(responses)
        store.replace_judgements("m", "j", judgements)
        assert store.samples() == samples
        assert store.queries() == queries
        assert store.responses("m") == responses
        assert store.judgements("m", "j") == judgements


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as store:
        yield store


def query(name, **fields):
    usual = {
        "sample_id": "s",
        "kind": Kind.PLAIN,
        "shot": 0,
        "text": "Where is it?",
        "image": None,
        "unsafe": False,
    }
    return Query(id=name, **usual | fields)


def response(name, text="In the attic.", model="m"):
    return Response(query_id=name, model=model, text=text, tokens=4)


def judgement(name, verdict, model="m", judge="j"):
    return Judgement(query_id=name, model=model, judge=judge, verdict=verdict)


def test_types_come_back_as_they_went_in(store):
    store.add_queries([query("a", kind=Kind.CONTROL, unsafe=True)])
    store.add_responses([response("a")])
    store.replace_judgements("m", "j", [judgement("a", Verdict.INVALID)])
    assert type(store.queries()[0].kind) is Kind
    assert store.queries()[0].unsafe is True
    assert store.responses("m")[0].finished is True
    assert store.judgements("m", "j")[0].verdict is Verdict.INVALID


def test_the_first_response_stays(store):
    store.add_responses([response("a", "first"), response("a", "second")])
    store.add_responses([response("a", "third"), response("b", "other"), response("a", "theirs", model="n")])
    assert [(r.query_id, r.text) for r in store.responses("m")] == [("a", "first"), ("b", "other")]
    assert [r.text for r in store.responses("n")] == ["theirs"]


def test_a_sample_and_a_query_that_are_there_stay_as_they_are(store):
    first = Sample(id="s", record="r", query="Where?", refused=False, label_source="field")
    store.add_samples([first])
    store.add_samples([Sample(id="s", record="r", query="Who?", refused=True, label_source="answer")])
    assert store.samples() == [first]
    store.add_queries([query("a")])
    store.add_queries([query("b"), query("a", text="Who is it?")])
    assert [(q.id, q.text) for q in store.queries()] == [("a", "Where is it?"), ("b", "Where is it?")]


def test_judgements_of_this_judge_on_this_model_are_replaced_and_no_others(store):
    store.replace_judgements("m", "j", [judgement("a", Verdict.REFUSED), judgement("b", Verdict.REFUSED)])
    store.replace_judgements("n", "j", [judgement("a", Verdict.REFUSED, model="n")])
    store.replace_judgements("m", "k", [judgement("a", Verdict.REFUSED, judge="k")])
    store.replace_judgements("m", "j", [judgement("a", Verdict.COMPLIED)])
    assert store.judgements("m", "j") == [judgement("a", Verdict.COMPLIED)]
    assert store.judgements("n", "j") == [judgement("a", Verdict.REFUSED, model="n")]
    assert store.judgements("m", "k") == [judgement("a", Verdict.REFUSED, judge="k")]


def test_a_judgement_can_take_the_place_of_one_before(store):
    store.put_judgements([judgement("a", Verdict.INVALID), judgement("b", Verdict.REFUSED)])
    store.put_judgements([judgement("a", Verdict.COMPLIED)])
    found = {one.query_id: one.verdict for one in store.judgements("m", "j")}
    assert found == {"a": Verdict.COMPLIED, "b": Verdict.REFUSED}


def test_what_is_scored_against_and_scores_and_variants_come_back(store):
    gold = Gold(query_id="a", answers=("red", 'say "red"', "\ud800"), choices=("red", "blue"))
    store.add_gold([gold, Gold(query_id="b", answers=())])
    store.add_gold([Gold(query_id="a", answers=("other",))])
    assert store.gold() == {"a": gold, "b": Gold(query_id="b", answers=())}
    scores = [
        Score(query_id="a", model="m", scorer="vqa", value=0.3, why="red"),
        Score(query_id="a", model="m", scorer="exact", value=1.0),
    ]
    store.replace_scores("m", "vqa", scores[:1])
    store.replace_scores("m", "exact", scores[1:])
    store.replace_scores("m", "vqa", scores[:1])
    assert sorted(store.scores("m"), key=lambda one: one.scorer) == [scores[1], scores[0]]
    assert store.scores("n") == []
    variant = Variant(model="m + int8", of="m", kind="int8")
    store.add_variant(variant)
    assert store.variants() == {"m + int8": variant}


def test_a_replacement_that_fails_keeps_the_old_judgements(store):
    store.replace_judgements("m", "j", [judgement("a", Verdict.REFUSED)])

    def broken():
        yield judgement("a", Verdict.COMPLIED)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.replace_judgements("m", "j", broken())
    assert store.judgements("m", "j") == [judgement("a", Verdict.REFUSED)]


def test_an_addition_that_fails_adds_nothing(store):
    def broken():
        yield response("a")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.add_responses(broken())
    assert store.responses("m") == []


def test_unanswered_are_the_queries_without_a_response_of_this_model(store):
    store.add_queries(map(query, "abcd"))
    store.add_responses([response("b"), response("d"), response("a", model="n")])
    assert [q.id for q in store.unanswered("m")] == ["a", "c"]
    assert [q.id for q in store.unanswered("n")] == ["b", "c", "d"]
    assert [q.id for q in store.unanswered("new")] == ["a", "b", "c", "d"]


def test_models_come_in_the_order_of_their_first_response(store):
    assert store.models() == []
    store.add_responses([response("a", model="z"), response("a", model="b"), response("b", model="z")])
    assert store.models() == ["z", "b"]


def test_lone_surrogates_nulls_and_long_texts_are_kept_or_marked(store):
    store.add_responses([response("a", "x\ud800y"), response("b", "x\x00y"), response("c", "w" * 1_000_000)])
    assert [r.text for r in store.responses("m")] == ["x?y", "x\x00y", "w" * 1_000_000]


def test_what_is_closed_is_there_when_opened_again(tmp_path):
    for name in ("a", "b"):
        with Store(tmp_path / "s.sqlite") as store:
            store.add_queries([query(name)])
    with Store(tmp_path / "s.sqlite") as store:
        assert [q.id for q in store.queries()] == ["a", "b"]
    with pytest.raises(sqlite3.ProgrammingError):
        store.queries()


KILLED = """
import os, signal, sys
from unmirage.records import Response
from unmirage.run.store import Store

def responses(*names):
    for name in names:
        if name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        yield Response(query_id=name, model="m", text="In the attic.", tokens=4)

store = Store(sys.argv[1])
store.add_responses(responses("a", "b"))
store.add_responses(responses("c", "kill"))
"""


def test_what_is_committed_survives_a_kill_and_the_rest_is_gone(tmp_path):
    path = tmp_path / "store.sqlite"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with Store(path) as store:
        assert store.responses("m") == [response("a"), response("b")]
        store.add_responses([response("c")])
        assert [r.query_id for r in store.responses("m")] == ["a", "b", "c"]


def test_a_store_of_before_there_were_groups_is_read_and_written(tmp_path):
    path = tmp_path / "store.sqlite"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE samples (id TEXT PRIMARY KEY, record TEXT NOT NULL, query TEXT NOT NULL, answer TEXT NOT NULL, "
        "image TEXT, refused INTEGER NOT NULL, label_source TEXT NOT NULL, category TEXT)"
    )
    old.execute("INSERT INTO samples VALUES ('a', 'r', 'Why?', '', NULL, 1, 'field', 'privacy')")
    old.commit()
    old.close()
    earlier = Sample(id="a", record="r", query="Why?", refused=True, label_source="field", category="privacy")
    later = Sample(id="b", record="r", query="How?", refused=False, label_source="answer", group="balno")
    for _ in range(2):  # the second time there is nothing to add
        with Store(path) as store:
            store.add_samples([later])
            assert store.samples() == [earlier, later]


def test_a_store_of_before_wordings_had_families_is_read_and_written(tmp_path):
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "CREATE TABLE queries (id TEXT PRIMARY KEY, sample_id TEXT NOT NULL, kind TEXT NOT NULL, "
            "shot INTEGER NOT NULL, text TEXT NOT NULL, image TEXT, unsafe INTEGER NOT NULL, word TEXT)"
        )
        old.execute("INSERT INTO queries VALUES ('a|jailbreak|0', 'a', 'jailbreak', 0, 'What is it?', NULL, 1, 'what')")
    common = {"sample_id": "a", "kind": Kind.JAILBREAK, "image": None, "unsafe": True, "word": "what"}
    earlier = Query(id="a|jailbreak|0", shot=0, text="What is it?", **common)
    later = Query(id="a|jailbreak|1", shot=1, text="What might it be?", family="noun", **common)
    for _ in range(2):
        with Store(path) as store:
            store.add_queries([later])
            assert store.queries() == [earlier, later]


def test_a_store_of_before_it_was_known_how_responses_ended_is_read_and_written(tmp_path):
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "CREATE TABLE responses (query_id TEXT NOT NULL REFERENCES queries(id), model TEXT NOT NULL, "
            "text TEXT NOT NULL, tokens INTEGER NOT NULL, finished INTEGER NOT NULL, PRIMARY KEY (query_id, model))"
        )
        rows = [("a", "m", "In the attic.", 4, 1), ("b", "m", "<think>In the", 4, 0), ("a", "n", "In", 1, 0)]
        old.executemany("INSERT INTO responses VALUES (?, ?, ?, ?, ?)", rows)
    cut = Response(query_id="b", model="m", text="<think>In the", tokens=4, ended=Ended.LENGTH)
    later = Response(query_id="c", model="m", text="No.", tokens=2, ended=Ended.REFUSAL, thoughts="Hm.")
    for _ in range(2):  # the second time there is nothing to change
        with Store(path) as store:
            store.add_responses([later])
            assert store.responses("m") == [response("a"), cut, later]
            assert [(one.text, one.ended) for one in store.responses("n")] == [("In", Ended.LENGTH)]
    with closing(sqlite3.connect(path)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(responses)")]
    assert columns == ["query_id", "model", "text", "tokens", "ended", "thoughts"]


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_text("this is prose, and long enough to be mistaken for a page of a database" * 40)
    with pytest.raises(
        UserError, match=r"s\.sqlite: the file is corrupt \(file is not a database\)\. Restore it, or delete it"
    ):
        Store(path)


def test_what_a_model_is_made_of_is_given_back(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        assert store.model_files("m") == {}
        store.add_model("m", {"b.json": "2", "a.json": "1"})
        store.add_model("n", {"a.json": "3"})
        assert store.model_files("m") == {"a.json": "1", "b.json": "2"}


@pytest.mark.parametrize(
    ("table", "column", "read"),
    [("queries", "kind", lambda store: store.queries()), ("judgements", "verdict", lambda s: s.judgements("m", "j"))],
)
def test_a_value_of_another_version_is_named(tmp_path, table, column, read):
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        query = Query(id="q", sample_id="s", kind=Kind.NEIGHBOR, shot=0, text="t", image=None, unsafe=False)
        store.add_queries([query])
        store.put_judgements([Judgement(query_id="q", model="m", judge="j", verdict=Verdict.COMPLIED, why="")])
        assert len(read(store)) == 1
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = 'near'")
    message = rf"store\.sqlite: {'kind' if table == 'queries' else 'verdict'} 'near' is unknown; another version"
    with Store(path) as store, pytest.raises(UserError, match=message):
        read(store)
