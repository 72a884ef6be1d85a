"""Run the demo over several seeds and save its results with wall time, peak memory, machine and commit.

python benchmarks/demo_study.py --seeds 3 --arms all --keep benchmarks/results/demo.json
python benchmarks/demo_study.py --seeds 3 --arms all --signal 1 --keep benchmarks/results/demo_signal_1.json
python benchmarks/demo_study.py --seeds 2 --decoder smollm2-135m --keep benchmarks/results/decoder.json
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from provenance import git, hand_on


def measured(options: Sequence[str], out: Path) -> dict[str, object]:
    """Run `unmirage demo` in a separate process; return its results, time and memory.

    If the run directory exists, the run is resumed and the seconds are those of the remaining work.
    """
    continued = out.exists()
    started = time.perf_counter()
    command = [sys.executable, "-c", "from unmirage.cli.main import run; run()"]
    done = subprocess.run([*command, "demo", *options, "--json"], stdout=subprocess.PIPE, check=True)
    return {
        "command": f"unmirage demo {' '.join(one for one in options if not one.startswith('--out'))} --json",
        "commit": git("rev-parse", "HEAD"),
        "changed_files": len(git("status", "--porcelain").splitlines()),
        "continued": continued,
        "seconds": round(time.perf_counter() - started, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
        "results": json.loads(done.stdout),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--seed", default="0", help="of the first world")
    parser.add_argument("--arms", default="", help="as for `unmirage demo`")
    parser.add_argument("--signal", default="0")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--decoder", default="", help="as for `unmirage demo`")
    parser.add_argument("--out", default="runs/bench-demo")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    passed = [f"--{name}={getattr(options, name)}" for name in ("seeds", "seed", "arms", "signal", "workers", "out")]
    if options.decoder:
        passed.append(f"--decoder={options.decoder}")
    hand_on(measured(passed, Path(options.out)), options.keep)


if __name__ == "__main__":
    main()
