"""Run the demo over several seeds and keep its results with wall time, peak memory, machine and commit.

python benchmarks/demo_study.py --seeds 3 --out runs/study --keep benchmarks/results/demo.json
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from provenance import git, hand_on


def measured(seeds: int, out: Path) -> dict[str, object]:
    """Run `unmirage demo` in a process of its own; return its results and what they cost."""
    started = time.perf_counter()
    command = [sys.executable, "-c", "from unmirage.cli.main import run; run()"]
    done = subprocess.run(
        [*command, "demo", "--seeds", str(seeds), "--out", str(out), "--json"], stdout=subprocess.PIPE, check=True
    )
    return {
        "command": f"unmirage demo --seeds {seeds} --json",
        "commit": git("rev-parse", "HEAD"),
        "changed_files": len(git("status", "--porcelain").splitlines()),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
        "results": json.loads(done.stdout),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-demo"))
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    hand_on(measured(options.seeds, options.out), options.keep)


if __name__ == "__main__":
    main()
