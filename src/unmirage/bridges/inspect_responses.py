"""Read the responses in an Inspect log (`.eval`, or its JSON), also of logs that `unmirage export` wrote.

A sample has `input` (a text or messages), `output` with the response, its reasoning and its `stop_reason`, `metadata`,
and an epoch if it was repeated (https://github.com/UKGovernmentBEIS/inspect_ai, inspect_ai/log/_log.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import ChatMessage

from unmirage.bridges.inspect_parts import query_of, thoughts_of
from unmirage.data.responses.columns import find_columns
from unmirage.data.responses.given import NO_RESPONSE, Given
from unmirage.data.responses.read import ResponseFile
from unmirage.data.responses.table import Table
from unmirage.data.rows import Row
from unmirage.errors import UserError, one_line
from unmirage.records import Ended

_COLUMNS = {
    "query": "input", "response": "completion", "id": "sample", "shot": "shot", "ended": "stop_reason",
    "thoughts": "thoughts", "tokens": "output_tokens", "error": "error_message",
}  # fmt: skip
_FROM_METADATA = ("unsafe", "category", "group")
_OURS = frozenset({"sample_id", "record", "kind", "shot", "unsafe", "word", "image"})  # as `unmirage export` writes
_PICTURES = "pictures of Inspect's messages are not read"


def inspect_responses(
    path: Path, *, columns: Mapping[str, str] | None = None, model: str = "", skip_bad: bool = False
) -> ResponseFile:
    """Open an Inspect log; the arguments are those of `read_responses`.

    Raises:
        UserError: the file is not a log, or it has no responses.
    """
    try:
        log = read_eval_log(str(path), resolve_attachments=True)
    except Exception as error:  # Inspect raises errors of many kinds for a damaged log
        raise UserError(f"{path}: is not an Inspect log that can be read ({one_line(error, 200)})") from None
    if not log.samples:
        raise UserError(f"{path}: the log has no samples; valid: a log of a finished evaluation (status: {log.status})")
    about = log.eval.metadata or {}
    if about.get("redacted"):
        raise UserError(f"{path}: the log was exported with --redact, so it has no responses")
    name = model or str(about.get("model") or log.eval.model)
    left_out: Counter[str] = Counter()
    opened = partial(
        ResponseFile,
        path=path,
        format="inspect",
        root=path.parent,
        skip_bad=skip_bad,
        left_out=left_out,
    )
    said = f"{path}: inspect, task '{log.eval.task}', model '{name}'"
    if log.status != "success":
        left_out[f"samples are all that a log of status '{log.status}' holds"] = len(log.samples)
    renamed = (columns or {}).keys() - {"unsafe"}
    if not renamed and all((sample.metadata or {}).keys() >= _OURS for sample in log.samples):
        rows = [_row(path, number, {"sample": one}) for number, one in enumerate(log.samples, 1)]
        return opened(rows=rows, given=lambda row: [_own(row, name)], about=said)
    rows = [_row(path, number, _fields(log, one, left_out)) for number, one in enumerate(log.samples, 1)]
    names = find_columns(rows, columns or {}, _COLUMNS, _FROM_METADATA)
    table = Table(names, name)
    return opened(rows=rows, given=table.given, about=f"{said}; {names}", endings=table.endings)


def _row(path: Path, number: int, fields: Mapping[str, object]) -> Row:
    return Row(fields, number, str(path), "sample", number)


def _own(row: Row, model: str) -> Given:
    """Return the response in a sample that `unmirage export` wrote."""
    sample: EvalSample = row.fields["sample"]
    about = sample.metadata
    text = sample.input if isinstance(sample.input, str) else _last(sample.input)
    try:
        query = query_of(sample.id, text, about)
    except UserError as error:
        raise row.error(str(error)) from None
    said = _said(sample)
    for image in query.paths:
        row.checked(image, "metadata.image")
    return Given(
        where=row.where,
        model=model,
        text=query.text,
        image=query.image,
        images=query.images,
        context=query.context,
        response=said["completion"],
        reason=said["error_message"] or NO_RESPONSE,
        unsafe=query.unsafe,
        sample=query.sample_id,
        record=str(about["record"]),
        kind=query.kind,
        shot=query.shot,
        word=query.word,
        ended=Ended.of(str(said["stop_reason"])) or Ended.STOP,
        thoughts=said["thoughts"],
        tokens=said["output_tokens"] or 0,
        category=about.get("category"),
    )


def _fields(log: EvalLog, sample: EvalSample, left_out: Counter[str]) -> dict[str, Any]:
    """Return a sample as the fields of a row: those of its metadata, and ours."""
    asked: Any = sample.input
    if not isinstance(asked, str):
        left_out[_PICTURES] += sum(_has_picture(one) for one in asked)
        known = [one for one in asked if one.role in ("system", "user", "assistant")]
        while known and known[-1].role != "user":
            known.pop()  # the beginning of the response, given to the model
        asked = [{"role": one.role, "content": one.text} for one in known] or ""
    # Epochs count from 1; a log with one epoch has no shots.
    repeated = (log.eval.config.epochs or 1) > 1
    return {
        **(sample.metadata or {}),
        "input": asked,
        "sample": f"{log.eval.task}/{sample.id}",
        "shot": sample.epoch - 1 if repeated else None,
        **_said(sample),
    }


def _said(sample: EvalSample) -> dict[str, Any]:
    """Return the response of a sample, and how it ended."""
    output = sample.output
    usage = output.usage.output_tokens if output.usage else None
    failed = sample.error.message if sample.error else output.error
    found: dict[str, Any] = {
        "completion": None, "stop_reason": None, "thoughts": "", "output_tokens": usage, "error_message": failed,
    }  # fmt: skip
    if not output.choices:
        return found | {"completion": output.completion or None}
    message = output.choices[0].message
    reason = output.choices[0].stop_reason
    # A failed sample has an empty output.
    text = None if sample.error and not message.text else message.text
    return found | {"completion": text, "stop_reason": reason, "thoughts": thoughts_of(message)}


def _last(messages: list[ChatMessage]) -> str:
    return next((one.text for one in reversed(messages) if one.role == "user"), "")


def _has_picture(message: ChatMessage) -> bool:
    return not isinstance(message.content, str) and any(one.type == "image" for one in message.content)
