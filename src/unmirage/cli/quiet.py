"""Silence the progress bars and notices of other libraries, which would disturb our own progress display."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec


def quiet_libraries() -> None:
    """Silence the progress bars and notices of transformers and related libraries; errors are still shown."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if find_spec("transformers") is None:
        return
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
