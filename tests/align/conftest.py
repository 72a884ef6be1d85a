"""Runs as small as these are mostly set-up: one thread does them, and the collector leaves the libraries alone."""

import gc
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)  # a package without __init__.py would last as long as the session
def _small_runs() -> Iterator[None]:
    """The Trainer collects garbage before each run, over all the objects that its libraries hold: half a second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)
