"""The command line, in which the process of rank 1 is killed after some responses."""

import os
import signal

from unmirage.cli.main import run
from unmirage.models import HuggingFaceVLM

ANSWERED = 5


def dying(answer):
    """Return `answer` for a process that does not live to its end."""

    def answered(*arguments):
        for number, one in enumerate(answer(*arguments)):
            if number == ANSWERED and os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            yield one

    return answered


if __name__ == "__main__":
    HuggingFaceVLM.answer = dying(HuggingFaceVLM.answer)
    run()
