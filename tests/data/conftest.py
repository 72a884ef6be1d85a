import json

import pytest

from unmirage.data import load_samples


@pytest.fixture
def load(tmp_path):
    """Return a function that writes records to a JSON file and loads it."""

    def load(records, *args, name="d.json", **kwargs):
        path = tmp_path / name
        path.write_text(records if isinstance(records, str) else json.dumps(records), encoding="utf-8")
        return load_samples(path, *args, **kwargs)

    return load
