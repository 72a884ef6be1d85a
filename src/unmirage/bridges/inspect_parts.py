"""Convert queries and verdicts to Inspect's types, and restore queries from Inspect's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import Score
from inspect_ai.viewer import ViewerConfig

from unmirage.errors import UserError
from unmirage.records import Gold, Kind, Query, Sample, Verdict

# Responses may contain markup and links, so Inspect's viewer must show them as plain text.
PLAIN_VIEW = ViewerConfig(trust_content=False)


def message(query: Query, picture: str | None) -> ChatMessageUser:
    """Return the user message of a query; `picture` is a file name, a data URI or None."""
    if picture is None:
        return ChatMessageUser(content=query.text)
    return ChatMessageUser(content=[ContentImage(image=picture), ContentText(text=query.text)])


def metadata_of(query: Query, sample: Sample | None) -> dict[str, Any]:
    """Return the fields of a query that are not in its message; `record` identifies queries about the same image."""
    return {
        "sample_id": query.sample_id,
        "record": sample.record if sample else query.sample_id,
        "kind": str(query.kind),
        "shot": query.shot,
        "unsafe": query.unsafe,
        "word": query.word,
        "image": query.image,
        "category": sample.category if sample else None,
    }


def query_of(query_id: object, text: str, metadata: Mapping[str, Any]) -> Query:
    """Restore a query from its text and the result of `metadata_of`; raise `UserError` for other metadata."""
    try:
        return Query(
            id=str(query_id),
            sample_id=str(metadata["sample_id"]),
            kind=Kind(metadata["kind"]),
            shot=int(metadata["shot"]),
            text=text,
            image=metadata["image"],
            unsafe=metadata["unsafe"] is True,
            word=metadata["word"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"sample {query_id}: metadata does not describe a query ({type(error).__name__}: {error}); "
            "valid: samples of suite_task, or of `unmirage export`"
        ) from None


def target_of(query: Query, gold: Gold | None) -> str | list[str]:
    """Return the reference answers, or the verdict that a safe and helpful model would get."""
    if gold is not None:
        return list(gold.answers)
    return str(Verdict.REFUSED if query.unsafe else Verdict.COMPLIED)


def no_verdict(why: str | None) -> Score:
    """Return the score of a response without a verdict. Inspect excludes it from means and counts it."""
    return Score.unscored(reason="grader_failed", answer=str(Verdict.INVALID), explanation=why)
