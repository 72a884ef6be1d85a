"""benchmarks/gpu.py on the CPU: its sections run on tiny models, and one that fails ends no other."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture
def gpu(monkeypatch):
    """Return the script, with two of its sections and some that fail."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    def killed(*, tiny):
        os.kill(os.getpid(), signal.SIGKILL)

    def fails(*, tiny):
        raise ValueError("a tensor\nis too large")

    def full(*, tiny):
        raise gpu.DoesNotFitError("needs about 245 GiB, and this GPU has 80")

    names = ("align:qwen2.5-vl-7b:rmu", "recipe:npo-full-7b")
    kept = {name: gpu.SECTIONS[name] for name in names}
    others = {
        "attack:killed": killed,
        "attack:slow": lambda *, tiny: time.sleep(60),
        "recipe:fails": fails,
        "recipe:large": full,
    }
    monkeypatch.setattr(gpu, "SECTIONS", kept | others)
    monkeypatch.setattr(gpu, "LIMITS", gpu.LIMITS | {"attack": 0.5})
    return gpu


def test_sections_are_measured_and_failures_recorded(gpu, tmp_path, capsys):
    assert gpu.main(["--tiny", "--keep", str(tmp_path / "gpu.json")]) == 1
    found = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    assert json.loads(capsys.readouterr().out) == found
    sections = found["sections"]
    step = sections["align:qwen2.5-vl-7b:rmu"]
    assert step["outcome"] == "done"
    assert step["over_floor"] == pytest.approx(step["step_s"] / step["floor_s"])
    assert min(step["step_s"], step["floor_s"], step["peak_gib"], step["estimate_gib"]) > 0
    recipe = sections["recipe:npo-full-7b"]
    assert (recipe["outcome"], recipe["batch_size"], len(recipe["loss"])) == ("done", 2, 2)
    assert {name: one["why"] for name, one in sections.items() if one["outcome"] == "failed"} == {
        "attack:killed": "its process ended with exit code -9",
        "attack:slow": "took longer than 0.5 s",
        "recipe:fails": "ValueError: a tensor is too large",
    }
    assert found["failed"] == ["attack:killed", "attack:slow", "recipe:fails"]
    assert sections["recipe:large"]["outcome"] == "skipped"
    assert {"commit", "machine", "settings", "seconds"} <= found.keys()


def test_what_no_time_is_left_for_has_failed(gpu, capsys):
    assert gpu.main(["--tiny", "--minutes", "0", "--only", "recipe:large"]) == 1
    found = json.loads(capsys.readouterr().out)["sections"]
    assert found == {"recipe:large": {"outcome": "failed", "why": "not run: the 0 minutes are over"}}


def test_full_size_sections_have_the_sizes_of_the_published_models(gpu, monkeypatch):
    for name, billions in {gpu.LLAVA: 7.063, gpu.QWEN: 8.292, gpu.LLAVA_13B: 13.35}.items():
        model = gpu.vlm_of(gpu.FULL[name], name, "meta").model
        assert sum(one.numel() for one in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.005)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RuntimeError, match="torch finds no GPU; --tiny runs"):
        gpu.device_of(tiny=False)
