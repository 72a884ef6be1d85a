"""The command line in process."""

import signal
import sys

import pytest

from unmirage.cli import main


@pytest.fixture
def unmirage(capsys, monkeypatch):
    """Return a function that runs the command line in process and returns (exit code, stdout, stderr)."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)}

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["unmirage", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        return ended.value.code or 0, *capsys.readouterr()

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)
