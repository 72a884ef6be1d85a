"""Audit published safety data, and mixtures of them, and write the page about it.

    python benchmarks/published_audits.py --shared DIR --write docs/audits.md

DIR has a folder `data` with the files of `published_sets.SOURCES`, which are not part of the repository. The prose is
in `published_audits.md.j2`; all numbers of the page come from the audits, and are kept in `results`. `--results FILE`
renders the page from kept results, without the data.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from provenance import made_by
from published_sets import ROWS, SEED, SOURCES, Files, Row, mossbench_pairs, xstest_pairs

import unmirage as um
from unmirage.audit import audit
from unmirage.audit.corpus import Reader
from unmirage.audit.informedness import Queries, measure_openers
from unmirage.records import Dataset, Sample
from unmirage.report.audit_view import view
from unmirage.run.files import write_text_atomic
from unmirage.run.machine import installed_version

PERMUTATIONS = 1000
OPENERS, SHOWN = 20, 6  # kept and shown openers of each set
TEMPLATE = "published_audits.md.j2"
RESULTS = Path(__file__).parent / "results" / "published_audits.json"
SURFACE = {
    "first_words": "first three words",
    "shape": "length, punctuation, capitals",
    "template": "sentence template",
}


def data_of(samples: tuple[Sample, ...]) -> Dataset:
    """Return samples as a dataset without pictures."""
    return Dataset(samples=samples, source=Path("published"), format="json", image_root=Path("no pictures"))


def estimate(found: Any) -> dict[str, float | None]:
    """Return a value and its interval, to four digits."""
    values = {part: getattr(found, part) for part in ("value", "low", "high")}
    return {part: None if value is None else round(value, 4) for part, value in values.items()}


def other_rule(found: um.AuditResult) -> dict[str, Any] | None:
    """Return the rule on other surface features that gains most over the majority label, if any gains for sure."""
    gains = [
        (accuracy.gap, name)
        for name in SURFACE
        if (accuracy := found.predictability[name]).gap is not None
        and accuracy.low is not None
        and accuracy.low > (accuracy.baseline or 0)
    ]
    return {"name": max(gains)[1], "points": round(100 * max(gains)[0], 1)} if gains else None


def measured(samples: tuple[Sample, ...]) -> dict[str, Any]:
    """Return what the page shows of one audit."""
    found = audit(data_of(samples))
    quality, told = found.label_quality, found.informedness
    findings = [one for one in found.findings if one.headline and one.position not in ("image", "opener")]
    return {
        "n": found.n,
        "refused": found.refused,
        "answered": found.answered,
        "informedness": estimate(told),
        "auc": estimate(found.auc),
        "sensitivity": told.sensitivity and round(told.sensitivity, 4),
        "specificity": told.specificity and round(told.specificity, 4),
        "shortcut_gap": None if found.shortcut_gap is None else round(found.shortcut_gap, 4),
        "verdict": told.verdict.said,
        "result": view(found).verdict.said,
        "other_rule": other_rule(found),
        "copies": {"queries": found.copies.queries, "texts": found.copies.texts, "both": found.copies.both_labels},
        "leads": [{"text": one.text, "queries": one.queries} for one in found.leads],
        "languages": dict(found.languages.counts),
        "label_quality": None
        if quality is None
        else {
            "both": quality.both,
            "disagree": quality.disagree,
            "missed": quality.missed,
            "false_alarms": quality.false_alarms,
        },
        "openers": [
            {
                "word": one.opener,
                "refused": one.refused,
                "answered": one.answered,
                "part": round(one.contribution or 0, 3),
            }
            for one in found.openers[:OPENERS]
        ],
        "tested": found.tested,
        "findings": [{"text": one.text, "refused": one.refused, "answered": one.answered} for one in findings],
    }


def permuted(samples: tuple[Sample, ...]) -> dict[str, Any]:
    """Return the informedness of random orders of the labels."""
    corpus = Reader().read(data_of(samples))
    queries, draw = Queries.of(corpus, np.arange(len(corpus))), np.random.default_rng(SEED)
    found = [
        measure_openers(replace(queries, refused=draw.permutation(queries.refused)), None, SEED).informedness.value
        for _ in range(PERMUTATIONS)
    ]
    return {"permutations": PERMUTATIONS, "highest": round(max(one for one in found if one is not None), 3)}


def matched(pairs: list[list[Sample]]) -> dict[str, int]:
    """Return how many pairs open with one word, and how many are one text."""
    corpus = Reader().read(data_of(tuple(one for pair in pairs for one in pair)))
    equal = {
        name: int((of_query[::2] == of_query[1::2]).sum())
        for name, of_query in (("same_opener", corpus.word_at(0)), ("same_text", corpus.texts & ~1))
    }
    return {"pairs": len(pairs), **equal}


def run(files: Files, say: Callable[[str], None] = print, rows: Sequence[Row] = ROWS) -> dict[str, Any]:
    """Return all results, with the audits of these rows."""
    results = {}
    for row in rows:
        results[row.key] = {"name": row.name, **measured(row.samples(files))}
        say(f"{row.name:<48} {results[row.key]['n']:>6,}  {j(results[row.key])}  {results[row.key]['verdict']}")
    by_answer = files.load("Alpaca", "answer")
    return {
        "seed": SEED,
        "files": {name: hashlib.sha256(files.path(name).read_bytes()).hexdigest() for name in SOURCES},
        "sets": results,
        "xstest_permuted": permuted(files.xstest),
        "pairs": {"xstest": matched(xstest_pairs(files)), "mossbench": matched(mossbench_pairs(files))},
        "alpaca_answers": {
            "records": len(files.alpaca),
            "labeled": len(by_answer),
            "refused": sum(one.refused is True for one in by_answer),
        },
    }


def j(row: dict[str, Any], name: str = "informedness") -> str:
    """Return an estimate with its interval."""
    found = row[name]
    return "n/a" if found["value"] is None else "{} ({} to {})".format(*map(two, found.values()))


def two(number: float) -> str:
    """Return a number with two digits, and 0 without a sign."""
    return f"{round(number, 2) + 0.0:.2f}"


def counted(row: dict[str, Any], of: str, name: str) -> str:
    """Return the counts of an opener or finding, such as "195 refused, 0 answered"."""
    key = {"openers": "word", "findings": "text"}[of]
    found = next(one for one in row[of] if one[key] == name)
    return f"{found['refused']:,} refused, {found['answered']:,} answered"


def page(results: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    environment.filters |= {
        "j": j,
        "v": lambda row: two(row["informedness"]["value"]),
        "two": two,
        "auc": partial(j, name="auc"),
        "points": lambda row: "n/a" if row["shortcut_gap"] is None else f"{100 * row['shortcut_gap']:.1f}",
        "opener": lambda row, word: counted(row, "openers", word),
        "finding": lambda row, text: counted(row, "findings", text),
        "percent": lambda share: f"{100 * share:.0f} %",
        "comma": lambda number: f"{number:,}",
    }
    return environment.get_template(TEMPLATE).render(
        sets=results["sets"],
        **results["sets"],
        files=results["files"],
        sources=SOURCES,
        seed=results["seed"],
        shown=SHOWN,
        surface=SURFACE,
        permuted=results["xstest_permuted"],
        alpaca=results["alpaca_answers"],
        pairs=results["pairs"],
    )


def main() -> None:
    """Audit every set, and write the page and the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[1].parent / "shared"
    parser.add_argument("--shared", type=Path, default=beside, help="folder that has data/ (default: ../shared)")
    parser.add_argument("--results", type=Path, help="render the page from these kept results; no data are needed")
    parser.add_argument("--write", type=Path, help="write the page to this file")
    parser.add_argument("--keep", type=Path, default=RESULTS, help=f"file for the results (default: {RESULTS.name})")
    options = parser.parse_args()
    if options.results:
        results = json.loads(options.results.read_text(encoding="utf-8"))
    else:
        files = Files(options.shared / "data")
        if missing := files.missing():
            parser.error("missing: " + ", ".join(map(str, missing)))
        made = {**made_by(), "py3langid": installed_version("py3langid")}
        results = {"command": "python benchmarks/published_audits.py", **made, **run(files)}
        write_text_atomic(options.keep, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if options.write:
        write_text_atomic(options.write, page(results))


if __name__ == "__main__":
    main()
