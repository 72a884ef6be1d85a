import math

import pytest

from unmirage.errors import UserError
from unmirage.run.files import read_json, read_object


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1', "invalid JSON (line 1"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": NaN}', "contains NaN; valid: finite numbers"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_json(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"x\.json: no such file"):
        read_json(tmp_path / "x.json")
    with pytest.raises(UserError, match=rf"{tmp_path.name}: cannot be read \(Is a directory\)"):
        read_json(tmp_path)


def test_what_python_writes_is_read_where_it_may_be(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('\ufeff{"a": NaN}', encoding="utf-8")
    assert math.isnan(read_object(path)["a"])
    path.write_text("[NaN]")
    assert math.isnan(read_json(path, constants=True)[0])
    with pytest.raises(UserError, match="not a JSON object"):
        read_object(path)
