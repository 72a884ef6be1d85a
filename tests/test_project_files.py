"""Files that other programs read: citation, CI workflow, issue forms. Only pytest and PyYAML are needed."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")

# Of the schema of the Citation File Format 1.2.0, https://github.com/citation-file-format/citation-file-format.
CITATION_REQUIRED = {"authors", "cff-version", "message", "title"}
CITATION_KEYS = CITATION_REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip
REFERENCE_REQUIRED = {"authors", "title", "type"}


def load(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def assert_authors(authors: list[dict[str, str]]) -> None:
    """Each author is a person with names or an entity with a name, and not both."""
    assert authors
    for author in authors:
        person = {"family-names", "given-names", "alias"} & author.keys()
        assert bool(person) != ("name" in author), author


def test_no_page_has_the_marks_of_a_merge_and_no_change_is_listed_twice() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/unmirage/recipes/**/*")]
    assert len(pages) > 40
    marks = re.compile(r"^(<{2,7}|>{2,7}|={7}|\|{7})(=+| |$)", re.MULTILINE)
    assert not [page.name for page in pages if page.is_file() and marks.search(page.read_text(encoding="utf-8"))]
    changes = re.split(r"^(?=- |#)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    changes = [one for one in changes if len(one) > 40]
    assert len(changes) == len(set(changes)) > 100


def test_the_readme_is_short_and_images_are_small() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert "](docs/images/report.png)" in text
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs/images").glob("*.png")}
    assert {"report.png", "report-dark.png", "report-phone.png", "audit.png"} <= sizes.keys()
    assert {name: size for name, size in sizes.items() if size > 150_000} == {}


def test_the_citation_follows_the_format() -> None:
    citation = load("CITATION.cff")
    assert citation.keys() >= CITATION_REQUIRED
    assert citation.keys() <= CITATION_KEYS
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert_authors(citation["authors"])
    assert len(set(citation["keywords"])) == len(citation["keywords"])


def test_the_citation_is_of_this_version_and_license() -> None:
    citation = load("CITATION.cff")
    assert (citation["title"], citation["version"], citation["license"]) == (
        PROJECT["name"], PROJECT["version"], PROJECT["license"],
    )  # fmt: skip


def test_the_package_names_the_same_version() -> None:
    source = (ROOT / "src/unmirage/__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{PROJECT["version"]}"' in source


def test_the_citation_refers_to_the_paper() -> None:
    (paper,) = load("CITATION.cff")["references"]
    assert paper.keys() >= REFERENCE_REQUIRED
    assert_authors(paper["authors"])
    assert (paper["type"], paper["year"]) == ("conference-paper", 2026)
    assert paper["title"].startswith("Safety Mirage: ")
    assert paper["conference"] == {"name": "ICLR 2026"}
    assert paper["url"] == "https://arxiv.org/abs/2503.11832"
    assert all(item["type"] in ("doi", "url", "swh", "other") and item["value"] for item in paper["identifiers"])


def test_the_changelog_has_unreleased_changes_above_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[:2] == ["Unreleased", PROJECT["version"]]
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Fixed",
        "Removed",
        "Security",
    }


def test_the_workflow_has_few_rights_and_an_end() -> None:
    workflow = load(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert workflow["jobs"].keys() == {"lint", "types", "docs", "tests"}
    assert all(0 < job["timeout-minutes"] <= 60 and "permissions" not in job for job in workflow["jobs"].values())


def test_the_nightly_workflow_has_few_rights_and_runs_the_target_that_names_the_marker() -> None:
    workflow = load(".github/workflows/nightly.yml")
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert 0 < job["timeout-minutes"] <= 180
    assert job["steps"][-1]["run"] == "make nightly"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^nightly: .*\n\t.*pytest -m nightly$", makefile, re.MULTILINE)
    assert "nightly" not in re.search(r"^test: .*\n\t(.*)$", makefile, re.MULTILINE)[1]  # type: ignore[index]


@pytest.mark.parametrize("name", ["ci", "nightly"])
def test_actions_are_pinned_by_commit(name: str) -> None:
    steps = [step for job in load(f".github/workflows/{name}.yml")["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", name)] == []


def test_the_workflow_runs_every_python_that_the_package_names() -> None:
    named = {text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d+$", text)}
    tested = load(".github/workflows/ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert named <= set(tested)
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_commands_of_the_workflow_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    runs = re.findall(r"run: make (\w+)", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert runs == ["types", "test"]
    assert set(runs) <= targets


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_follows_githubs_rules(path: Path) -> None:
    form = load(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] and re.fullmatch(r"[\w-]+", field["id"]) for field in fields)
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids)


def test_a_bug_report_asks_for_what_is_needed_to_repeat_it() -> None:
    fields = {element.get("id"): element for element in load(".github/ISSUE_TEMPLATE/bug.yml")["body"]}
    required = {name for name, field in fields.items() if field.get("validations", {}).get("required")}
    assert required == {"version", "command", "error", "doctor"}
    assert "`unmirage doctor --json`" in fields["doctor"]["attributes"]["description"]
