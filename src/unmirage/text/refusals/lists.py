"""Read the lists of refusal phrases that ship with the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_PART = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Group:
    """Phrases that are searched together.

    Attributes:
        pattern: the alternatives.
        hints: texts of which every match contains one; none if all texts are searched.
    """

    pattern: re.Pattern[str]
    hints: tuple[str, ...] = ()

    def search(self, line: str) -> re.Match[str] | None:
        """Return the first match in a plain line; None if there is none."""
        return self.pattern.search(line) if self._may_match(line) else None

    def match(self, line: str, start: int = 0) -> re.Match[str] | None:
        """Return the match at a position of a plain line; None if there is none."""
        return self.pattern.match(line, start) if self._may_match(line) else None

    def _may_match(self, line: str) -> bool:
        return not self.hints or any(hint in line for hint in self.hints)


@cache
def english() -> dict[str, Group]:
    """Return the groups of English phrases, by name."""
    entries = _read("english.yaml")
    parts = entries.pop("parts")
    return {name: Group(_compiled(entry, parts), tuple(entry.get("hints", ()))) for name, entry in entries.items()}


@cache
def other_languages() -> Mapping[str, Any]:
    """Return the entries of the other languages by code."""
    return _read("languages.yaml")


@cache
def language_pattern(language: str) -> re.Pattern[str]:
    """Return the phrases of a language that has a list."""
    entry = other_languages()[language]
    return _compiled(entry, entry.get("parts", {}))


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(files(__package__).joinpath(name).read_text("utf-8"))
    return loaded


def _compiled(entry: Mapping[str, Any], parts: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(_filled(phrase, parts) for phrase in entry["phrases"]))


def _filled(phrase: str, parts: Mapping[str, str]) -> str:
    """Replace the names of parts, which may hold further names."""
    while (filled := _PART.sub(lambda name: parts.get(name[1], name[0]), phrase)) != phrase:
        phrase = filled
    return phrase
