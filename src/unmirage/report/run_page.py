"""A run directory's saved files in, one self-contained HTML page out. It computes no rates of its own."""

from __future__ import annotations

from unmirage.records import Verdict
from unmirage.report.attack_tables import other_attacks, shot_table
from unmirage.report.audit_document import read_audit
from unmirage.report.audit_view import AuditView, view
from unmirage.report.charts import by_k_panel, decomposition
from unmirage.report.documents import read_json, read_results
from unmirage.report.examples import EACH, Examples, find_examples
from unmirage.report.explain_document import explain_of
from unmirage.report.explain_view import explain_view
from unmirage.report.page import render
from unmirage.report.search_document import MOST_WORDS, search_of
from unmirage.report.settings import flat
from unmirage.report.summary import Attack, summarise
from unmirage.report.table import GROUPS, cell, rows
from unmirage.run import RunDirectory


def render_run_page(run: RunDirectory, *, redact: bool = False) -> str:
    """Return the page of a run.

    Args:
        run: a directory with `results.json`; `audit.json`, `explain.json`, `search.json` and a store are shown
            where there are any.
        redact: leave responses and pictures out.

    Raises:
        UserError: results.json is missing, or a document does not follow its schema.
    """
    results = read_results(run.results_file)
    found = find_examples(run, results.models, results.judge)
    explained = explain_of(run.path / "explain.json")
    headline, *sentences = summarise(results)
    return render(
        "run.html.j2",
        {
            "run_name": run.path.resolve().name,
            "results": results,
            "attack": Attack.of(results),
            "headline": headline,
            "sentences": sentences,
            "groups": GROUPS,
            "rows": rows(results),
            "panels": {name: by_k_panel(model) for name, model in results.models.items()},
            "stopped": results.attack.get("stop_at_first_success") is True,
            "by_shot": shot_table(results),
            "others": other_attacks(results),
            "explain": None if explained is None else explain_view(explained),
            "search": search_of(run.path / "search.json"),
            "search_most": MOST_WORDS,
            "stacks_of": {name: decomposition(model) for name, model in results.models.items()},
            "verdicts": (Verdict.COMPLIED, Verdict.IRRELEVANT, Verdict.REFUSED),
            "audit": _audit(run),
            "judges": {
                name: [cell(rate) for rate in (one.precision, one.recall, one.complied_precision)]
                for name, one in results.judges.items()
            },
            "examples": found,
            "opened": _most_turned(found),
            "each": EACH,
            "redact": redact,
            "settings": list(flat(results.settings)) if results.settings else [],
            "attack_settings": list(flat(results.attack)) if results.attack else [],
            "machine": list(flat(results.machine)) if results.machine else [],
            "total_seconds": sum(results.timings.values()),
        },
    )


def _audit(run: RunDirectory) -> AuditView | None:
    path = run.path / "audit.json"
    return view(read_audit(read_json(path), str(path))) if path.is_file() else None


def _most_turned(found: Examples) -> str | None:
    """Return the model whose examples show the attack at work most often; they stand open."""
    turned = {
        one.model: sum(example.turned for examples in one.kinds.values() for example in examples)
        for one in found.models
    }
    return max(turned, key=turned.__getitem__) if turned else None
