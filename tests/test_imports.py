"""A torchvision that is installed but broken, as PyPI's build is beside torch's build for CPUs."""

import json
import os
import subprocess
import sys

import pytest

from unmirage.imports import remedy, why_broken

COMMAND = "from unmirage.cli.main import run; run()"
NMS = "operator torchvision::nms does not exist"


@pytest.fixture
def broken(tmp_path):
    """Return an environment in which `import torchvision` raises."""
    package = tmp_path / "site" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"from torchvision import ops\nraise RuntimeError({NMS!r})\n")
    (package / "ops.py").write_text("")
    places = [str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(places), "HF_HUB_OFFLINE": "1"}


def python(environment, code, *args):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_an_attack_works_with_one_line(broken, tiny, tmp_path):
    words = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--limit", 2, "--max-new-tokens", 1)
    code, _, err = python(
        broken, COMMAND, "attack", tiny.model, tiny.data / "test.json", "--out", tmp_path / "run", *words
    )
    assert code == 0, err
    (line,) = [one for one in err.splitlines() if "torchvision" in one]
    assert line == f"torchvision is installed, but broken ({NMS}); it is not used. {remedy()}"
    assert "queries answered" in err


@pytest.mark.slow
def test_doctor_reports_it_without_importing_torch_or_transformers(broken):
    shown = f"import atexit, sys\natexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))\n{COMMAND}"
    code, out, err = python(broken, shown, "doctor", "--json", "--no-measure")
    assert code == 0, err
    report = json.loads(out)
    assert report["torchvision"] == f"broken: {NMS}"
    assert report["warnings"] == [f"torchvision is broken and is not used. {remedy()}"]
    assert not {"torch", "transformers"} & set(err.split())
    code, out, err = python(broken, COMMAND, "doctor", "--no-measure")
    assert code == 0, err
    assert f"broken: {NMS}" in out
    assert remedy() in out


@pytest.mark.slow
def test_transformers_takes_it_for_missing_and_nothing_of_it_stays(broken):
    code = (
        "import sys, unmirage\n"
        "from transformers import AutoProcessor\n"
        "from transformers.utils import is_torchvision_available\n"
        "print(is_torchvision_available(), [one for one in sys.modules if one.startswith('torchvision.')])"
    )
    status, out, err = python(broken, code)
    assert (status, out) == (0, "False []\n"), err


def test_where_it_is_missing_nothing_is_said():
    code = "import unmirage, sys, unmirage.imports as i; print(repr(i.why_broken()), 'torchvision' in sys.modules)"
    blocked = "import sys; sys.modules['torchvision'] = None\n"
    assert python(os.environ, blocked + code)[1] == "'' True\n"


@pytest.mark.parametrize(
    ("version", "index"),
    [("2.13.0+cpu", " --index-url https://download.pytorch.org/whl/cpu"), ("2.13.0", ""),
     ("2.13.0+cu130", " --index-url https://download.pytorch.org/whl/cu130")],
)  # fmt: skip
def test_the_remedy_names_the_index_of_the_installed_torch(monkeypatch, version, index):
    monkeypatch.setattr("unmirage.imports.metadata.version", lambda name: version)
    assert remedy().endswith(f"pip uninstall -y torchvision && pip install torchvision{index}")


def test_it_is_tried_at_most_once():
    assert why_broken() == why_broken()
