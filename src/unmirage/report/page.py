"""A template's name and its values in, one page of HTML out. Nothing else makes a Jinja environment."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unmirage.report import formatting
from unmirage.text.printable import clean, short


def render(template: str, values: dict[str, Any]) -> str:
    """Return the page. Every value that it shows is cleaned and escaped, whatever file it came from."""
    return _environment().get_template(template).render(values)


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
        "small_number": formatting.small_number,
        "model_name": formatting.model_name,
        "duration": formatting.duration,
    }
    environment.globals["version"] = metadata.version("unmirage")
    return environment


def _shown(value: object) -> object:
    """Clean the text of one expression; markup comes from our own macros, whose text is clean already."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
