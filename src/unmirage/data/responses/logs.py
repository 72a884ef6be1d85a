"""Read the logs of lmms-eval and VLMEvalKit as tables of responses.

lmms-eval (`--log_samples`) writes `{date}_samples_{task}.jsonl` into a folder named after the model, beside
`{date}_results.json`: `doc_id`, `target`, `input` (the prompt), `filtered_resps`, and `resps` if they differ; older
versions also `doc` and `arguments`, and versions before 0.3 one JSON file with `logs` per task
(https://github.com/EvolvingLMMs-Lab/lmms-eval, lmms_eval/loggers/evaluation_tracker.py). lm-evaluation-harness, from
which it stems, writes `samples_{task}_{date}.jsonl`; its `arguments` are an object.

VLMEvalKit writes `{model}_{dataset}.xlsx` (or .tsv, .csv, .json): `index`, `question`, `prediction`, `category` and
others, with `SPLIT_THINK` also `thinking`. A prediction that starts with "Failed to obtain answer" is none
(https://github.com/open-compass/VLMEvalKit, vlmeval/inference.py).
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from unmirage.data.rows import Row, rows_in, shown
from unmirage.errors import UserError
from unmirage.run.files import read_object
from unmirage.run.paths import no_such

LMMS_EVAL = {"query": "input", "response": "resps", "id": "doc_id", "tokens": "output_tokens"}
VLMEVALKIT = {"query": "question", "response": "prediction", "id": "index", "error": "error"}
_SAMPLES = re.compile(r"(?P<date>.*?)_?samples_(?P<task>.+?)(?:_\d{4}-\d\d-\d\dT[^.]*)?\.")
_FAILED = "Failed to obtain answer"
_LARGEST = 2**30  # bytes of an unpacked workbook


def is_lmms_eval(fields: Mapping[str, object]) -> bool:
    """Return whether a record is of lmms-eval."""
    return "doc_id" in fields and ("filtered_resps" in fields or "resps" in fields)


def is_vlmevalkit(fields: Mapping[str, object]) -> bool:
    """Return whether a record is of VLMEvalKit."""
    return {"index", "question", "prediction"} <= fields.keys()


def lmms_eval_rows(rows: Iterable[Row], path: Path, notes: Counter[str]) -> Iterator[Row]:
    """Yield the rows of an lmms-eval log with the columns of `LMMS_EVAL` and those of the document.

    Args:
        rows: records of the log.
        path: the file, which names the task.
        notes: filled with what is left out.
    """
    named = _SAMPLES.match(path.name)
    task = named["task"] if named else path.name.partition(".")[0]
    filters: dict[str, str] = {}
    for row in rows:
        identity = row.identity("doc_id")
        applied = row.optional_name("filter") or ""
        if filters.setdefault(identity, applied) != applied:
            notes[f"rows with another filter than '{filters[identity]}' of lmms-eval are left out"] += 1
            continue
        doc = row.fields.get("doc")
        counts = row.fields.get("token_counts")
        first = counts[0] if isinstance(counts, list) and counts else None
        fields = {
            **(doc if isinstance(doc, Mapping) else {}),
            "input": _prompt(row),
            "resps": _texts(row),
            "doc_id": f"{task}/{identity}",
            "output_tokens": first.get("output_tokens") if isinstance(first, Mapping) else None,
        }
        yield row._replace(fields=fields)


def logged_rows(document: Mapping[str, Any], path: Path) -> Iterator[Row]:
    """Return the records in a whole JSON document of lmms-eval before version 0.3."""
    return rows_in(document, "logs", str(path))


def lmms_eval_model(path: Path, document: Mapping[str, Any] | None = None) -> str:
    """Return the name of the model: of the results beside the samples, else of their folder; "" if neither tells."""
    found = document
    named = _SAMPLES.match(path.name)
    beside = path.with_name(f"{named['date'] if named else ''}_results.json")
    if found is None and named and beside.is_file():
        found = read_object(beside)
    name = (found or {}).get("model_name")
    if isinstance(name, str) and name:
        return name
    return path.absolute().parent.name.replace("__", "/") if named else ""


def _prompt(row: Row) -> str:
    """Return the prompt; older versions have it among the arguments only."""
    for value in (row.fields.get("input"), row.fields.get("arguments")):
        text = next(_strings(value), None)
        if text is not None:
            return text
    doc = row.fields.get("doc")
    text = doc.get("question") if isinstance(doc, Mapping) else None
    if not isinstance(text, str):
        raise row.error("has no prompt in 'input', 'arguments' or 'doc'; log the samples with a newer lmms-eval")
    return text


def _texts(row: Row) -> list[str]:
    """Return the model's own responses; the filtered ones only where the log has no others."""
    field = "resps" if row.fields.get("resps") else "filtered_resps"
    found = row.fields.get(field)
    for one in found if isinstance(found, list) else []:
        if isinstance(one, list) and len(one) == 2 and str(one[1]) in ("True", "False"):
            raise row.error(f"field '{field}' has probabilities, not responses: the task compares given answers")
    texts = list(_strings(found))
    if not texts and found not in (None, "", []):
        raise row.error(f"field '{field}' must be a list of texts, not {shown(found)}")
    return texts


def _strings(value: object) -> Iterator[str]:
    """Yield the texts in a text, or in nested lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | Mapping):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(one)


def vlmevalkit_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of a VLMEvalKit file with the columns of `VLMEVALKIT`."""
    for row in rows:
        value = row.fields.get("prediction")
        said = None if value is None else str(value)
        failed = said is not None and said.startswith(_FAILED)
        own = {"prediction": None if failed else said, "error": said if failed else None}
        yield row._replace(fields={**row.fields, **own})


def vlmevalkit_model(path: Path) -> str:
    """Return the folder above the file that its name starts with; "" if there is none."""
    folders = [folder.name for folder in list(path.absolute().parents)[:3]]
    return next((name for name in folders if name and path.name.startswith(f"{name}_")), "")


def workbook_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the first sheet of an Excel workbook; the first row has the names of the columns.

    Raises:
        UserError: openpyxl is missing, or the file is not a workbook or is too large.
    """
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise UserError(f"{path}: needs the extra 'data': pip install 'unmirage[data]' ({error})") from None
    if not path.is_file():
        raise no_such("file", path)
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(one.file_size for one in packed.infolist()) > _LARGEST:
                raise UserError(f"{path}: is larger than {_LARGEST:,} bytes when unpacked; save it as CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(values_only=True)
        heads = {place: str(head) for place, head in enumerate(next(rows, ())) if head is not None}
        if len(set(heads.values())) < len(heads):
            raise UserError(f"{path}: row 1: two columns have the same name; rename one of them")
        for number, cells in enumerate(rows, 1):
            if any(cell is not None for cell in cells):
                # The cells of a row may end before the last column.
                fields = {head: cells[place] for place, head in heads.items() if place < len(cells)}
                yield Row(fields, number, str(path), "row", number + 1)
        book.close()
    except (zipfile.BadZipFile, InvalidFileException, KeyError, OSError) as error:
        raise UserError(f"{path}: is not an Excel workbook (.xlsx) that can be read ({error})") from None
