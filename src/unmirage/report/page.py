"""A template's name and its values in, one page of HTML out. Nothing else makes a Jinja environment."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unmirage.report import formatting
from unmirage.text.printable import clean, short


@dataclass(frozen=True, slots=True)
class Script:
    """A script of ours, and the only one that the page's policy lets run: the one with this hash."""

    text: Markup
    sha256: str


def render(template: str, values: dict[str, Any], script: str | None = None) -> str:
    """Return the page. Every value that it shows is cleaned and escaped, whatever file it came from.

    Args:
        template: name of a file in `templates`.
        values: what the template shows.
        script: name of a file in `templates` that the page runs; without one, no script runs at all.
    """
    allowed = None if script is None else _script(script)
    return _environment().get_template(template).render(values | {"script": allowed})


@cache
def _script(name: str) -> Script:
    # Reading as text makes every line end a bare newline, which is what a browser hashes.
    text = (resources.files("unmirage.report") / "templates" / name).read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return Script(Markup(text), base64.b64encode(digest).decode("ascii"))  # noqa: S704 - a file of this package


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("unmirage.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "clean": clean,
        "short": short,
        "points": formatting.points,
        "percent": formatting.percent,
        "signed": formatting.signed,
        "signed_points": formatting.signed_points,
        "small_number": formatting.small_number,
        "model_name": formatting.model_name,
        "duration": formatting.duration,
        "count": formatting.count,
        "successes": formatting.successes,
    }
    environment.globals["version"] = metadata.version("unmirage")
    return environment


def _shown(value: object) -> object:
    """Clean the text of one expression; markup comes from our own macros, whose text is clean already."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
