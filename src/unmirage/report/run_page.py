"""Build the HTML page of one or several runs. Rates are read from files; only paired differences are computed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from unmirage.attack.documents import Explanation, SearchResult
from unmirage.evaluate.results import Results
from unmirage.records import Verdict
from unmirage.report.attack_tables import form_tables, other_attacks, shot_table
from unmirage.report.audit_view import AuditView, view
from unmirage.report.browse import browser
from unmirage.report.charts import by_k_panel, decomposition
from unmirage.report.differences import differences, heat_maps
from unmirage.report.dumbbells import TICKS, at, dumbbells
from unmirage.report.examples import EACH, Examples, find_examples
from unmirage.report.explain_view import explain_view
from unmirage.report.extras import (
    corrected_rows,
    graded_table,
    irrelevant_views,
    judges_view,
    relevance_table,
    scores_table,
    seeds_table,
)
from unmirage.report.gather import Gathered, gather
from unmirage.report.page import render
from unmirage.report.pareto import attacked, pareto
from unmirage.report.robustness import robustness_panels, variant_rows
from unmirage.report.settings import flat
from unmirage.report.summary import Attack, summarize
from unmirage.report.table import clustered, groups, rows
from unmirage.run import Run
from unmirage.text.formatting import complied, count, sees_only_refusals

_MOST_WORDS = 50


def render_run_page(run: Run, *, redact: bool = False, reference: str | None = None) -> str:
    """Return the page of a run.

    Args:
        run: a directory with `results.json`; `audit.json`, `explain.json`, `search.json` and a store are shown
            if they exist.
        redact: leave out responses and images.
        reference: the model that others are compared with; None uses that of results.json, or the first model.

    Raises:
        UserError: results.json is missing, a document does not follow its schema, or the reference does not exist.
    """
    explained, searched = run.path / Explanation.FILE, run.path / SearchResult.FILE
    own = {
        "explain": explain_view(Explanation.load(explained)) if explained.is_file() else None,
        "search": SearchResult.load(searched) if searched.is_file() else None,
        "audit": _audit(run),
    }
    return _render([run], own, redact=redact, reference=reference)


def render_comparison_page(runs: Sequence[Run], *, redact: bool = False, reference: str | None = None) -> str:
    """Return one page that compares the models of several runs.

    Args:
        runs: directories with `results.json`.
        redact: leave out responses and images.
        reference: the model that others are compared with; None uses the first model.

    Raises:
        UserError: as for `render_run_page`; or a run is listed twice.
    """
    return _render(runs, {"explain": None, "search": None, "audit": None}, redact=redact, reference=reference)


def _render(runs: Sequence[Run], own: dict[str, Any], *, redact: bool, reference: str | None) -> str:
    gathered = gather(runs)
    compared_with = None if reference is None else gathered.label(reference)
    results = gathered.results
    models = results.models
    found = _examples(gathered)
    headline, *sentences = _summary(gathered)
    browsed = browser(gathered.sources, gathered.runs, redact=redact)
    return render(
        "run.html.j2",
        own
        | {
            "run_name": ", ".join(gathered.runs),
            "runs": gathered.runs if len(gathered.runs) > 1 else {},
            "attacks": {name: Attack.of(one) for name, one in gathered.runs.items()},
            "warnings": gathered.warnings,
            "limits": _limits(gathered),
            "only_refusals": sorted({one.judge for one in gathered.runs.values() if sees_only_refusals(one.judge)}),
            "results": results,
            "attack": Attack.of(results),
            "headline": headline,
            "sentences": sentences,
            "groups": groups(results),
            "clustered": clustered(gathered.runs.values()),
            "rows": rows(results),
            "over_seeds": seeds_table(models),
            "bells": dumbbells(models),
            "ticks": [at(tick / 100) for tick in TICKS],
            "tick_names": TICKS,
            "plot": pareto(models),
            "plot_after": attacked(models),
            "differences": differences(gathered, compared_with),
            "panels": {name: by_k_panel(model) for name, model in models.items() if model.asr.by_k},
            "stopped": results.attack.get("stop_at_first_success") is True,
            "by_shot": shot_table(results),
            "by_form": form_tables(results),
            "others": other_attacks(results),
            "search_most": _MOST_WORDS,
            "stacks_of": {name: decomposition(model) for name, model in models.items()},
            "verdicts": _shown_verdicts(gathered),
            "complied": _complied(gathered),
            "irrelevant_responses": irrelevant_views(models),
            "heat": heat_maps(models, results.judge),
            "robustness": robustness_panels(models),
            "variants": variant_rows(models),
            "scores": scores_table(models),
            "relevance": relevance_table(results),
            "corrected": corrected_rows(models),
            "graded": graded_table(models),
            "judges": judges_view(results),
            "examples": found,
            "opened": _most_turned(found),
            "each": EACH,
            "browser": browsed,
            "redact": redact,
            "total_seconds": sum(results.timings.values()),
            "differing": _differing(gathered),
            "written": {source.name: _written(source.run) for source in gathered.sources},
            "command": _command(runs, redact=redact, reference=reference),
            "made_with": {name: _made_with(one) for name, one in gathered.runs.items()},
        },
        script="browse.js" if browsed is not None and browsed.shown else None,
    )


def _summary(gathered: Gathered) -> list[str]:
    """Return the summary sentences; only counts if the runs are not comparable."""
    if not gathered.warnings:
        return summarize(gathered.results)
    return [f"{count(len(gathered.results.models))} models of {count(len(gathered.runs))} runs"]


def _limits(gathered: Gathered) -> list[str]:
    """Return the warnings of all runs, with the run's name if there are several."""
    alone = len(gathered.runs) == 1
    return [line if alone else f"{name}: {line}" for name, one in gathered.runs.items() for line in one.warnings]


def _complied(gathered: Gathered) -> str:
    """Return what "complied" means in the verdicts of all runs."""
    found = {complied(one.judge) for one in gathered.runs.values()}
    return found.pop() if len(found) == 1 else "complied with"


def _shown_verdicts(gathered: Gathered) -> dict[Verdict, str]:
    """Return the labels of the verdicts on unsafe queries; "blocked" only if there are such responses."""
    blocked = any(one.blocked.before.k or one.blocked.after.k for one in gathered.results.models.values())
    shown = {Verdict.COMPLIED: _complied(gathered).removesuffix(" with")}
    shown |= {one: str(one) for one in (Verdict.IRRELEVANT, Verdict.REFUSED)}
    return shown | ({Verdict.BLOCKED: "blocked"} if blocked else {})


def _made_with(results: Results) -> dict[str, list[tuple[str, str]]]:
    """Return the tables of settings of one run."""
    attack = results.attack if "attack" not in results.settings else {}
    parts = {"Attack": attack, "Settings": results.settings, "Machine": results.machine}
    return {name: list(flat(part)) for name, part in parts.items() if part}


def _differing(gathered: Gathered) -> dict[str, list[str]]:
    """Return the settings that are not the same in all runs: name -> one value per run."""
    each = [
        {f"{part}: {name}": value for part, pairs in _made_with(one).items() for name, value in pairs}
        for one in gathered.runs.values()
    ]
    names = dict.fromkeys(name for one in each for name in one)
    found = {name: [one.get(name, "–") for one in each] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def _written(run: Run) -> str:
    """Return when the results were written."""
    return datetime.fromtimestamp(run.results_file.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command(runs: Sequence[Run], *, redact: bool, reference: str | None) -> str:
    """Return the command that makes this page, with the names of the run directories."""
    options = ["--reference", reference] if reference is not None else []
    names = [run.path.resolve().name for run in runs]
    return shlex.join(["unmirage", "report", *names, *options, *(["--redact"] if redact else [])])


def _examples(gathered: Gathered) -> Examples:
    """Return the examples of all runs, each model under its name on the page."""
    found, notes, places = [], [], []
    for source in gathered.sources:
        own = find_examples(source.run, source.models.values(), source.judge)
        labels = {name: label for label, name in source.models.items()}
        found += [type(one)(labels[one.model], one.kinds) for one in own.models]
        places.append(own.source)
        notes.append(own.note if len(gathered.sources) == 1 or not own.note else f"{source.name}: {own.note}")
    return Examples(found, places[0] if len(places) == 1 else "", " ".join(filter(None, notes)))


def _audit(run: Run) -> AuditView | None:
    from unmirage.audit import AuditResult  # takes a second to import, and few runs have an audit

    path = run.path / AuditResult.FILE
    return view(AuditResult.load(path)) if path.is_file() else None


def _most_turned(found: Examples) -> str | None:
    """Return the model with the most successful attacks among the examples; its examples are shown open."""
    turned = {
        one.model: sum(example.turned for examples in one.kinds.values() for example in examples)
        for one in found.models
    }
    return max(turned, key=turned.__getitem__) if turned else None
