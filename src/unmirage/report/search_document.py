"""Read and check the JSON document of a word search: the effect of each word where it was found, and elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from unmirage.report.documents import Document, Share, checked
from unmirage.report.formatting import NOT_ESTIMABLE
from unmirage.report.settings import flat
from unmirage.run.files import read_json

SEARCH_SCHEMA = "unmirage.search/1"
MOST_WORDS = 50


class MeanRead(Document):
    """A mean probability of refusal on the reporting half, with its 95% confidence interval."""

    reported: Share | None = None
    low: Share | None = None
    high: Share | None = None


class TriedRead(MeanRead):
    """Result of one word in the search's form. `in_data`: whether queries of the training data open with it.

    `rewritten` is the same for rewritten queries.
    """

    rewritten: MeanRead | None = None
    in_data: Any = None

    @property
    def data_said(self) -> str:
        """Return `in_data` as text."""
        if self.in_data is None:
            return NOT_ESTIMABLE
        return ("yes" if self.in_data else "no") if isinstance(self.in_data, bool) else _said(self.in_data)


class SearchedWordRead(TriedRead):
    """A word that the search found. `found` is its mean on the queries that selected it."""

    word: str
    found: Share | None = None


class BaselineRead(TriedRead):
    """A reference for the words: the original queries, or a known word."""

    name: str


class SearchRead(Document):
    """A document of schema `unmirage.search/1`."""

    model: str = ""
    method: str = ""
    kind: str = ""
    found_on: Any = None
    reported_on: Any = None
    words: list[SearchedWordRead] = Field(default_factory=list)
    baselines: list[BaselineRead] = Field(default_factory=list)

    @property
    def with_rewritten(self) -> bool:
        """Return whether any word was also tried in rewritten queries."""
        return any(one.rewritten for one in (*self.words, *self.baselines))

    @property
    def settings(self) -> list[tuple[str, str]]:
        """Return what was searched, as names and values."""
        parts = {"found on": self.found_on, "reported on": self.reported_on}
        return list(flat({name: value for name, value in parts.items() if value is not None}))


def read_search(document: Any, where: str = "search") -> SearchRead:
    """Return the checked search document; `where` names the document in errors."""
    return checked(SearchRead, document, SEARCH_SCHEMA, where)


def search_of(path: Path) -> SearchRead | None:
    """Return the search in a file; None if there is no such file."""
    return read_search(read_json(path), str(path)) if path.is_file() else None


def _said(value: Any) -> str:
    """Return a value as text; the parts of a nested value are listed."""
    return ", ".join(f"{name} {text}".strip() for name, text in flat(value))
