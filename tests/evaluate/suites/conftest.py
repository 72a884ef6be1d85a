"""Small files of exactly the published shapes of each benchmark, made in a temporary folder."""

import csv
import io
import json

import pytest
from PIL import Image


def png(width=2, height=3):
    file = io.BytesIO()
    Image.new("RGB", (width, height), (9, 8, 7)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def write_json(tmp_path):
    """Return a function that writes a document below the temporary folder and returns its path."""

    def write(document, name="d.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_csv(tmp_path):
    """Return a function that writes records as CSV and returns the path."""

    def write(rows, name="d.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def write_parquet(tmp_path):
    """Return a function that writes columns as a Parquet file; a number under `image` becomes a picture so wide."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    cell = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

    def write(columns, name="d.parquet"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = dict(columns)
        if "image" in columns:
            values = [None if width is None else {"bytes": png(width), "path": "x.png"} for width in columns["image"]]
            columns["image"] = pa.array(values, cell)
        pq.write_table(pa.table(columns), path)
        return path

    return write


@pytest.fixture
def picture(tmp_path):
    """Return a function that writes a picture below the temporary folder."""

    def write(name, width=2):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(width))

    return write
