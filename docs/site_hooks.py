"""Hooks of the documentation site: pages that are generated, and links that lead out of `docs`.

The home page is README.md. The reference of commands comes from the command line itself, that of functions from
`unmirage.__all__`. Files outside of `docs` that a page links to become part of the site, below `source/`, so that links
work in the repository, in the site, and without a network.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PROJECT = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "benchmarks/README.md")
_FENCE = re.compile(r"^(```.*?^```[ \t]*$)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+[^`].*?`+)", re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)")
_ORIGINS = {"index.md": "README.md"} | {f"source/{name}": name for name in PROJECT}  # page of the site -> file


def github_slug(text: str, separator: str) -> str:
    """Return the anchor that GitHub gives a heading, so that one link works in both places."""
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", separator)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Use GitHub's anchors, and add the generated pages to the navigation."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = github_slug
    nav: list[Any] = list(config.nav or [])
    pages = (path.relative_to(ROOT / "docs").as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))
    if others := [page for page in pages if page not in set(_listed(nav))]:
        nav.append({"More": others})  # until mkdocs.yml gives a new page its place
    nav += [
        {"Reference": ["reference/python.md", {"Commands": [f"reference/cli/{name}.md" for name in _pages()]}]},
        {"Project": [f"source/{name}" for name in PROJECT]},
    ]
    config.nav = nav
    return config


def _listed(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from _listed(one)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and all files that a page links to."""
    for page, origin in _ORIGINS.items():
        text = (ROOT / origin).read_text(encoding="utf-8")
        head = "---\nhide: [navigation]\n---\n\n" if page == "index.md" else ""
        files.append(File.generated(config, page, content=head + text))
    for name, text in _pages().items():
        files.append(File.generated(config, f"reference/cli/{name}.md", content=text))
    files.append(File.generated(config, "reference/python.md", content=_python()))
    for file in list(files):
        if file.src_uri.endswith(".md"):
            origin = _origin(file.src_uri)
            for link in _links(file.content_string):
                target = _target(origin, link)
                uri = _site_uri(target)
                if uri.startswith("source/") and files.get_file_from_path(uri) is None and (ROOT / target).is_file():
                    files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point links at the pages of the site, and separate lists from paragraphs, as GitHub's Markdown does by itself."""
    origin = _origin(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        link = match[2]
        if re.match(r"[a-z]+:|#|/", link):
            return match[0]
        _, anchor, fragment = link.partition("#")
        uri = _site_uri(_target(origin, link))
        return match[1] + posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".") + anchor + fragment

    parts = _FENCE.split(markdown)
    for place in range(0, len(parts), 2):
        spans = _CODE.split(parts[place])
        spans[::2] = [_LINK.sub(moved, one) for one in spans[::2]]
        parts[place] = re.sub(r"(?m)^((?![-*>|#]|\d+\. |\s).+\n)(?=- |1\. )", r"\1\n", "".join(spans))
    return "".join(parts)


def _origin(uri: str) -> str:
    """Return the file of the repository, relative to its root, that is a page of the site."""
    return _ORIGINS.get(uri, f"docs/{uri}")


def _target(origin: str, link: str) -> str:
    """Return the file that a relative link of a file leads to, relative to the root."""
    path = link.partition("#")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), path)) if path else origin


def _site_uri(target: str) -> str:
    """Return where a file of the repository is in the site."""
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return "index.md" if target == "README.md" else f"source/{target}"


def _links(text: str) -> list[str]:
    """Return the relative links of a page, without those in code."""
    plain = "".join(_CODE.sub("", part) for part in _FENCE.split(text)[::2])
    return [link for _, link in _LINK.findall(plain) if not re.match(r"[a-z]+:|#|/", link)]


def _pages() -> dict[str, str]:
    """Return the reference page of each command by its name, in the order of `unmirage --help`."""
    from unmirage.cli.main import app

    group = typer.main.get_command(app)
    with group.context_class(group, info_name="unmirage") as context:
        return {name: _command_page(one, ("unmirage", name)) for name, one in _subcommands(group, context)}


def _subcommands(group: Any, context: Any) -> list[tuple[str, Any]]:
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, one) for name, one in found if one is not None and not one.hidden]


def _command_page(command: Any, names: tuple[str, ...], level: int = 1) -> str:
    """Return usage, text and parameters of a command; those of a group are followed by its commands."""
    with command.context_class(command, info_name=" ".join(names)) as context:
        usage = " ".join([*names, *command.collect_usage_pieces(context)])
        parts = [f"{'#' * level} {' '.join(names)}", _prose(command.help or ""), f"```\n{usage}\n```"]
        guide = ROOT / "docs" / f"{names[-1]}.md"
        if level == 1 and guide.is_file():
            parts.append(f"Guide: [{names[-1]}](../../{guide.name}).")
        panels: dict[str, list[str]] = {}
        for one in command.params:
            if getattr(one, "hidden", False):
                continue
            argument = one.param_type_name == "argument"
            panel = getattr(one, "rich_help_panel", None) or ("Arguments" if argument else "Options")
            panels.setdefault(panel, []).append(_row(one, context))
        for panel, rows in panels.items():
            parts.append(f"{'#' * (level + 1)} {panel}\n\n| name | meaning |\n|---|---|\n" + "\n".join(rows))
        if command.epilog:
            parts.append(f"{'#' * (level + 1)} Examples\n\n{_examples(command.epilog)}")
        if hasattr(command, "list_commands"):
            parts += [_command_page(one, (*names, name), level + 1) for name, one in _subcommands(command, context)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(one: Any, context: Any) -> str:
    """Return the table row of an option or argument: its names with the kind of its value, and its help."""
    names, text = one.get_help_record(context) or (one.name, "")
    return f"| `{names.replace('|', chr(92) + '|')}` | {_prose(text)} |"


def _prose(text: str) -> str:
    """Return help as Markdown in one line for each paragraph; text outside of backticks shows as it is."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    joined = (" ".join(one.split()) for one in paragraphs)
    return "\n\n".join(
        "".join(
            part if part.startswith("`") else re.sub(r"([\\*_\[\]|#])", r"\\\1", escape(part, quote=False))
            for part in re.split(r"(`[^`]*`)", one)
        )
        for one in joined
    )


def _examples(epilog: str) -> str:
    lines = [line.strip() for line in epilog.replace("\b", "").splitlines() if line.strip()]
    return "```\n" + "\n".join(re.sub(r"\[/?[a-z ]+\]", "", line) for line in lines) + "\n```"


def _python() -> str:
    """Return the page with the public names, by `mkdocstrings` directives."""
    import unmirage
    import unmirage.api as api

    functions = [name for name in unmirage.__all__ if name in api.__all__]
    classes = [name for name in unmirage.__all__ if name in unmirage._CLASSES]
    parts = [
        "# Python reference",
        "All names of `unmirage`. The [guide](../python.md) shows how they work together.",
    ]
    for name in functions:
        module = getattr(api, name).__wrapped__.__module__
        parts.append(_directive(f"{module}.{name}", name))
    for name in classes:
        module, own = unmirage._CLASSES[name]
        parts.append(_directive(f"{module}.{own}", name))
    return "\n\n".join(parts) + "\n"


def _directive(path: str, shown: str) -> str:
    return f'::: {path}\n    options:\n      heading: "{shown}"\n      toc_label: "{shown}"'
