"""Model and dataset cards: Markdown with a YAML header, as the pages of a hub show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

import yaml

from unmirage.errors import UserError
from unmirage.text.printable import clean

# What a card of a new model says as long as nobody has measured its safety; measured rates replace it.
NO_RATES = (
    "This card has no safety rates: the method alone does not make a model safe. Measure the rates with "
    "`unmirage attack` and `unmirage evaluate`, including one-word attacks."
)
BEGIN, END = "<!-- unmirage: begin -->", "<!-- unmirage: end -->"
_HEADER = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MARKUP = re.compile(r"([\\`*_\[\]|~#$])")


def inert(text: str, longest: int = 200) -> str:
    """Return untrusted text as one line of Markdown that shows it and does nothing else: no markup, HTML or link."""
    line = " ".join(clean(text, longest).split())
    return _MARKUP.sub(r"\\\1", escape(line, quote=False)).replace("://", ":&#8203;//").replace("@", "&#64;")


def front_matter(metadata: Mapping[str, Any]) -> str:
    """Return metadata as the YAML header of a card, with the lines around it and without a line break at its end."""
    text = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{text}---"


def parted(card: str, where: str) -> tuple[dict[str, Any], str]:
    """Return the metadata and the text of a card; a card without a header has no metadata.

    Args:
        card: the whole card.
        where: names it in errors.

    Raises:
        UserError: the header is not a mapping in YAML.
    """
    found = _HEADER.match(card)
    if found is None:
        return {}, card
    try:
        metadata = yaml.safe_load(found[1] or "")
    except yaml.YAMLError as error:
        raise UserError(f"{where}: invalid YAML in the header ({' '.join(str(error).split())})") from None
    if not isinstance(metadata, dict | None):
        raise UserError(f"{where}: the header is not a mapping; write KEY: VALUE lines between the two ---")
    return metadata or {}, card[found.end() :]


def merged(card: str, metadata: Mapping[str, Any], text: str, where: str) -> str:
    """Return a card with metadata and a section added; what it has of an earlier call is replaced.

    Lists of the header are joined. The results of `model-index` replace those of the same task and dataset.

    Args:
        card: the card to add to.
        metadata: fields of the header.
        text: the section, which will stand between two comments.
        where: names the card in errors.

    Raises:
        UserError: the header of the card is invalid, or it has one of the two comments only.
    """
    before, body = parted(card, where)
    section = f"{BEGIN}\n{text.strip()}\n{END}"
    if (BEGIN in body) != (END in body) or body.find(END) < body.find(BEGIN):
        raise UserError(f"{where}: expected both {BEGIN} and {END}, in this order, or neither")
    if BEGIN in body:
        head, _, rest = body.partition(BEGIN)
        body = head + section + rest.partition(END)[2]
    elif NO_RATES in body:
        body = body.replace(NO_RATES, section, 1)
    else:
        body = f"{body.rstrip()}\n\n{section}\n"
    return f"{front_matter(_joined(before, metadata))}\n\n{body.lstrip()}"


def _joined(before: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(before)
    for key, value in added.items():
        old = found.get(key)
        if key == "model-index" and isinstance(old, list) and old:
            found[key] = _indexed(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            found[key] = old + [one for one in value if one not in old]
        elif old is None or key.startswith("unmirage"):
            found[key] = value
    return found


def _indexed(old: list[Any], added: list[dict[str, Any]]) -> list[Any]:
    """Return an index of one model whose results on the same task and dataset are replaced."""
    first, *others = old
    new = [result for model in added for result in model["results"]]
    places = [(one["task"]["type"], one["dataset"]["type"]) for one in new]
    kept = [
        one
        for one in (first.get("results") or [] if isinstance(first, dict) else [])
        if (one.get("task", {}).get("type"), one.get("dataset", {}).get("type")) not in places
    ]
    return [{**(first if isinstance(first, dict) else {}), "results": kept + new}, *others]


def badge_image(label: str, message: str, color: str) -> str:
    """Return a badge as a Markdown image of shields.io; its alternative text says the same."""
    parts = (quote(one.replace("-", "--").replace("_", "__"), safe="") for one in (label, message))
    return f"![{inert(label)}: {inert(message)}](https://img.shields.io/badge/{'-'.join(parts)}-{color})"
