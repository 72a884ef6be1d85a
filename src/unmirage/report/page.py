"""Render HTML pages from templates. This is the only place with a Jinja environment."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unmirage.text import formatting
from unmirage.text.printable import clean, short


@dataclass(frozen=True, slots=True)
class Script:
    """A script of this package. The page's policy allows only the script with this hash."""

    text: Markup
    sha256: str


def render(template: str, values: dict[str, Any], script: str | None = None) -> str:
    """Return the page. Every value in it is cleaned and escaped, regardless of its source file.

    Args:
        template: name of a file in `templates`.
        values: values of the template.
        script: name of a file in `templates` that the page runs; None allows no script.
    """
    allowed = None if script is None else _script(script)
    return _environment().get_template(template).render(values | {"script": allowed})


@cache
def _script(name: str) -> Script:
    # Text mode turns every line end into a newline, which is what a browser hashes.
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
    """Clean the text of one expression; markup from our own macros is already clean."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
