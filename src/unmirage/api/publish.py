"""Write reports, and logs for other evaluation frameworks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.errors import UserError, unknown
from unmirage.run.files import naming
from unmirage.run.paths import no_such
from unmirage.run.progress import Progress, in_stage
from unmirage.workflows.arguments import PathLike, found_run, silent

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.bridges.inspect_log import Exported, LogFormat
    from unmirage.evaluate import Results
    from unmirage.run import Run
    from unmirage.workflows.cards import Card

_VALID = "give run directories, or one file of `unmirage audit --json`"
_TARGETS = ("inspect",)
_FORMATS: tuple[LogFormat, ...] = ("eval", "json")


@checked
def report(
    run: PathLike | Run | AuditResult | Sequence[PathLike | Run],
    *,
    out: PathLike | None = None,
    redact: bool = False,
    reference: str | None = None,
) -> Path:
    """Write one self-contained HTML page about a run, several runs or an audit, and return its path.

    Args:
        run: one run, or several to compare; or an audit or its file.
        out: the page; None for report.html in the run, comparison.html beside the first of several runs, or the name
            of the audit's file with the suffix .html.
        redact: leave responses and pictures out.
        reference: the model that all others are compared with; None for the first.
    """
    from unmirage.run.files import write_text_atomic

    given: list[Any] = [run] if isinstance(run, str) or _is_audit(run) or not isinstance(run, Sequence) else list(run)
    first: Any = given[0] if given else None
    if len(given) == 1 and (_is_audit(first) or (isinstance(first, str | Path) and Path(first).is_file())):
        if reference is not None:
            raise UserError("--reference: an audit has no models to compare; leave it out")
        beside, page = _audit_page(first, redact=redact)
    else:
        beside, page = _run_page(given, redact=redact, reference=reference)
    path = Path(out) if out is not None else beside
    if path is None:
        raise UserError("out: missing; name the file of the page")
    if path.is_dir():
        raise UserError(f"--out: {path} is a folder; name a file, such as {path / 'report.html'}")
    with naming(path):
        write_text_atomic(path, page)
    return path


def _is_audit(value: object) -> bool:
    # Nobody has an audit without its module, which takes a second to import.
    audit = sys.modules.get("unmirage.audit.result")
    return audit is not None and isinstance(value, audit.AuditResult)


def _run_page(given: Sequence[PathLike | Run], *, redact: bool, reference: str | None) -> tuple[Path, str]:
    from unmirage.report.run_page import render_comparison_page, render_run_page

    for one in given:
        if isinstance(one, str | Path) and not Path(one).exists():
            raise no_such("run", one, _VALID)
        if isinstance(one, str | Path) and Path(one).is_file():
            raise UserError(f"{one}: is a file, but several paths are given; {_VALID}")
    runs = [found_run(one) for one in given]
    if len(runs) == 1:
        return runs[0].report_file, render_run_page(runs[0], redact=redact, reference=reference)
    page = render_comparison_page(runs, redact=redact, reference=reference)
    return runs[0].path.absolute().parent / "comparison.html", page


def _audit_page(audit: PathLike | AuditResult, *, redact: bool) -> tuple[Path | None, str]:
    from unmirage.report.audit_page import render_audit_page
    from unmirage.run.files import read_json

    if not isinstance(audit, str | Path):
        return None, render_audit_page(audit.to_dict(), redact=redact)
    path = Path(audit)
    document = read_json(path)
    if isinstance(document, dict) and document.get("schema") == "unmirage.results/2":
        raise UserError(f"{path}: is the results file of a run; give the run directory instead: {path.parent}")
    return path.with_suffix(".html"), render_audit_page(document, str(path), redact=redact)


@checked
def export(
    run: PathLike | Run,
    to: str = "inspect",
    *,
    out: PathLike | None = None,
    format: str = "eval",
    pictures: bool = False,
    redact: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a judged run as logs of another evaluation framework, one per model. They contain the responses.

    Args:
        run: a run with results.json.
        to: the framework: "inspect".
        out: folder of the logs; None for a folder of that name in the run.
        format: "eval" (compressed) or "json".
        pictures: embed the pictures instead of naming their files.
        redact: leave responses and judges' reasons out.
        progress: called after each log.
    """
    if to not in _TARGETS:
        raise unknown("--to", to, _TARGETS)
    chosen = next((one for one in _FORMATS if one == format), None)
    if chosen is None:
        raise unknown("--format", format, _FORMATS)
    if redact and pictures:
        raise UserError("--redact: excludes --pictures; pass only one of them")
    try:
        import inspect_ai  # noqa: F401
    except ImportError as error:
        raise UserError(f"--to inspect: needs the extra 'inspect': pip install 'unmirage[inspect]' ({error})") from None
    from unmirage.bridges.inspect_log import export_run

    found, told = found_run(run), progress or silent
    folder = found.path / to if out is None else Path(out)
    with naming(folder):
        return export_run(
            found,
            folder,
            log_format=chosen,
            pictures=pictures,
            redact=redact,
            progress=in_stage(told, "logs"),
        )


@checked
def view(
    runs: PathLike | Run | Sequence[PathLike | Run],
    *,
    port: int | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the pages of runs on the loopback while they are written, until interrupted. Nothing is written to them.

    Args:
        runs: one run or several.
        port: port on 127.0.0.1; None for 8421, or a free one if that is in use.
        ready: called with the address when it can be opened.
    """
    from unmirage.report.live_server import serving

    given: list[Any] = [runs] if isinstance(runs, str) or not isinstance(runs, Sequence) else list(runs)
    with serving([found_run(one) for one in given], port) as (address, serve):
        if ready is not None:
            ready(address)
        serve()


@checked
def model_card(run: PathLike | Run | Results, model: str | None = None) -> Card:
    """Return a card with the rates of a model, for its page on a hub: Markdown, YAML header and badge.

    Args:
        run: a judged run, its results.json, or the results.
        model: name of the model; None if the run has one.
    """
    from unmirage.evaluate import Results
    from unmirage.workflows.cards import read_source
    from unmirage.workflows.model_card import card_of_model

    if isinstance(run, Results):
        return card_of_model(run, model)
    path = run if isinstance(run, str | Path) else run.path
    found, day = read_source(path)
    if not isinstance(found, Results):
        raise UserError(f"{path}: is an audit; use dataset_card")
    return card_of_model(found, model, day)


@checked
def dataset_card(audit: PathLike | AuditResult) -> Card:
    """Return a card with the audit of a dataset, for its page on a hub: Markdown, YAML header and badge.

    Args:
        audit: an audit, or a file of `unmirage audit --json`.
    """
    from unmirage.audit import AuditResult
    from unmirage.workflows.cards import read_source
    from unmirage.workflows.dataset_card import card_of_data

    if isinstance(audit, AuditResult):
        return card_of_data(audit)
    found, day = read_source(audit)
    if not isinstance(found, AuditResult):
        raise UserError(f"{audit}: has the results of a run; use model_card")
    return card_of_data(found, day)
