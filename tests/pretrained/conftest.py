"""Files of records."""

import json

import pytest


@pytest.fixture
def records(tmp_path):
    """Return a function that writes records as JSON and returns the path."""

    def write(rows, name="rows.json"):
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return path

    return write
