"""Relative links and anchors of the Markdown pages lead somewhere; only pytest and markdown-it-py are needed."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "benchmarks", ".github") for page in ROOT.glob(f"{folder}/**/*.md")),
    ]
)
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(text: str) -> Iterator[Token]:
    """Yield all tokens of a page; code is a token of its own, so nothing inside of it reads as a link."""
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def links(text: str) -> list[str]:
    """Return the targets of links and images, HTML ones too."""
    found = []
    for token in tokens(text):
        if token.type in ("link_open", "image"):
            found.append(str(token.attrs.get("href") or token.attrs.get("src")))
        elif token.type in ("html_inline", "html_block"):
            found += re.findall(r"""\b(?:href|src)=["']([^"']+)""", token.content)
    return found


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings, and those of HTML."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    before: Token | None = None
    for token in tokens(text):
        if token.type == "inline" and before is not None and before.type == "heading_open":
            shown = "".join(part.content for part in token.children or () if part.type in ("text", "code_inline"))
            slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        elif token.type in ("html_inline", "html_block"):
            found |= set(re.findall(r"""\b(?:id|name)=["']([^"']+)""", token.content))
        before = token
    return found


@cache
def anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text(encoding="utf-8"))


def broken(page: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    missing = []
    for link in links(text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        exists = target.exists() and target.resolve().is_relative_to(ROOT)
        anchored = not parts.fragment or target.suffix != ".md" or (exists and parts.fragment in anchors_of(target))
        if not (exists and anchored):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_and_anchors_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_the_pages_are_found() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/audit.md", "benchmarks/README.md"} <= names


def test_a_broken_link_is_found_and_code_is_no_link() -> None:
    text = (
        "[gone](gone.md) ![no](no.svg) [fine](docs/audit.md) [web](https://example.org/x) [out](../elsewhere.md)\n"
        '[no anchor](README.md#no-such) <a href="lost.md">x</a> `[code](code.md)`\n\n```\n[fenced](fenced.md)\n```\n'
        '[titled](none.md "title")\n'
    )
    assert broken(ROOT / "README.md", text) == [
        "gone.md", "no.svg", "../elsewhere.md", "README.md#no-such", "lost.md", "none.md",
    ]  # fmt: skip


def test_anchors_are_those_of_github() -> None:
    text = (
        "# What `--judge` costs: NPO's utility\n\n## Same\n\n## Same\n\n"
        "```\n# no heading\n```\n\n## [A link](x.md) & more_of it\n"
    )
    assert anchors(text) == {"what---judge-costs-npos-utility", "same", "same-1", "a-link--more_of-it"}
