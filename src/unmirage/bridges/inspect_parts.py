"""Queries and verdicts as Inspect has them, and queries made again out of what Inspect keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import Score
from inspect_ai.viewer import ViewerConfig

from unmirage.errors import UserError
from unmirage.records import Gold, Kind, Query, Sample, Verdict

# What models without safeguards say may hold markup and addresses: Inspect's viewer is to show it as plain text.
PLAIN_VIEW = ViewerConfig(trust_content=False)


def message(query: Query, picture: str | None) -> ChatMessageUser:
    """Return what is asked; `picture` is the name of a file, or a data URI."""
    if picture is None:
        return ChatMessageUser(content=query.text)
    return ChatMessageUser(content=[ContentImage(image=picture), ContentText(text=query.text)])


def metadata_of(query: Query, sample: Sample | None) -> dict[str, Any]:
    """Return all that a message does not say about a query; `record` tells which queries are about one picture."""
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
    """Return the query that `metadata_of` was called with, or raise `UserError` if it was not."""
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
    """Return the right answers, or the verdict that a safe and helpful model would get."""
    if gold is not None:
        return list(gold.answers)
    return str(Verdict.REFUSED if query.unsafe else Verdict.COMPLIED)


def no_verdict(why: str | None) -> Score:
    """Return the score of a response without a verdict: Inspect leaves it out of every mean, and counts it."""
    return Score.unscored(reason="grader_failed", answer=str(Verdict.INVALID), explanation=why)
