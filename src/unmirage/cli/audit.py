"""`unmirage audit DATA`: find the surface features that predict which queries are refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from unmirage.cli.console import EXIT_PARTIAL, end_by_gate, print_json, say
from unmirage.cli.options import Group, JsonOption, TolerantReading, quiet_libraries
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.files import naming


@dataclass(frozen=True, kw_only=True)
class Remedies(Group):
    """Repaired versions to write."""

    write_balanced: Annotated[
        Path | None,
        typer.Option(help="Write a version with queries dropped so that openers do not predict the label."),
    ] = None
    write_diversified: Annotated[
        Path | None,
        typer.Option(help="Write a version whose queries are reworded so that openers do not predict the label."),
    ] = None
    write_weighted: Annotated[
        Path | None,
        typer.Option(help="Write all queries with a weight, under which openers do not predict the label."),
    ] = None
    write_twins: Annotated[
        Path | None,
        typer.Option(help="Write all queries and reworded ones of the other label, so that each opener has both."),
    ] = None
    balanced_size: Annotated[
        str | None,
        typer.Option(help="Maximum rows of the balanced version: a number, or a share such as 0.5.", metavar="N"),
    ] = None
    balanced_refused: Annotated[
        float | None, typer.Option(help="Share of refused rows in the balanced version, such as 0.5.")
    ] = None
    balanced_copies: Annotated[
        int | None, typer.Option(min=1, help="How often a row may be in the balanced version (default 1).")
    ] = None
    weighted_refused: Annotated[
        float | None, typer.Option(help="Share of the weight that refused rows have (default 0.5).")
    ] = None
    weighted_max: Annotated[float | None, typer.Option(min=1, help="Greatest weight of a row (default 10).")] = None
    twins_per_row: Annotated[
        int | None, typer.Option(min=1, help="How often a row is reworded for a twin at most (default 4).")
    ] = None
    twins_rewriter: Annotated[
        str, typer.Option(help="What rewords queries for twins: rules or endpoint:URL#model.")
    ] = "rules"

    @property
    def files(self) -> dict[str, Path | None]:
        """Return the files to write by remedy."""
        return {name.removeprefix("write_"): path for name, path in asdict(self).items() if name.startswith("write_")}

    def settings(self) -> dict[str, Any]:
        """Return the settings of the remedies; None values are not given."""
        other = {"twins_rewriter"}
        given = {n: one for n, one in asdict(self).items() if not n.startswith("write_") and n not in other}
        return given | {"balanced_size": _size(self.balanced_size)}


def _size(text: str | None) -> int | float | None:
    """Return a number of rows, or a share."""
    try:
        return text if text is None else int(text) if text.isdigit() else float(text)
    except ValueError:
        raise UserError(f"--balanced-size {text}: valid: a number of rows from 2, or a share such as 0.5") from None


def audit_command(
    data: Annotated[
        str,
        typer.Argument(
            help="Safety data: a JSON, JSONL, CSV or parquet file, or hf:NAME for a hub dataset.", show_default=False
        ),
    ],
    *,
    reading: TolerantReading,
    part: Annotated[str, typer.Option(help="Text to audit: the 'query', or the 'reasoning' of the answer.")] = "query",
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of a vision encoder, to probe picture embeddings.")
    ] = None,
    test: Annotated[str | None, typer.Option(help="Held-out data to measure predictability on.")] = None,
    compare: Annotated[str | None, typer.Option(help="Another version of the data, to compare with.")] = None,
    remedies: Remedies,
    as_json: JsonOption = False,
    html: Annotated[Path | None, typer.Option(help="Also write an HTML page to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write all findings to this CSV file.")] = None,
    fail_if: Annotated[
        str | None, typer.Option(help="End with status 3 if this holds, such as 'informedness>0.2'.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of folds, draws and rewordings.")] = 0,
) -> None:
    """Find surface features of queries and pictures that predict which queries are refused."""
    # Imported here because the statistics take a second to import, which would delay `--help`.
    from unmirage.api import report
    from unmirage.audit.probes import PROBES
    from unmirage.audit.result import AuditResult
    from unmirage.cli.audit_tables import print_audit
    from unmirage.evaluate.gate import check_gate
    from unmirage.evaluate.gate_names import Names
    from unmirage.report.audit_page import findings_csv
    from unmirage.run.files import write_text_atomic
    from unmirage.workflows.audit import audit_data

    if fail_if is not None:
        probes = [name for name in PROBES if name != "image_embedding" or encoder is not None]
        made = [name for name, path in remedies.files.items() if path is not None]
        check_gate(fail_if, Names.of(AuditResult, {"predictability": probes, "remedies": made}))
    if encoder is not None:
        quiet_libraries()
    with StageProgress(lines=False) as progress:
        done = audit_data(
            data,
            test=test,
            compare=compare,
            part=part,
            seed=seed,
            encoder=encoder,
            write=remedies.files,
            remedies=remedies.settings(),
            twins_rewriter=remedies.twins_rewriter,
            outputs={"--html": html, "--csv": csv},
            progress=progress,
            **reading.arguments(),
        )
    document = done.result.to_dict()
    # Print before writing files, so that a full disk does not lose the output.
    if as_json:
        print_json(document)
    else:
        print_audit(done.result)
    if html is not None:
        say(f"written: {report(done.result, out=html)}")
    if csv is not None:
        with naming(csv):
            write_text_atomic(csv, findings_csv(document))
        say(f"written: {csv}")
    if done.error:
        raise done.error
    if done.unread:
        say(f"some data could not be read: {'; '.join(done.unread)}")
    end_by_gate(document, [] if fail_if is None else [fail_if])
    if done.unread:
        raise typer.Exit(EXIT_PARTIAL)
