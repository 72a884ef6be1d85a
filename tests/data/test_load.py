import pytest

from unmirage.data import FORMATS, load_samples
from unmirage.data.rows import Row
from unmirage.errors import UserError

ROW = {"query": "What is it?", "refused": False}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_offers_the_same_two_functions(name):
    assert FORMATS[name].matches({}) is False
    with pytest.raises(UserError, match="x: row 1: field"):
        FORMATS[name].samples_of(Row({}, 1, "x", "row", 1))


def test_an_unknown_format_lists_the_valid_ones(load):
    with pytest.raises(
        UserError, match=r"unknown format 'lava'; valid: auto, beavertails, csv, figstep, .*Did you mean 'llava'\?"
    ):
        load([ROW], "lava")


def test_a_file_that_fits_no_format_says_what_it_has_and_what_is_valid(load):
    message = r"d\.json: no known format has the fields \['colour', 'size'\]; valid formats: vlguard, spa-vl, pref"
    with pytest.raises(UserError, match=message):
        load([{"size": 1, "colour": "red"}])


def test_one_broken_record_in_front_does_not_hide_the_format(load):
    with pytest.raises(UserError, match="record 1: field 'query' is missing"):
        load([{"x": 1}, ROW])


def test_columns_are_for_tables_only(load):
    with pytest.raises(UserError, match="'llava' does not accept columns; valid formats: json, jsonl, csv, parquet"):
        load([ROW], "llava", columns={"query": "query"})


def test_a_table_can_be_read_as_csv_whatever_its_suffix(load):
    assert load("query,refused\nWhat?,yes\n", "csv", name="d.dat").samples[0].refused


def test_pictures_lie_beside_the_file_or_where_the_user_says(load, tmp_path):
    assert load([ROW]).image_root == tmp_path
    (tmp_path / "elsewhere").mkdir()
    assert load([ROW], images=tmp_path / "elsewhere").image_root == tmp_path / "elsewhere"
    with pytest.raises(UserError, match=r"--images .*elsewher: no such folder; .* Did you mean '.*/elsewhere'"):
        load([ROW], images=tmp_path / "elsewher")


def test_repeated_ids_are_told_apart_and_records_kept(load):
    ids = ["a", "a", "a#2", "a"]
    data = load([ROW | {"id": name} for name in ids])
    assert [s.id for s in data] == ["a", "a#2", "a#2#2", "a#3"]
    assert [s.record for s in data] == ids


def test_a_missing_file_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_samples(str(tmp_path / "x.json"))


def test_bad_records_are_set_aside_when_asked(load):
    rows = [ROW, {"query": 5}, ROW | {"image": "/etc/passwd"}, ROW | {"refused": "perhaps"}, ROW]
    assert [s.id for s in load(rows, skip_bad=True)] == ["1", "5"]
    with pytest.raises(UserError, match="record 2: field 'query' must be text, not 5"):
        load(rows)


def test_the_columns_are_those_of_the_first_thousand_records(load):
    rows = [{"prompt": "a", "label": 0}] * 1_000 + [{"prompt": "b", "query": "c", "label": 0}]
    assert load(rows).samples[-1].query == "b"
    with pytest.raises(
        UserError, match="has no column 'query' for 'query' in its first 1,000 records; it has 'prompt'"
    ):
        load(rows, columns={"query": "query"})


def test_a_folder_without_data_that_can_be_told_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; name the data file in it \(.json, .jsonl, .csv or .parquet\)"):
        load_samples(tmp_path)
