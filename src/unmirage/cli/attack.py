"""`unmirage attack`: ask a model the plain queries of a dataset and their one-word attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unmirage.attack import ATTACKS, AttackConfig, plan_queries, short_of_shots
from unmirage.cli.console import err, print_json
from unmirage.cli.options import parse_columns
from unmirage.cli.progress import StageProgress
from unmirage.cli.quiet import quiet_libraries
from unmirage.cli.settings import resolve
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Kind


def attack_command(
    model: Annotated[str, typer.Argument(help="Hugging Face model directory or hub id.")],
    data: Annotated[Path, typer.Argument(help="Data file with unsafe and benign queries.")],
    out: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished run is continued.")],
    kinds: Annotated[str, typer.Option("--kind", help="Comma-separated attacks.")] = ",".join(ATTACKS),
    shots: Annotated[int, typer.Option(min=1, help="K of the jailbreak and of its control.")] = 3,
    word: Annotated[
        list[str] | None,
        typer.Option(help="KIND=WORD, such as jailbreak=what; default: what the audit suggests."),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(help="Take words from this file of `unmirage audit --json`; default: audit DATA."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model in tables; default: its directory.")] = None,
    format: Annotated[str, typer.Option(help="Format of DATA.")] = "auto",
    columns: Annotated[str, typer.Option(help="For tables: query=prompt,answer=output.")] = "",
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: DATA's.")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="At most so many samples, drawn by label and seed.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 256,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the queries as JSON and ask nothing.")] = False,
) -> None:
    """Ask MODEL every query of DATA as it is, and rewritten by one-word attacks and their control.

    Several models can share one run directory; each is asked only what it has not answered yet.
    """
    from unmirage.data import ImageFolder, load_samples
    from unmirage.data.sample import draw_stratified

    chosen = _kinds(kinds)
    dataset = load_samples(data, format, columns=parse_columns(columns), images=images)
    options = {"kinds": chosen, "shots": shots, **_words(word or [], chosen, dataset, audit)}
    attack = resolve(AttackConfig, None, options, None)
    samples = draw_stratified(dataset.samples, limit, seed)
    queries = plan_queries(samples, attack)
    for kind, count in short_of_shots(queries, attack).items():
        err.print(f"{kind}: {count} queries have fewer than {attack.shots_of(kind)} rewrites", markup=False)
    if dry_run:
        print_json({"queries": [{"id": q.id, "kind": q.kind, "text": q.text, "image": q.image} for q in queries]})
        return
    from unmirage.models import GenerationConfig, HuggingFaceVLM, ask
    from unmirage.run import open_run

    quiet_libraries()
    generation = GenerationConfig(max_new_tokens=max_new_tokens, batch_size=batch_size)
    config = {
        "data": str(dataset.source),
        "images": str(dataset.image_root.resolve()),
        "limit": limit,
        "seed": seed,
        "attack": attack.model_dump(mode="json"),
        "max_new_tokens": max_new_tokens,
    }
    vlm = HuggingFaceVLM.load(model, name)
    with open_run(out, config) as run, run.store() as store, StageProgress() as progress:
        store.add_samples(samples)
        store.add_queries(queries)
        ask(
            vlm,
            store,
            ImageFolder(dataset.image_root),
            generation,
            lambda done, total: progress(f"ask {vlm.name}", done, total),
        )
    err.print(f"{len(queries)} queries answered by {vlm.name}. Next: unmirage evaluate {out}", markup=False)


def _kinds(text: str) -> tuple[Kind, ...]:
    names = [one.strip() for one in text.split(",") if one.strip()]
    for one in names:
        if one not in ATTACKS:
            raise unknown("kind of attack", one, ATTACKS)
    if not names:
        raise UserError(f"--kind: empty; valid: {', '.join(ATTACKS)}")
    return tuple(Kind(one) for one in names)


def _words(given: list[str], kinds: tuple[Kind, ...], dataset: Dataset, audit: Path | None) -> dict[str, Any]:
    """Return the words by config field: those given, else those that an audit suggests."""
    fields = {Kind.JAILBREAK: "jailbreak_word", Kind.OVER_PRUDENCE: "over_prudence_word"}
    words: dict[str, Any] = {}
    for text in given:
        kind, found, word = text.partition("=")
        if not found or kind not in fields:
            raise UserError(f"--word {text}: expected KIND=WORD with KIND one of {', '.join(fields)}")
        words[fields[Kind(kind)]] = word
    missing = [kind for kind in fields if _is_needed(kind, kinds) and fields[kind] not in words]
    suggested = _suggested(dataset, audit) if missing else {}
    for kind in missing:
        if not suggested[kind]:
            where = audit or dataset.source
            raise UserError(f"{where}: no opener is tied to this label; name one with --word {kind}=WORD")
        words[fields[kind]] = suggested[kind][0]
        err.print(f"{kind}: the audit suggests '{suggested[kind][0]}'", markup=False)
    return words


def _suggested(dataset: Dataset, file: Path | None) -> dict[Kind, list[str]]:
    """Return the words of a saved audit (of the data that the model was trained on), else of an audit of `dataset`."""
    from unmirage.report.audit_document import read_audit
    from unmirage.report.documents import read_json

    if file is None:
        from unmirage.audit import audit

        found = read_audit(audit(dataset).to_json()).suggested
    else:
        if not file.is_file():
            raise UserError(f"--audit {file}: no such file; valid: what `unmirage audit DATA --json` printed")
        found = read_audit(read_json(file), str(file)).suggested
    return {Kind.JAILBREAK: found.jailbreak, Kind.OVER_PRUDENCE: found.over_prudence}


def _is_needed(kind: Kind, kinds: tuple[Kind, ...]) -> bool:
    """Say whether an attack's word is used: the control avoids the jailbreak's."""
    return kind in kinds or (kind is Kind.JAILBREAK and Kind.CONTROL in kinds)
