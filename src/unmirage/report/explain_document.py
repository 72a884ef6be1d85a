"""Read and check the JSON document of an explanation: how much each word changes the probability of refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from unmirage.report.documents import Count, Document, Share, checked
from unmirage.run.files import read_json

EXPLAIN_SCHEMA = "unmirage.explain/1"


class ExplainedWordRead(Document):
    """One word at `start` to `end` of the query. `change` is the probability of refusal with it minus without it."""

    word: str
    start: Count
    end: Count
    p_without: Share | None = None
    change: Annotated[float, Field(ge=-1, le=1)] | None = None


class ExplainedQueryRead(Document):
    """One query, its probability of refusal, and its words."""

    query_id: str
    text: str
    p_refusal: Share | None = None
    words: list[ExplainedWordRead] = Field(default_factory=list)


class ExplainRead(Document):
    """A document of schema `unmirage.explain/1`."""

    model: str = ""
    queries: list[ExplainedQueryRead] = Field(default_factory=list)


def read_explain(document: Any, where: str = "explanation") -> ExplainRead:
    """Return the checked explanation; `where` names the document in errors."""
    return checked(ExplainRead, document, EXPLAIN_SCHEMA, where)


def explain_of(path: Path) -> ExplainRead | None:
    """Return the explanation in a file; None if there is no such file."""
    return read_explain(read_json(path), str(path)) if path.is_file() else None
