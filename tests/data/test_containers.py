import io
import json
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.containers import READERS, text_file
from unmirage.data.source import strict
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
    return [dict(row.fields) for row in text_file(path, container).rows(strict)]


def kept(path, container=None):
    """Return the readable records, and the errors of the others."""
    errors = []
    rows = list(text_file(path, container).rows(lambda error: errors.append(str(error).removeprefix(f"{path}: "))))
    return [(row.number, row.fields) for row in rows], errors


def test_the_same_records_from_a_list_and_from_lines_under_any_name(write):
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
    assert fields(write(json.dumps(RECORDS))) == RECORDS
    assert fields(write(lines, "d.jsonl")) == RECORDS
    assert text_file(write(lines, "d.json")).container == "jsonl"
    assert fields(write(lines, "d.json")) == RECORDS


def test_csv_and_tsv_with_quotes_line_breaks_and_long_cells(write):
    long = "w" * 1_000_000
    assert fields(write(f'a,b\n"x, ""y""\nz",{long}\n', "d.csv")) == [{"a": 'x, "y"\nz', "b": long}]
    assert fields(write("a\tb\n1\t2,3\n", "d.tsv")) == [{"a": "1", "b": "2,3"}]
    assert fields(write("a,b\n1,2\n", "d.txt"), "csv") == [{"a": "1", "b": "2"}]


def test_a_byte_order_mark_and_blank_lines_are_no_matter(write):
    assert fields(write(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\r\n', "d.jsonl")) == [{"a": 1}, {"a": 2}]
    assert fields(write(b'\xef\xbb\xbf[{"a": 1},\r\n{"a": 2}]\r\n')) == [{"a": 1}, {"a": 2}]
    assert fields(write(b"\xef\xbb\xbfa\r\n1\r\n\r\n2\r\n", "d.csv")) == [{"a": "1"}, {"a": "2"}]
    assert fields(write(b"a\r1\r2\r", "d.csv")) == [{"a": "1"}, {"a": "2"}]


def test_lone_surrogates_that_are_escaped_are_kept(write):
    for content, name in (('[{"a": "\\ud800"}]', "d.json"), ('{"a": "\\ud800"}', "d.jsonl")):
        assert fields(write(content, name)) == [{"a": "\ud800"}]


def test_numbers_and_repeated_names_are_read_as_python_reads_them(write):
    record = '{"a": 1, "a": 1.0, "b": 1e2, "c": -0, "d": -0.0, "e": 12345678901234567890123, "f": 1e400, "a": 2}'
    for content, name in ((f"[{record}]", "d.json"), (record, "d.jsonl")):
        (found,) = fields(write(content, name))
        assert repr(found) == "{'a': 2, 'b': 100.0, 'c': 0, 'd': -0.0, 'e': 12345678901234567890123, 'f': inf}"


def test_a_number_with_too_many_digits_costs_one_record(write):
    rows, errors = kept(write('[{"a": 1}, {"a": ' + "1" * 5_000 + '}, {"a": 2}]'))
    assert rows == [(1, {"a": 1}), (3, {"a": 2})]
    assert errors[0].startswith("record 2: not JSON (Exceeds the limit (4300 digits)")


def test_an_object_of_records_gives_its_names_as_ids(write):
    document = {"7": {"a": 1}, "8": {"id": None}, "9": {"a": 2, "id": "own"}}
    for text in (json.dumps(document), json.dumps(document, indent=1)):
        assert fields(write(text)) == [{"id": "7", "a": 1}, {"id": "8"}, {"a": 2, "id": "own"}]


def test_one_record_is_never_taken_for_an_object_of_records(write):
    record = {"metadata": {"over": 1}, "query": "What?"}
    assert fields(write(json.dumps(record))) == [record]
    assert fields(write('{"a": {}}\n\n{"a": {}}')) == [{"a": {}}, {"a": {}}]
    with pytest.raises(UserError, match=r"must hold a JSON list of records, not \{'query': 'What\?'\}"):
        kept(write(json.dumps(record, indent=1)))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ('{"a": 1}\n{"a": ', "d.jsonl", r"d\.jsonl: line 2: not JSON \(column 6: Expecting value"),
        ('{"a": 1}\n\n[1]\n', "d.jsonl", r"line 3: must be an object with named fields, not \[1\]"),
        ('{"a": NaN}\n', "d.jsonl", r"line 1: not JSON \(NaN is not a JSON value; write null\)"),
        ('[{"a": -Infinity}]', "d.json", r"record 1: not JSON \(-Infinity is not a JSON value"),
        ('[{"a": 1},\n {"a": 2} 5]', "d.json", r"record 3: not JSON \(line 2, column 11: Expecting ',' or '\]'\)"),
        ('[{"a": 1},\n {"a": "x', "d.json", r"record 2: not JSON \(line 2, column 8: Unterminated string"),
        ('[{"a": 1}\n', "d.json", r"record 2: not JSON \(line 2, column 1: Expecting ',' or '\]'\)"),
        ('[{"a": 1}]\n}', "d.json", r"record 2: not JSON \(line 2, column 1: Extra data\)"),
        ('[{"a": 1}, 7]', "d.json", r"record 2: must be an object with named fields, not 7"),
        ('{\n"a": 1}', "d.json", r"must hold a JSON list of records, not \{'a': 1\}"),
        ('{\n"a": {},\n 5: {}}', "d.json", r"record 2: not JSON \(line 3, column 2: Expecting a name in double quotes"),
        ('{\n"a" {}}', "d.json", r"record 1: not JSON \(line 2, column 5: Expecting ':'\)"),
        ("17", "d.json", r"must hold a JSON list of records, not 17"),
        ("hello", "d.json", r"record 1: not JSON \(line 1, column 1: Expecting value\)"),
        ("[" * 200_000, "d.json", r"record 1: not JSON \(line 1, column 2: maximum recursion depth"),
        ('[{"a": NaN, "b": ' + "[" * 200_000, "d.json", r"record 1: not JSON \(line 1, column 2: maximum recursion"),
        ("[" + "1" * 5_000 + "]", "d.json", "record 1: not JSON .*limit"),
        ("a,a\n1,2\n", "d.csv", "line 1: two columns have the same name"),
        ('"a"b\n1,2\n', "d.csv", r"line 1: not CSV \("),
        ("a,b\n1,2\n3\n", "d.csv", "line 3: has 1 of 2 cells"),
        ('a,b\n1,"2\n', "d.csv", r"line 2: not CSV \("),
        (b'["\xff"]', "d.json", "record 1: byte 2 is not UTF-8; save the file as UTF-8 text"),
        (b'\xef\xbb\xbf[{"a": "\xe2\x82', "d.json", "record 1: byte 11 is not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}\n{"a": "\xff"}', "d.jsonl", "byte 19 is not UTF-8"),
        (b"a,b\n1,\xff\n", "d.csv", "byte 6 is not UTF-8"),
        (b"a,\xff\n1,2\n", "d.csv", "byte 2 is not UTF-8"),
    ],
)
def test_a_broken_file_is_named_with_the_place(write, content, name, message):
    with pytest.raises(UserError, match=rf"{name}: {message}" if message.startswith("record") else message) as caught:
        fields(write(content, name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "name"), [("", "d.json"), ("[]", "d.json"), ("\n\n", "d.jsonl"), ("a\n", "d.csv")])
def test_a_file_may_hold_no_records(write, content, name):
    assert fields(write(content, name)) == []


def test_bad_lines_are_told_and_the_rest_keeps_its_numbers(write):
    content = b'{"a": 1}\n{"a": \n\n[1]\n{"a": "\xff"}\n{"a": NaN}\n{"a": 2}\n{"a"'
    rows, errors = kept(write(content, "d.jsonl"))
    assert rows == [(1, {"a": 1}), (6, {"a": 2})]
    assert [error.split(":")[0] for error in errors] == [
        "line 2",
        "line 4",
        "byte 28 is not UTF-8; save the file as UTF-8 text",
        "line 6",
        "line 8",
    ]


def test_bad_rows_of_csv_are_told_and_reading_goes_on(write):
    rows, errors = kept(write(b'a,b\n1,2\n3\n"x"y,1\n5,\xff\n\n7,8\n9,"\n', "d.csv"))
    assert rows == [(1, {"a": "1", "b": "2"}), (5, {"a": "7", "b": "8"})]
    assert errors == [
        "line 3: has 1 of 2 cells",
        "line 4: not CSV (',' expected after '\"')",
        "byte 19 is not UTF-8; save the file as UTF-8 text",
        "line 8: not CSV (unexpected end of data)",
    ]


def test_what_stands_before_a_tear_in_a_list_is_kept_and_the_tear_told_once(write):
    rows, errors = kept(write('[{"a": 1}, {"a": NaN}, 7, {"a": 2}, {"a": [1, tru'))
    assert rows == [(1, {"a": 1}), (4, {"a": 2})]
    assert errors == [
        "record 2: not JSON (NaN is not a JSON value; write null)",
        "record 3: must be an object with named fields, not 7",
        "record 5: not JSON (line 1, column 47: Expecting value)",
    ]
    rows, errors = kept(write(b'[{"a": 1}, {"a": "\xff"}, {"a": 2}]'))
    assert (rows, errors) == ([(1, {"a": 1})], ["record 2: byte 18 is not UTF-8; save the file as UTF-8 text"])


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_a_list_reads_the_same_in_pieces_of_any_size(write, monkeypatch, chunk):
    records = [{"a": "x" * n, "b": [n, -1.5e3, True, None, '\U0001f600 " \\ é \u2028']} for n in range(40)]
    path = write(" \n" + json.dumps(records, indent=1) + "\n ")
    monkeypatch.setattr("unmirage.data.json_text._CHUNK", chunk)
    assert fields(path) == records
    path.write_bytes(json.dumps(records, ensure_ascii=False).encode())
    assert fields(path) == records
    torn = write('[\n{"a": 12},\n\n{"a": "é"},\n  {"a": "é" "b"}]')
    rows, errors = kept(torn)
    assert (len(rows), errors) == (2, ["record 3: not JSON (line 5, column 13: Expecting ',' delimiter)"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    ),
    st.integers(1, 20),
    st.booleans(),
)
def test_any_value_reads_as_json_does(tmp_path_factory, value, chunk, ascii):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps([{"a": value}, {"b": value}], ensure_ascii=ascii), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unmirage.data.json_text._CHUNK", chunk)
        assert fields(path) == [{"a": value}, {"b": value}]


def test_records_of_many_mebibytes_on_one_line(write):
    records = [{"a": "w" * 5_000_000}, {"a": "é" * 3_000_000}]
    assert fields(write(json.dumps(records, ensure_ascii=False))) == records
    assert fields(write("\n".join(json.dumps(record) for record in records), "d.jsonl")) == records


@pytest.mark.parametrize("name", ["d.json", "d.jsonl", "d.csv"])
def test_reading_holds_a_small_part_of_the_file(write, name):
    texts = [str(n) + "w" * 2_000 for n in range(10_000)]
    lines = [json.dumps({"a": text}) for text in texts]
    contents = {"d.json": f"[{','.join(lines)}]", "d.jsonl": "\n".join(lines), "d.csv": "\n".join(["a", *texts])}
    path = write(contents[name], name)
    del texts, lines, contents
    tracemalloc.start()
    assert sum(1 for _ in text_file(path).rows(strict)) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20 < path.stat().st_size


def test_an_error_early_in_a_long_list_is_told_without_reading_on(tmp_path):
    class Endless(io.RawIOBase):
        def __init__(self):
            self.read_bytes = 0

        def read(self, size):
            text = (b"" if self.read_bytes else b'[{"a" 1}, ') + b'{"a": 1}, ' * (size // 10)
            self.read_bytes += len(text)
            assert self.read_bytes < 2**23
            return text

    with pytest.raises(UserError, match=r"any: record 1: not JSON \(line 1, column 7: Expecting ':' delimiter\)"):
        list(READERS["json"](Endless(), "any", strict))


def test_progress_counts_bytes_up_to_the_end(write):
    path = write("\n".join(json.dumps({"a": "w" * 1_000}) for _ in range(3_000)), "d.jsonl")
    size = path.stat().st_size
    calls = []
    assert sum(1 for _ in text_file(path).rows(strict, lambda *call: calls.append(call))) == 3_000
    assert calls[-1] == (size, size)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert {total for _, total in calls} == {size}
    assert calls[0][0] == 2**20


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(UserError, match="is a folder; name the data file"):
        text_file(tmp_path)
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        text_file(tmp_path / "none.json")


def test_what_can_be_read_only_once_is_refused(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"pipe\.json: is not a regular file"):
        text_file(pipe)


def test_a_file_that_may_not_be_read_is_named(write, monkeypatch):
    class Denied(io.FileIO):
        def __init__(self, *_):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("unmirage.data.metered._Metered", Denied)
    with pytest.raises(UserError, match=r"d\.json: cannot be read \(Permission denied\)"):
        text_file(write("[]"))


@given(st.text() | st.binary(), st.sampled_from(sorted(READERS)))
def test_any_text_is_read_or_refused_with_the_files_name(content, container):
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    errors = []
    try:
        numbers = [row.number for row in READERS[container](io.BytesIO(content), "any", errors.append)]
    except UserError as error:
        errors.append(error)
    else:
        assert numbers == sorted(set(numbers))
    assert all(str(error).startswith("any: ") for error in errors)
