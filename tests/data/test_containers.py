import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.containers import READERS, read_rows
from unmirage.errors import UserError

RECORDS = [{"a": "x", "b": 1}, {"a": "y\u2028z", "b": None}]


@pytest.fixture
def write(tmp_path):
    def write(content, name="d.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def fields(path, container=None):
    return [dict(row.fields) for row in read_rows(path, container)[1]]


def test_the_same_records_from_a_list_and_from_lines_under_any_name(write):
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
    assert fields(write(json.dumps(RECORDS))) == RECORDS
    assert fields(write(lines, "d.jsonl")) == RECORDS
    assert read_rows(write(lines, "d.json"))[0] == "jsonl"
    assert fields(write(lines, "d.json")) == RECORDS


def test_csv_and_tsv_with_quotes_line_breaks_and_long_cells(write):
    long = "w" * 1_000_000
    assert fields(write(f'a,b\n"x, ""y""\nz",{long}\n', "d.csv")) == [{"a": 'x, "y"\nz', "b": long}]
    assert fields(write("a\tb\n1\t2,3\n", "d.tsv")) == [{"a": "1", "b": "2,3"}]
    assert fields(write("a,b\n1,2\n", "d.txt"), "csv") == [{"a": "1", "b": "2"}]


def test_a_byte_order_mark_and_blank_lines_are_no_matter(write):
    assert fields(write(b'\xef\xbb\xbf{"a": 1}\n\n{"a": 2}\n', "d.jsonl")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ('{"a": 1}\n{"a": ', "d.jsonl", r"d\.jsonl: line 2: not JSON \(column"),
        ('{"a": 1}\n\n[1]\n', "d.jsonl", r"line 3: must be an object with named fields, not \[1\]"),
        ('{"a": NaN}\n', "d.jsonl", r"line 1: not JSON \(NaN is no JSON value; write null\)"),
        ('[{"a": -Infinity}]', "d.json", "-Infinity is no JSON value"),
        ('[{"a": 1},\n 5 5]', "d.json", r"d\.json: not JSON \(line 2, column 4"),
        ('[{"a": 1}, 7]', "d.json", r"record 2 of 2: must be an object with named fields, not 7"),
        ('{\n"a": 1}', "d.json", r"must hold a JSON list of records, not \{'a': 1\}"),
        ("[" * 200_000, "d.json", "not JSON"),
        ("", "d.json", "holds no records"),
        ("[]", "d.json", "holds no records"),
        ("\n\n", "d.jsonl", "holds no records"),
        ("a,b\n", "d.csv", "holds no records"),
        ("a,a\n1,2\n", "d.csv", "line 1: two columns have the same name"),
        ("a,b\n1,2\n3\n", "d.csv", "line 3: has 1 of 2 cells"),
        ('a,b\n1,"2\n', "d.csv", r"line 2: not CSV \("),
        (b'["\xff"]', "d.json", "byte 2 is not UTF-8"),
    ],
)
def test_a_broken_file_is_named_with_the_place(write, content, name, message):
    with pytest.raises(UserError, match=message) as caught:
        read_rows(write(content, name))
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(UserError, match="is a folder; name the data file"):
        read_rows(tmp_path)
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        read_rows(tmp_path / "none.json")


@given(st.text(), st.sampled_from(sorted(READERS)))
def test_any_text_is_read_or_refused_with_the_files_name(text, container):
    message = "any: "
    numbers = []
    try:
        numbers = [row.number for row in READERS[container](text, Path("any"))]
    except UserError as error:
        message = str(error)
    assert message.startswith("any: ")
    assert numbers == list(range(1, len(numbers) + 1))
