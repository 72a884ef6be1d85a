import json

import pytest

from unmirage.data import ImageFolder, open_samples
from unmirage.errors import UserError

ROW = {"query": "What is it?", "refused": False}


@pytest.fixture
def write(tmp_path):
    def write(records, name="d.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records), encoding="utf-8")
        return path

    return write


def test_samples_come_as_often_as_asked_with_ids_as_in_the_file(write):
    path = write([ROW | {"id": name} for name in "aba"])
    file = open_samples(path)
    assert [s.id for s in file] == [s.id for s in file] == ["a", "b", "a"]
    assert (file.source, file.format, file.image_root, file.skipped.count) == (path, "jsonl", path.parent, 0)
    assert isinstance(file.pictures, ImageFolder)
    assert file.pictures.root == path.parent
    (path.parent / "elsewhere").mkdir()
    assert open_samples(path, images=path.parent / "elsewhere").pictures.root.name == "elsewhere"


def test_the_file_is_read_while_samples_are_taken(write):
    file = iter(open_samples(write([ROW] * 2_000 + ["{"])))
    assert sum(1 for _, _ in zip(range(2_000), file, strict=False)) == 2_000
    with pytest.raises(UserError, match="line 2001: not JSON"):
        next(file)


def test_a_torn_line_among_the_first_is_named_at_once(write):
    with pytest.raises(UserError, match="line 2: not JSON"):
        open_samples(write([ROW, "{"]))


def test_what_is_set_aside_is_counted_anew_with_the_first_reasons(write):
    path = write([ROW, *["{"] * 15, *[{"query": 5}] * 15, ROW])
    file = open_samples(path, skip_bad=True)
    for _ in range(2):
        assert [s.id for s in file] == ["1", "32"]
        assert (file.skipped.count, len(file.skipped.examples)) == (30, 20)
    assert file.skipped.examples[0].startswith(f"{path}: line 2: not JSON (column 2")
    assert file.skipped.examples[19] == f"{path}: line 21: field 'query' must be text, not 5"
    iter(file)
    assert file.skipped.count == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "contains no records; valid: at least one record in JSON, JSONL, CSV or Parquet"),
        (["{", "["], r"none of the 2 records can be read; the first: .*line 1: not JSON"),
        ([ROW | {"image": "/x"}] * 3, "none of the 3 records can be read; the first: .*line 1: field 'image'"),
    ],
)
def test_a_file_of_which_nothing_is_left_is_refused(write, lines, message):
    with pytest.raises(UserError, match=message):
        list(open_samples(write(lines), skip_bad=True))


def test_a_record_is_set_aside_whole(write):
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    good = {"id": "good", "conversations": turns}
    bad = {"id": "bad", "conversations": [*turns, {"from": "human", "value": "c"}, {"from": "gpt", "value": 5}]}
    file = open_samples(write([bad, good]), skip_bad=True)
    assert [s.id for s in file] == ["good"]
    assert file.skipped.examples == [
        f"{file.source}: line 1, conversations[3]: field 'value' must be text, not 5",
    ]


def test_progress_is_told_for_each_reading_and_not_for_opening(write):
    calls = []
    path = write([ROW] * 10)
    file = open_samples(path, progress=lambda *call: calls.append(call))
    assert calls == []
    assert len(list(file)) == 10
    size = path.stat().st_size
    assert set(calls) == {(size, size)}
