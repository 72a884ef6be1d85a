import json
import platform
import re
from importlib import metadata
from pathlib import Path

from unmirage.run.machine import describe_machine


def test_versions_and_hardware_are_named():
    found = describe_machine()
    assert found["python"] == platform.python_version()
    for name in ("unmirage", "torch", "transformers", "accelerate", "numpy", "scipy", "scikit-learn"):
        assert found[name] == metadata.version(name)
    assert isinstance(found["cpus"], int)
    assert found["cpus"] >= 1
    assert found["threads"] >= 1
    assert found["accelerator"]


def test_no_host_user_or_path_is_told():
    text = json.dumps(describe_machine(), allow_nan=False)
    assert str(Path.home()) not in text
    assert not re.search(rf"\b{re.escape(platform.node() or 'no node')}\b", text)
    assert "/" not in text.replace("\\/", "")
