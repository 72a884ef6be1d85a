"""The source distribution has docs, tests and recipes, and the package data cover every recipe."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "unmirage"


def test_package_data_cover_every_recipe_and_template() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = project["tool"]["setuptools"]["package-data"]["unmirage"]
    covered = {path for pattern in globs for path in SOURCE.glob(pattern)}
    needed = {path for folder in ("recipes", "report/templates") for path in (SOURCE / folder).rglob("*.*")}
    assert len(needed) > 20
    assert needed <= covered


@pytest.mark.slow
def test_the_sdist_has_docs_tests_and_recipes(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    copy = tmp_path / "copy"
    parts = ("src", "docs", "tests", "benchmarks", ".github", ".ci")
    for part in parts:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, copy)
    code = "from setuptools import build_meta; import sys; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=copy, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    expected = {
        path.relative_to(copy).as_posix()
        for part in parts
        for path in (copy / part).rglob("*")
        if path.is_file() and ".egg-info" not in path.as_posix() and path.suffix not in (".pyc", ".pyo")
    }
    assert len(expected) > 900
    assert expected - names == set()
    assert {"README.md", "LICENSE", "CHANGELOG.md", "constraints.txt", "Makefile", "mkdocs.yml"} <= names
