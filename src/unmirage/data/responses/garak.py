"""Read the report of garak (`garak.RUN.report.jsonl`), or its list of hits (`garak.RUN.hitlog.jsonl`).

A report has one JSON object per line: "start_run setup" with the name of the model (`plugins.target_name`; before
0.13 `plugins.model_name`), and "attempt" with `uuid`, `status`, `probe_classname`, `goal`, `prompt` and `outputs`, one
for each generation. An attempt is written twice: when the model has answered (status 1), and when detectors have rated
it (status 2). `prompt` is a text, a message `{text}`, or a conversation `{turns: [{role, content: {text}}]}`; an output
is a text, a message, or null (https://github.com/NVIDIA/garak, garak/attempt.py, garak/evaluators/base.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from unmirage.data.rows import Row, shown

COLUMNS = {
    "query": "query", "response": "outputs", "id": "attempt", "shot": "shot", "model": "model", "unsafe": "unsafe",
    "category": "probe",
}  # fmt: skip
# Modules of probes that ask for nothing harmful: they test the connection, or look for false statements, invented
# packages and disturbed text.
_HARMLESS = frozenset({"test", "snowball", "packagehallucination", "misleading", "glitch"})
_NO_HARM = "attempts of harmless probes (test, snowball, packagehallucination, misleading, glitch) count as benign"


def is_garak(fields: Mapping[str, object]) -> bool:
    """Return whether a record is of a report or a list of hits."""
    return "entry_type" in fields or {"attempt_id", "probe", "detector"} <= fields.keys()


def garak_rows(rows: Iterable[Row], notes: Counter[str]) -> Iterator[Row]:
    """Yield a row for each attempt with the columns of `COLUMNS`, in the order of their first lines.

    Args:
        rows: records of the file.
        notes: filled with what is left out, and with what the rates are about.
    """
    attempts: dict[str, Row] = {}
    model = ""
    hits: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for row in rows:
        kind = row.fields.get("entry_type")
        if kind == "start_run setup":
            model = _target(row)
        elif kind == "attempt":
            key = row.optional_name("uuid") or str(row.number)
            before = attempts.get(key)
            if before is None or _status(row) >= _status(before):
                attempts[key] = row
        elif kind is None:
            yield from _hit(row, hits, seen, notes)
    for key, row in attempts.items():
        yield _attempt(row, key, model, notes)


def _target(row: Row) -> str:
    names = ("plugins.target_name", "plugins.model_name", "plugins.target_type", "plugins.model_type")
    return row.optional_text(*names) or ""


def _status(row: Row) -> int:
    found = row.fields.get("status")
    return found if isinstance(found, int) else 0


def _attempt(row: Row, key: str, model: str, notes: Counter[str]) -> Row:
    outputs = row.fields.get("outputs")
    if not isinstance(outputs, list):
        raise row.error(f"field 'outputs' is {shown(outputs)}; valid: a list of texts or messages")
    probe = row.optional_text("probe_classname") or ""
    return _with(row, key, model, probe, notes, outputs=[_text(row, one) for one in outputs])


def _hit(row: Row, hits: Counter[str], seen: set[tuple[str, str]], notes: Counter[str]) -> Iterator[Row]:
    """Yield a flagged output, once if several detectors flag it."""
    key = row.text("attempt_id")
    output = _text(row, row.fields.get("output"))
    index = row.fields.get("attempt_idx")
    name = str(index) if isinstance(index, int) else str(output)
    if (key, name) in seen:
        return
    seen.add((key, name))
    generator = row.optional_text("generator") or ""
    notes["outputs that a detector of garak flagged are all that a list of hits holds; the rates are about these"] += 1
    probe = row.optional_text("probe") or ""
    yield _with(row, key, generator.partition(" ")[2] or generator, probe, notes, outputs=output, shot=hits[key])
    hits[key] += 1


def _with(row: Row, key: str, model: str, probe: str, notes: Counter[str], **outputs: object) -> Row:
    harmless = probe.partition(".")[0] in _HARMLESS
    notes[_NO_HARM] += harmless
    query = _query(row, notes)
    fields = {"query": query, "attempt": key, "model": model, "unsafe": not harmless, "probe": probe, "shot": None}
    return row._replace(fields={**fields, **outputs})


def _query(row: Row, notes: Counter[str]) -> str | list[dict[str, str]]:
    """Return the prompt: one text, or messages up to the last one of the user."""
    prompt = row.fields.get("prompt")
    turns = prompt.get("turns") if isinstance(prompt, Mapping) else None
    if not isinstance(turns, list):
        return _text(row, prompt) or ""
    said = []
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise row.error(f"a turn of the prompt is {shown(turn)}; valid: an object with 'role' and 'content'")
        content = turn.get("content")
        if isinstance(content, Mapping) and content.get("data_path"):
            notes["pictures and other attachments of garak's prompts are not read"] += 1
        said.append({"role": str(turn.get("role")), "content": _text(row, content) or ""})
    while said and said[-1]["role"] != "user":
        said.pop()
    return said[0]["content"] if len(said) == 1 else said or ""


def _text(row: Row, value: object) -> str | None:
    """Return the text of a message; None if there is none."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if value is not None and not isinstance(value, str):
        raise row.error(f"a message is {shown(value)}; valid: a text, or an object with 'text'")
    return value
