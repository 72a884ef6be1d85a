"""Read the user's own refusal phrases from a text, YAML or JSON file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unmirage.errors import UserError
from unmirage.text.language import LANGUAGES, language_of
from unmirage.text.refusals.normalize import plain

_HEAD = 360  # characters of a response that are searched, as for the built-in phrases
_PATTERN = "re:"
_FORM = "valid: a list of phrases, or lists of phrases by language code; a phrase may be a pattern, 're:...'"


@dataclass(frozen=True, slots=True)
class OwnPhrases:
    """Refusal phrases of the user.

    Attributes:
        name: file name and the first eight digits of the hash of the phrases.
        patterns: by language code, the patterns on the plain beginning of a response; None for all languages.
    """

    name: str
    patterns: dict[str | None, tuple[re.Pattern[str], ...]]

    @property
    def languages(self) -> frozenset[str]:
        """Return the codes of the languages that the file has phrases for."""
        return frozenset(language for language in self.patterns if language is not None)

    def phrase(self, response: str) -> str | None:
        """Return the phrase in the beginning of a response, or None."""
        head = plain(response[:_HEAD])
        language = language_of(response) if self.languages else None
        for own, patterns in self.patterns.items():
            if own is not None and language not in (None, own):
                continue
            for pattern in patterns:
                if match := pattern.search(head):
                    return match.group().strip()
        return None

    @classmethod
    def from_file(cls, path: Path) -> OwnPhrases:
        """Read the phrases of a file: one per line, or YAML or JSON.

        Phrases match in any case, with any apostrophe, as whole words. A phrase that begins with "re:" is a regular
        expression on the lower-case beginning of a response. A line that begins with "#" is a comment.

        Raises:
            UserError: the file is missing, empty or malformed, or a phrase is.
        """
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise UserError(f"{path}: cannot read the phrases ({error.strerror}). Pass --judge phrases:FILE.") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: the file is not UTF-8. Save it as UTF-8 text.") from None
        found: dict[str | None, list[re.Pattern[str]]] = {}
        sources = []
        for place, language, phrase in _entries(path, text):
            found.setdefault(language, []).append(_compiled(path, place, phrase))
            sources.append(f"{language}\t{phrase}")
        if not sources:
            raise UserError(f"{path}: no phrases; {_FORM}")
        digest = hashlib.sha256("\n".join(sources).encode()).hexdigest()[:8]
        return cls(f"{path.name} {digest}", {language: tuple(patterns) for language, patterns in found.items()})


def _entries(path: Path, text: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield the place, language and text of each phrase of a file."""
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                yield f"line {number}", None, line.strip()
        return
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: cannot parse the file ({' '.join(str(error).split())}); {_FORM}") from None
    groups = loaded if isinstance(loaded, dict) else {None: loaded}
    for language, phrases in groups.items():
        if language is not None and language not in LANGUAGES:
            raise UserError(f"{path}: unknown language code '{language}'; valid: {', '.join(LANGUAGES)}")
        if not isinstance(phrases, list):
            raise UserError(
                f"{path}: {'the phrases are' if language is None else language + ' is'} not a list; {_FORM}"
            )
        for number, phrase in enumerate(phrases, start=1):
            place = f"phrase {number}" if language is None else f"{language}, phrase {number}"
            yield place, language, _text(path, place, phrase)


def _text(path: Path, place: str, phrase: Any) -> str:
    if not isinstance(phrase, str) or not phrase.strip():
        raise UserError(f"{path}: {place} is {phrase!r}; {_FORM}")
    return phrase.strip()


def _compiled(path: Path, place: str, phrase: str) -> re.Pattern[str]:
    if phrase.startswith(_PATTERN):
        try:
            pattern = re.compile(phrase.removeprefix(_PATTERN).strip())
        except re.error as error:
            raise UserError(f"{path}: {place}: invalid pattern '{phrase}' ({error})") from None
        if pattern.match(""):
            raise UserError(f"{path}: {place}: the pattern '{phrase}' matches every response")
        return pattern
    words = plain(phrase)
    if not words:
        raise UserError(f"{path}: {place}: '{phrase}' has no letters")
    # Letters with a case belong to scripts with spaces between words.
    before, after = (r"\b" if one.upper() != one.lower() else "" for one in (words[0], words[-1]))
    return re.compile(f"{before}{re.escape(words)}{after}")
