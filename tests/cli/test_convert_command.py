"""`unmirage convert`: what it prints, and its exit codes."""

import json

import pytest
from tests.models.original_llava.checkpoint import Original, teacher


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    made = Original(tmp_path_factory.mktemp("original"), teacher())
    made.write()
    return made


def test_a_checkpoint_is_converted(unmirage, original, tmp_path):
    out = tmp_path / "out"
    code, printed, err = unmirage("convert", original.folder, out, "--vision-tower", original.tower, "--json")
    assert code == 0, err
    document = json.loads(printed)
    assert document == json.loads((out / "unmirage_convert.json").read_text())
    assert document["schema"] == "unmirage.convert/1"
    assert (document["settings"]["tensors"], document["settings"]["tower"]) == (73, "folder")
    assert document["settings"]["asks_as_original"] is True
    assert "73 tensors in 1 files" in err
    assert "Next: unmirage attack" in err
    assert (out / "model.safetensors").is_file()


def test_mistakes_are_one_line_and_exit_code_2(unmirage, original, tmp_path):
    code, out, err = unmirage("convert", original.folder, tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith("unmirage: the checkpoint has no vision tower; add --vision-tower FOLDER")
    code, _, err = unmirage("convert", original.folder, original.tower)
    assert code == 2
    assert "exists" in err
    assert not (tmp_path / "out").exists()
