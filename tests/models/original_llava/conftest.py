"""A tiny checkpoint of LLaVA's own code as a fixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.models.original_llava.checkpoint import Original, teacher


@pytest.fixture(scope="session")
def _teacher() -> Any:
    return teacher()


@pytest.fixture
def original(tmp_path: Path, _teacher: Any) -> Original:
    """Return a whole checkpoint without a tower, and the tower's folder."""
    made = Original(tmp_path, _teacher)
    made.write()
    return made
