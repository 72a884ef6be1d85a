import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data import load_samples, write_json, write_llava, write_samples, write_vlguard, writer_for
from unmirage.errors import UserError
from unmirage.records import Sample

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
PATHS = st.text("abc/12", min_size=1, max_size=9).map(lambda text: "p" + text)
NAMES = st.text(st.characters(codec=None), min_size=1, max_size=9)

SAMPLES = st.builds(
    Sample,
    id=NAMES,
    record=NAMES,
    query=ANY_TEXT,
    answer=ANY_TEXT,
    image=st.none() | PATHS,
    refused=st.booleans(),
    label_source=st.just("field"),
    category=st.none() | NAMES,
    group=st.none() | NAMES,
)


@pytest.mark.parametrize(("write", "kind"), [(write_samples, "jsonl"), (write_json, "json")])
@given(samples=st.lists(SAMPLES, min_size=1, max_size=4, unique_by=lambda sample: sample.id))
def test_what_is_written_is_read_back_exactly(tmp_path_factory, write, kind, samples):
    path = tmp_path_factory.getbasetemp() / f"round.{kind}"
    write(samples, path)
    data = load_samples(path)
    assert data.format == kind
    assert list(data) == samples


def kept(samples, *names):
    return [[getattr(sample, name) for name in names] for sample in samples]


@given(samples=st.lists(SAMPLES, min_size=1, max_size=4))
def test_vlguards_shape_is_read_back_but_for_ids(tmp_path_factory, samples):
    path = tmp_path_factory.getbasetemp() / "vlguard.json"
    write_vlguard(samples, path)
    names = ("record", "query", "answer", "image", "refused", "category", "group")
    assert kept(load_samples(path), *names) == kept(samples, *names)
    assert path.read_text() == json.dumps(json.loads(path.read_text()), indent=1) + "\n"


@given(samples=st.lists(SAMPLES, min_size=1, max_size=4, unique_by=lambda sample: sample.id))
def test_llavas_shape_is_read_back_but_for_outer_space(tmp_path_factory, samples):
    path = tmp_path_factory.getbasetemp() / "llava.json"
    write_llava(samples, path)
    data = load_samples(path, unlabeled=True)
    names = ("id", "answer", "image", "category", "group", "refused")
    assert kept(data, *names) == kept(samples, *names)
    assert [s.query for s in data] == [s.query.lstrip() if s.image else s.query for s in samples]


def sample(name, **fields):
    return Sample(**{"id": name, "record": name, "query": "What?", "refused": False, "label_source": "answer"} | fields)


def test_a_group_is_written_where_there_is_one(tmp_path):
    write_samples([sample("a"), sample("b", group="balno")], tmp_path / "s.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line.get("group", "absent") for line in lines] == ["absent", "balno"]


def test_the_source_of_the_label_is_kept(tmp_path):
    samples = [sample("a", refused=True), sample("b", label_source="field")]
    write_samples(samples, tmp_path / "new" / "s.jsonl")
    assert list(load_samples(tmp_path / "new" / "s.jsonl")) == samples


def test_vlguards_shape_keeps_texts_labels_pictures_and_records(tmp_path):
    samples = [
        sample("a", refused=True, answer="No.", image="1.png", category="risky"),
        sample("b", answer="Yes."),
        sample("b#2", record="b", query="Why?", answer="So."),
    ]
    write_vlguard(samples, tmp_path / "v.json")
    data = load_samples(tmp_path / "v.json")
    assert data.format == "vlguard"
    kept = ("record", "query", "answer", "image", "refused", "category")
    assert [[getattr(s, name) for name in kept] for s in data] == [[getattr(s, name) for name in kept] for s in samples]
    assert [s.id for s in data] == ["a", "b/safe", "b/safe#2"]


def test_llavas_shape_has_a_placeholder_for_the_picture_and_reads_the_label_from_the_answer(tmp_path):
    write_llava([sample("a", refused=True, answer="Yes.", image="1.png"), sample("b")], tmp_path / "l.json")
    assert json.loads((tmp_path / "l.json").read_text()) == [
        {
            "id": "a",
            "image": "1.png",
            "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "Yes."}],
        },
        {"id": "b", "conversations": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": ""}]},
    ]
    data = load_samples(tmp_path / "l.json", unlabeled=True)
    assert (data.format, [(one.label_source, one.refused) for one in data]) == (
        "llava",
        [("answer", False), ("none", None)],
    )


@pytest.mark.parametrize(
    ("name", "format", "writer"),
    [
        ("a.jsonl", "vlguard", write_samples),
        ("a.JSONL", "json", write_samples),
        ("a.json", "spa-vl", write_json),
        ("a.JSON", "csv", write_json),
    ],
)
def test_the_suffix_and_the_inputs_format_choose_the_writer(tmp_path, name, format, writer):
    assert writer_for(tmp_path / name, format) is writer


@pytest.mark.parametrize("format", ["vlguard", "llava"])
def test_a_json_file_has_the_shape_of_the_input(tmp_path, format):
    one = sample("a/safe" if format == "vlguard" else "a", record="a", answer="It is.")
    assert writer_for(tmp_path / "a.json", format)([one], tmp_path / "a.json") is None
    assert load_samples(tmp_path / "a.json").format == format


@pytest.mark.parametrize("name", ["a.csv", "a", "a.json.gz"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=f"{name}: unknown suffix; valid: .jsonl, .json"):
        writer_for(tmp_path / name, "json")


def test_the_label_of_spa_vl_stays_where_its_answer_says_otherwise(tmp_path):
    samples = [sample("a", refused=True, answer="From flour."), sample("b", label_source="field")]
    writer_for(tmp_path / "s.json", "spa-vl")(samples, tmp_path / "s.json")
    assert list(load_samples(tmp_path / "s.json")) == samples


@pytest.mark.parametrize("write", [write_samples, write_json, write_vlguard, write_llava])
def test_samples_are_written_as_they_come(tmp_path, write):
    tracemalloc.start()
    write((sample(str(n), query="w" * 2_000) for n in range(5_000)), tmp_path / "s")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 < 10 * 2**20 < (tmp_path / "s").stat().st_size


@pytest.mark.parametrize("write", [write_samples, write_json, write_vlguard, write_llava])
def test_a_source_that_breaks_off_leaves_the_old_file(tmp_path, write):
    (tmp_path / "s.json").write_text("old")

    def samples():
        yield sample("a")
        raise UserError("d.jsonl: line 2: not JSON")

    with pytest.raises(UserError, match="line 2"):
        write(samples(), tmp_path / "s.json")
    assert (tmp_path / "s.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_provenance_is_written_and_passed_over_when_read(tmp_path):
    samples = [sample("a", refused=True), sample("b")]
    write_samples(samples, tmp_path / "s.jsonl", {"a": {"source": "d.json", "harm": 4}})
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [row.get("provenance") for row in rows] == [{"source": "d.json", "harm": 4}, None]
    assert [one.id for one in load_samples(tmp_path / "s.jsonl")] == ["a", "b"]
    write_samples(samples, tmp_path / "plain.jsonl")
    assert "provenance" not in (tmp_path / "plain.jsonl").read_text()


def test_no_samples_make_an_empty_list(tmp_path):
    write_json([], tmp_path / "s.json")
    assert (tmp_path / "s.json").read_text() == "[]\n"


def test_no_temporary_file_is_left(tmp_path):
    write_samples([sample("a")], tmp_path / "s.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]
    assert json.loads((tmp_path / "s.jsonl").read_text())["id"] == "a"
