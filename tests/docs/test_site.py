"""The documentation site builds without a warning, has all links and the whole reference, and loads nothing."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

import unmirage as um
from unmirage.cli.main import app

pytest.importorskip("mkdocs")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ATTRIBUTE = re.compile(r"""<(\w+)\b[^>]*?\s(href|src)=["']?([^"'\s>]+)""")
ANCHOR = re.compile(r"""\s(?:id|name)=["']?([^"'\s>]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the built site."""
    out = tmp_path_factory.mktemp("site")
    # Without --quiet, which hides warnings from --strict too.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Documentation built" in done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_every_page_of_docs_is_in_the_site(pages, site):
    made = {path.relative_to(site).with_suffix("").as_posix() for path in pages}
    written = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert written <= made
    assert {"index", "reference/python", "reference/cli/audit", "source/CONTRIBUTING"} <= made
    assert not list(site.rglob("site_hooks*"))


def test_links_and_anchors_lead_somewhere(pages, site):
    anchors = {path: set(map(unescape, ANCHOR.findall(text))) for path, text in pages.items()}
    missing = []
    for page, text in pages.items():
        for _, _, link in ATTRIBUTE.findall(text):
            parts = urlsplit(unescape(link))
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            fragment = unquote(parts.fragment)
            if not target.is_file() or (fragment and target in anchors and fragment not in anchors[target]):
                missing.append(f"{page.relative_to(site)}: {link}")
    assert missing == []


def test_no_page_loads_anything_from_the_network(pages, site):
    loads = [
        (page.name, link)
        for page, text in pages.items()
        for tag, name, link in ATTRIBUTE.findall(text)
        if (name == "src" or tag == "link") and urlsplit(link).netloc
    ]
    assert loads == []
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert len(styles) > 1
    assert not any(re.search(r"@import|url\([\"']?(?:https?:)?//", style) for style in styles)


def test_the_reference_has_every_command_and_option(pages, site):
    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="unmirage")
    names = group.list_commands(context)
    assert {"audit", "align", "card", "recipes", "study"} <= set(names)
    for name in names:
        text = unescape(re.sub(r"<[^>]+>", "", pages[site / f"reference/cli/{name}.html"]))
        command = group.get_command(context, name)
        assert f"unmirage {name}" in text
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.param_type_name == "option":
                assert all(option in text for option in parameter.opts), (name, parameter.opts)


def test_the_reference_has_every_public_name(pages, site):
    text = pages[site / "reference/python.html"]
    # What follows the name is a label, such as "dataclass".
    headings = {re.sub(r"<[^>]+>", "", one).split()[0] for one in re.findall(r"<h2.*?</h2>", text, re.DOTALL)}
    assert set(um.__all__) - {"__version__"} <= headings
    assert all(f'id="unmirage.{name}"' in text for name in ("api.understand.audit", "workflows.cards.Card.into"))
