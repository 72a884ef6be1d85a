"""Benchmark scripts and the tables that they wrote into pages of the repository."""

import importlib.util
from pathlib import Path
from types import ModuleType

from unmirage.testbed.summary import markers

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def benchmark(name: str) -> ModuleType:
    """Return the module of a script in `benchmarks`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(page: str, marker: str) -> str:
    """Return what stands between two markers of a page."""
    begin, end = markers(marker)
    return (ROOT / page).read_text(encoding="utf-8").split(begin)[1].split(end)[0].strip()
