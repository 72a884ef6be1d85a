"""Build the human labels that ship with the package from the authors' files.

The files are those of the repositories, at the commits, that src/unmirage/evaluate/labels/data/NOTICE.md names. The
output is the same on each run: records keep the order of the files, and the archives have no time stamp.

Run: python benchmarks/ship_labels.py --shared ../shared
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unmirage.evaluate.labels.mapping import MSTS, XSTEST
from unmirage.evaluate.labels.shipped import SHIPPED
from unmirage.run.files import write_bytes_atomic

XSTEST_PARTS = ("gpt4", "llama2orig", "mistralinstruct")
MSTS_PARTS = {
    "english": ("english_multimodal_five_models", "en"),
    "english-text": ("english_textonly", "en"),
    "french": ("french_multimodal", "fr"),
    "russian": ("russian_multimodal", "ru"),
}


def records_of(path: Path) -> list[dict[str, str]]:
    """Return the records of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def xstest(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the labeled responses of XSTest."""
    for model in XSTEST_PARTS:
        for row in records_of(folder / f"xstest_v2_completions_{model}.csv"):
            yield {
                "id": f"{row['id']}|{model}",
                "part": model,
                "model": model,
                "language": "en",
                "query": row["prompt"],
                "unsafe": row["type"].startswith("contrast_"),
                "response": row["completion"],
                "label": row["final_label"],
                "verdict": str(XSTEST[row["final_label"]]),
                "annotations": [row["annotation_1"], row["annotation_2"]],
            }


def msts(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the labeled responses of MSTS; the French and Russian ones have one annotator."""
    for part, (name, language) in MSTS_PARTS.items():
        for row in records_of(folder / f"{name}.csv"):
            label = row.get("final_taxonomy") or row["annot1_label"]
            model = row["model"].replace("--", "/")
            picture = row.get("unsafe_image_description")
            yield {
                "id": f"{row['case_id']}|{row['prompt_type']}|{part}|{model}",
                "part": part,
                "model": model,
                "language": language,
                "query": row["prompt_text"],
                **({"picture": picture} if picture else {}),
                "unsafe": True,
                "response": row["response"],
                "label": label,
                "verdict": str(MSTS[label.casefold()]),
                "annotations": [row[name] for name in ("annot1_label", "annot2_label") if name in row],
            }


def packed(records: Iterator[dict[str, Any]]) -> bytes:
    """Return records as compressed JSONL, with the same bytes on each run."""
    text = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in records)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(text.encode())
    return packed.getvalue()


def built(shared: Path) -> dict[str, bytes]:
    """Return the content of each file."""
    field = shared / "data" / "field"
    return {"xstest": packed(xstest(field / "xstest")), "msts": packed(msts(field / "msts"))}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files, or check that they are as they would be written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True, help="Folder with the authors' files in data/field.")
    parser.add_argument("--check", action="store_true", help="Write nothing; end with status 1 if a file differs.")
    options = parser.parse_args(arguments)
    for name, content in built(options.shared).items():
        path = SHIPPED[name].path
        same = path.is_file() and path.read_bytes() == content
        if not same and options.check:
            sys.exit(f"{path}: differs from what the authors' files give")
        if not same:
            write_bytes_atomic(path, content)
        print(f"{path}: {len(content):,} bytes, {'unchanged' if same else 'written'}")


if __name__ == "__main__":
    main()
