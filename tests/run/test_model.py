import json

import pytest
import torch
from safetensors.torch import load_file

from unmirage.run.model import ALIGN_FILE, STATE_FILE, save_model


class Model:
    def __init__(self, error=None):
        self.error = error

    def save(self, folder):
        assert list(folder.iterdir()) == []
        (folder / "weights.txt").write_text("weights")
        if self.error:
            raise self.error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_weights_settings_and_the_methods_tensors_are_saved(tmp_path):
    state = {"direction": torch.tensor([0.6, 0.8])}
    save_model(tmp_path / "rmu", Model(), {"method": {"name": "rmu", "layer": 2}}, state)
    assert names(tmp_path / "rmu") == [ALIGN_FILE, STATE_FILE, "weights.txt"]
    assert torch.equal(load_file(tmp_path / "rmu" / STATE_FILE)["direction"], state["direction"])
    document = json.loads((tmp_path / "rmu" / ALIGN_FILE).read_text())
    assert document["settings"] == {"method": {"name": "rmu", "layer": 2}}
    assert document["machine"]["torch"] == torch.__version__
    assert sorted(document) == ["machine", "settings"]


def test_a_method_without_tensors_saves_no_file_for_them(tmp_path):
    save_model(tmp_path / "npo", Model(), {}, {})
    assert names(tmp_path / "npo") == [ALIGN_FILE, "weights.txt"]


def test_a_save_that_fails_leaves_the_old_model(tmp_path):
    save_model(tmp_path / "npo", Model(), {"seed": 0}, {})
    with pytest.raises(OSError, match="disk full"):
        save_model(tmp_path / "npo", Model(OSError("disk full")), {"seed": 1}, {})
    with pytest.raises(TypeError):
        save_model(tmp_path / "npo", Model(), {"seed": object()}, {})
    assert json.loads((tmp_path / "npo" / ALIGN_FILE).read_text())["settings"] == {"seed": 0}
    assert names(tmp_path) == ["npo"]
