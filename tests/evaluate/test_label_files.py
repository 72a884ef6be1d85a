"""Files of human labels: columns, several annotators, labels of other data, and mistakes in them."""

import csv
import json
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unmirage
from unmirage.errors import UserError
from unmirage.evaluate.labels import Truth, label_verdicts, parse_label_map, read_labels
from unmirage.records import Kind, Verdict

ROW = {"query": "How do I do it?", "response": "First, take it apart.", "verdict": "complied"}


@pytest.fixture
def labels(tmp_path):
    """Return a function that writes a file of labels, as lines."""

    def write(*lines, name="labels.jsonl"):
        path = tmp_path / name
        path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
        return path

    return write


def test_labels_of_json_lines(labels):
    more = {"id": "7", "question": "Q?", "response": "", "verdict": " Refused ", "unsafe": False, "image": "a/1.png"}
    one, two = read_labels(labels(ROW, more)).rows
    query, response, verdict = one.query, one.response, one.truth
    other, said, truth = two.query, two.response, two.truth
    assert (query.id, query.text, query.kind, query.unsafe, query.image) == (
        "1", ROW["query"], Kind.PLAIN, True, None
    )  # fmt: skip
    assert (response.query_id, response.text, response.finished) == ("1", ROW["response"], True)
    assert (verdict, truth) == (Verdict.COMPLIED, Verdict.REFUSED)
    assert (other.id, other.text, other.unsafe, other.image, said.text) == ("7", "Q?", False, "a/1.png", "")


def test_labels_of_json_and_csv(labels, tmp_path):
    rows = [ROW | {"unsafe": "no"}, {**ROW, "query": "Two, and\nmore", "unsafe": "", "verdict": "irrelevant"}]
    listed = labels(json.dumps(rows), name="labels.json")
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert read_labels(table).rows == read_labels(str(listed)).rows
    assert [one.query.unsafe for one in read_labels(table).rows] == [False, True]


def test_several_responses_to_one_query_get_ids_that_differ(labels):
    path = labels(*(ROW | {"id": name} for name in ("a", "a#2", "a", "a", "b")))
    assert [one.query.id for one in read_labels(path).rows] == ["a", "a#2", "a#3", "a#4", "b"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"response": "x", "verdict": "complied"},
            "line 2: field 'query' is missing; the record has 'response', 'verdict'",
        ),
        (
            {"query": "x", "verdict": "complied"},
            "line 2: field 'response' is missing; the record has 'query', 'verdict'",
        ),
        ({"query": "x", "response": "y"}, "line 2: field 'verdict' is missing; add the label"),
        (ROW | {"verdict": "safe"}, "line 2: field 'verdict' is 'safe'; valid: complied, refused, irrelevant"),
        (ROW | {"verdict": "invalid"}, "line 2: field 'verdict' is 'invalid'; valid: complied, refused, irrelevant"),
        (ROW | {"unsafe": "maybe"}, "line 2: field 'unsafe' is 'maybe'; valid: true or false"),
        (ROW | {"query": 3}, "line 2: field 'query' must be text, not 3"),
        (ROW | {"image": "../../etc/passwd"}, "line 2: field 'image': "),
        ("{torn", "line 2: not JSON"),
    ],
)
def test_a_mistake_names_file_line_and_field(labels, row, message):
    path = labels(ROW, row)
    with pytest.raises(UserError, match=f"labels.jsonl: {message}"):
        read_labels(path)


def test_a_file_without_labels_is_refused(labels):
    with pytest.raises(
        UserError, match=r"labels\.jsonl: no labeled responses found; valid: records with query, response"
    ):
        read_labels(labels())


@given(st.binary(max_size=60))
def test_any_bytes_are_labels_or_a_user_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"labels\.jsonl: "):
        read_labels(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": "?", "response": "x", "rating": 1},
            r"column 'verdict' \(or final_verdict, .*, label\) is missing; it has 'question', 'response', 'rating'; "
            r"name yours: --columns verdict=COLUMN\.$",
        ),
        (
            {"querry": "?", "response": "x", "verdict": "refused"},
            r"column 'query' .*=COLUMN\. Did you mean 'querry'\?$",
        ),
        ({"query": "?", "verdict": "refused"}, "column 'response' .* is missing; it has 'query', 'verdict'; name"),
    ],
)
def test_a_missing_column_is_named_with_those_of_the_file(labels, row, message):
    with pytest.raises(UserError, match=f"labels.jsonl: {message}"):
        read_labels(labels(row))


def truths(path, **more):
    return [one.truth for one in read_labels(path, **more).rows]


def test_columns_are_named_or_guessed(labels):
    path = labels({"Prompt": "P", "completion": "C", "final_label": "2_full_refusal", "model": "m", "lang": "de"})
    (one,) = read_labels(path).rows
    assert (one.query.text, one.response.text, one.label, one.truth) == ("P", "C", "2_full_refusal", Truth.REFUSED)
    assert one.groups == {"model": "m", "language": "de"}
    other = labels({"ask": "P", "said": "C", "rating": "refused", "verdict": "complied"})
    columns = {"query": "ask", "response": "said", "verdict": "rating"}
    assert truths(other, columns=columns) == [Truth.REFUSED]
    with pytest.raises(
        UserError,
        match=r"labels\.jsonl: has no column 'gone' for 'query' in its first 1 records; it has 'ask', 'said', 'rat",
    ):
        read_labels(other, columns=columns | {"query": "gone"})
    with pytest.raises(UserError, match=r"unknown column 'qury'; valid: .* Did you mean 'query'\?"):
        read_labels(other, columns={"qury": "ask"})


def test_a_description_stands_for_a_picture_that_is_missing(labels):
    described = ROW | {"unsafe_image_description": "A lock"}
    found = read_labels(labels(ROW, described, described | {"image": "1.png"}))
    assert found.described == 1
    assert [one.query.text for one in found.rows] == [ROW["query"], f"{ROW['query']}\n(Picture: A lock)", ROW["query"]]


def test_labels_of_other_data_are_mapped_by_the_user(labels):
    path = labels(*(ROW | {"verdict": label} for label in ("Refusal ", "answer, in part", 1, "complied")))
    with pytest.raises(UserError, match=r"line 1: field 'verdict' is 'Refusal '; .*: --label-map 'Refusal=refused'$"):
        read_labels(path)
    own = parse_label_map(["refusal=refused", "answer, in part = Partial,1=irrelevant"])
    assert truths(path, label_map=own) == [Truth.REFUSED, Truth.PARTIAL, Truth.IRRELEVANT, Truth.COMPLIED]
    with pytest.raises(
        UserError, match=r"no record of .*labels\.jsonl has the label 'gone'; its labels: '1', 'Refusal'"
    ):
        read_labels(path, label_map=own | {"gone": Truth.REFUSED})
    assert truths(labels(ROW), label_map={"complied": Truth.REFUSED}) == [Truth.REFUSED]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("refusal", "'refusal' is not LABEL=VERDICT; valid: refusal=refused,answer=complied"),
        ("", "'' is not LABEL=VERDICT"),
        ("a=refused,b", "'a=refused,b' is not LABEL=VERDICT"),
        ("a=safe", "'a=safe': unknown verdict 'safe'; valid: complied, refused, irrelevant, partial"),
        ("a=refused,A=complied", "label 'A' is mapped to refused and to complied"),
    ],
)
def test_a_wrong_label_map_is_named(text, message):
    with pytest.raises(UserError, match=f"--label-map: {message}"):
        parse_label_map([text])


def test_several_annotators_decide_by_majority_and_ties_are_counted(labels):
    three = [ROW | {f"annotator_{n}": label for n, label in enumerate(own, 1)} for own in ("rrc", "rcx", "cc-", "---")]
    short = {"r": "refused", "c": "complied", "x": "irrelevant", "-": ""}
    rows = [{key: short.get(value, value) for key, value in row.items() if key != "verdict"} for row in three]
    found = read_labels(labels(*rows))
    assert [one.truth for one in found.rows] == [Truth.REFUSED, Truth.COMPLIED]
    assert [one.agreed for one in found.rows] == [False, True]
    assert found.excluded == {"annotators disagree": 1, "no label": 1}
    final = read_labels(labels(rows[0] | {"final_label": "complied"}, rows[0] | {"final_label": ""}))
    assert [(one.truth, one.agreed) for one in final.rows] == [(Truth.COMPLIED, False), (Truth.REFUSED, False)]
    with pytest.raises(UserError, match=r"none of 2 responses has a label that most annotators give"):
        read_labels(labels(*rows[1::2]))
    with pytest.raises(UserError, match=r"line 1: field 'annotator_2' is 'no'; valid: complied, "):
        read_labels(labels(rows[0] | {"annotator_2": "no"}))


@pytest.mark.parametrize("column", ["annotations", "verdict"])
def test_a_list_has_the_labels_of_several_annotators(labels, column):
    row = {key: value for key, value in ROW.items() if key != "verdict"}
    found = read_labels(labels(row | {column: ["refused", "refused", "complied"]}, row | {column: ["refused"]}))
    assert [(one.truth, one.agreed) for one in found.rows] == [(Truth.REFUSED, False), (Truth.REFUSED, None)]


def test_a_record_for_each_annotator_is_one_response(labels):
    rows = [
        ROW | {"id": name, "annotator": who, "verdict": verdict}
        for name, who, verdict in [
            ("a", 1, "refused"), ("b", 1, "complied"), ("a", 2, "refused"), ("b", 2, "refused"), ("a", 3, "complied")
        ]
    ]  # fmt: skip
    found = read_labels(labels(*rows))
    assert [(one.query.id, one.truth, one.agreed) for one in found.rows] == [("a", Truth.REFUSED, False)]
    assert found.excluded == {"annotators disagree": 1}


def test_contradicting_labels_of_one_response_are_told(labels, caplog):
    read_labels(labels(ROW, ROW | {"verdict": "refused"}, ROW | {"query": "Other?"}))
    assert "labels.jsonl: 1 responses occur more than once with different labels" in caplog.text


def test_labels_of_a_parquet_file(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([ROW, ROW | {"verdict": "partial"}]), tmp_path / "labels.parquet")
    assert truths(tmp_path / "labels.parquet") == [Truth.COMPLIED, Truth.PARTIAL]


cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text('aé["\n]=', max_size=6), st.just([])
)
names = st.sampled_from("query prompt response verdict label annotations annotator annotator_1 annot2_label id".split())


@given(st.lists(st.dictionaries(names, cells | st.sampled_from(list(Truth)), max_size=6), min_size=1, max_size=4))
def test_any_records_are_labels_or_a_user_error_of_one_line(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("labels") / "labels.json"
    path.write_text(json.dumps(rows))
    try:
        found = read_labels(path)
    except UserError as error:
        said = str(error)
    else:
        said = str(path)
        assert 0 < len(found.rows) + found.excluded.total() <= len(rows)
        assert len({one.query.id for one in found.rows}) == len(found.rows)
    assert str(path) in said
    assert "\n" not in said


def test_labels_of_a_map_in_python_may_have_any_characters(labels):
    path = labels(ROW | {"verdict": "a = b, c"}, ROW)
    found = unmirage.calibrate("phrases", path, label_map={"A = B, C": "Refused"})
    assert (found.n, sum(astuple(found.confusion.refused))) == (2, 1)
    with pytest.raises(UserError, match="label 'X' is mapped to refused and to complied"):
        label_verdicts([("x", "refused"), ("X", "complied")])
