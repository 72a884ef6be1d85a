"""`unmirage stress`: does a repair last? A model is fine-tuned, rounded or sampled, and asked again what a run asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, print_json
from unmirage.cli.options import (
    BatchSizeOption,
    ColumnsOption,
    ConcurrencyOption,
    FormatOption,
    NameOption,
    PriceInOption,
    PriceOutOption,
    RequestsOption,
    RevisionOption,
    TimeoutOption,
    TrustOption,
    endpoint_options,
)
from unmirage.cli.progress import StageProgress
from unmirage.cli.quiet import quiet_libraries
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.evaluate.lasting import Stress
    from unmirage.models import VLM
    from unmirage.run import Store


def stress_command(
    model: Annotated[str, typer.Argument(help="Model directory, hub id, or endpoint:URL#model-name.")],
    run: Annotated[Path, typer.Argument(help="Run directory of `unmirage attack`, whose queries are asked.")],
    relearn: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE: fine-tune on its samples; KIND is forget, benign or same-syntax. Repeatable."),
    ] = None,
    samples: Annotated[str, typer.Option(help="On how many of them; 0 is the model itself.")] = "0,8,32,128",
    int8: Annotated[bool, typer.Option("--int8", help="Round the weights to 8 bits.")] = False,
    temperature: Annotated[
        list[float] | None, typer.Option(min=0.01, help="Sample the answers at this temperature. Repeatable.")
    ] = None,
    no_adapter: Annotated[bool, typer.Option("--no-adapter", help="Leave the model's adapter (LoRA) out.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings for fine-tuning.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as learning_rate=1e-5 or steps=100.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the draw, the fine-tuning and sampled answers; default: 0.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the fine-tuned models in this folder.")] = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    format: FormatOption = "auto",
    columns: ColumnsOption = "",
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: each FILE's.")] = None,
    batch_size: BatchSizeOption = None,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsOption = None,
    timeout: TimeoutOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the variants as JSON, and do nothing.")] = False,
) -> None:
    """Ask MODEL, and what becomes of it when it is changed, the queries that RUN holds.

    Each variant answers under a name of its own, such as "npo + forget 32", as one more model of RUN. One that has
    answered everything is not made again.
    """
    from unmirage.cli.settings import resolve
    from unmirage.cli.stress_inputs import check_run, counts_of, relearn_data, relearn_files
    from unmirage.evaluate import make_judge, stops_at_success
    from unmirage.evaluate.lasting import RelearnConfig, Stress, plan_variants
    from unmirage.evaluate.pictures import pictures_of
    from unmirage.models import GenerationConfig
    from unmirage.run import existing_run, open_run

    endpoint = endpoint_options(
        (model,),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    files, counts, found = relearn_files(relearn or ()), counts_of(samples), existing_run(run)
    if not (files or int8 or temperature or no_adapter):
        raise UserError("nothing to do: name --relearn KIND=FILE, --int8, --temperature T or --no-adapter")
    _check_server(model, {"--relearn": bool(files), "--int8": int8, "--no-adapter": no_adapter})
    quiet_libraries()
    plan = found.config()
    check_run(plan, found.config_file)
    load = _loader(endpoint, revision, trust_remote_code)
    of = _name(model, name)
    relearning = resolve(RelearnConfig, config, {"seed": seed}, settings)
    with found.store() as store:
        queries = store.queries()
    stress = Stress(
        of=of,
        variants=plan_variants(
            of,
            relearn=list(files),
            samples=counts,
            int8=int8,
            temperatures=sorted(set(temperature or ())),
            no_adapter=no_adapter,
        ),
        load=lambda own: load(model, own)[0],
        load_base=_base_loader(model, load) if no_adapter else None,
        data=relearn_data(files, max(counts), relearning.seed, queries, format=format, columns=columns, images=images),
        relearning=relearning,
        images=pictures_of(found),
        generation=GenerationConfig(max_new_tokens=plan["max_new_tokens"], batch_size=batch_size),
        until=make_judge(plan["until_success"]) if stops_at_success(plan) else None,
        keep=keep,
    )
    if dry_run:
        with found.store() as store:
            _list(stress, store)
        return
    with open_run(run, plan) as opened, opened.store() as store:
        _run(stress, store, load(model, of)[1], run)


def _run(stress: Stress, store: Store, made_of: dict[str, str], run: Path) -> None:
    """Ask all that is missing, and say how it ended."""
    from unmirage.evaluate.lasting import run_stress

    with StageProgress() as progress:
        missing = run_stress(stress, store, made_of, progress)
    if missing:
        failures = [one for name in stress.names() for one in store.failures(name)]
        reason = f", the first ({failures[0].model}): {failures[0].reason}" if failures else ""
        fail(f"partial: {missing} queries got no answer{reason}; run the same command again to ask again", EXIT_PARTIAL)
    err.print(
        f"{stress.of} and {len(stress.variants)} variants of it have answered. Next: unmirage evaluate {run}",
        markup=False,
        soft_wrap=True,
    )


def _list(stress: Stress, store: Store) -> None:
    variants = [{"model": v.model, "kind": v.kind, "data": v.data, "amount": v.amount} for v in stress.variants]
    told = [{"model": stress.of, "kind": "itself", "data": "", "amount": 0.0}, *variants]
    print_json({"variants": [{**one, "unanswered": len(stress.missing(store, str(one["model"])))} for one in told]})


def _name(model: str, name: str | None) -> str:
    """Return the name of the model in tables, as `unmirage attack` gives it."""
    from unmirage.cli.model_target import ENDPOINT

    if name is not None:
        return name
    if model.startswith(ENDPOINT):
        from unmirage.models.endpoint import parse_endpoint

        return parse_endpoint(model).model
    return Path(model).name


Load = Callable[[str, str], tuple["VLM", dict[str, str]]]  # (source, name)


def _loader(endpoint: dict[str, Any], revision: str | None, trust: bool) -> Load:
    from unmirage.cli.model_target import load_vlm

    return lambda source, own: load_vlm(source, own, endpoint, revision=revision, trust_remote_code=trust)


def _base_loader(model: str, load: Load) -> Callable[[str], VLM]:
    from unmirage.evaluate.lasting import base_alone

    base = base_alone(model)
    return lambda own: load(base, own)[0]


def _check_server(model: str, given: dict[str, bool]) -> None:
    """Raise `UserError` for what takes weights, where they are on a server."""
    from unmirage.cli.model_target import ENDPOINT

    wanting = [option for option, there in given.items() if there]
    if wanting and model.startswith(ENDPOINT):
        raise UserError(f"{wanting[0]}: needs the model's weights, and '{model}' is a server; valid: --temperature T")
