"""One process of `torchrun`: attacks by the Python API on new families, then a command; rank 1 may be killed."""

import json
import os
import signal
import sys
from pathlib import Path

from tests.align.new_families import built

import unmirage
from unmirage.cli.main import run
from unmirage.models import HuggingFaceVLM

ANSWERED = 5


def attacked(family, job):
    """Attack a family's tiny model as a job says."""
    unmirage.attack(built(family), job["data"], out=Path(job["out"]) / family, words=job["words"], max_new_tokens=8)


def dying(answer):
    """Return `answer` for a process of which rank 1 does not live to its end."""

    def answered(*arguments):
        for number, one in enumerate(answer(*arguments)):
            if number == ANSWERED and os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            yield one

    return answered


if __name__ == "__main__":
    JOB = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for FAMILY in JOB.get("families", ()):
        attacked(FAMILY, JOB)
    if JOB.get("dies"):
        HuggingFaceVLM.answer = dying(HuggingFaceVLM.answer)
    sys.argv = ["unmirage", *JOB["command"]]
    run()
