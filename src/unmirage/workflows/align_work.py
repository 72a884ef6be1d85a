"""The work directory of a training: who may use it, and when it is given up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unmirage.run import open_run


@contextmanager
def claimed(folder: Path, identity: dict[str, Any]) -> Iterator[None]:
    """Lock a work directory on the main process; a training that fails with nothing to resume leaves it to any other.

    Raises:
        UserError: it holds a step or a checkpoint of a training with other settings, or another process uses it.
    """
    from unmirage.align.processes import is_main_process
    from unmirage.align.watch import StopError
    from unmirage.align.work_directory import Work

    work = Work(folder, keep_last=1)
    if not is_main_process():
        yield
        return
    with open_run(folder, identity, abandoned=lambda path: work.clear_abandoned()):
        try:
            yield
        except StopError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception:
            work.forget_unsaved()
            raise
