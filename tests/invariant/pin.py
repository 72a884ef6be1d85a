"""Write down the losses of today as those that `test_trajectories` expects: `python -m tests.invariant.pin`."""

import os
from pathlib import Path

import pytest

PINNED = Path(__file__).with_name("trajectories.json")
WRITE = "UNMIRAGE_PIN_TRAJECTORIES"


def main() -> int:
    """Run the tests of this folder with leave to write; return their exit status."""
    os.environ[WRITE] = "1"
    return int(pytest.main(["-q", os.fspath(PINNED.parent)]))


if __name__ == "__main__":
    raise SystemExit(main())
