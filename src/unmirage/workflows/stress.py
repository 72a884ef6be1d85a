"""Plan modified copies of a model (fine-tuned, int8, sampled), and collect their responses to a run's queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError, unknown
from unmirage.evaluate import make_judge, stops_at_success
from unmirage.evaluate.pictures import pictures_of
from unmirage.evaluate.robustness import RelearnConfig, RelearnData, Stress, base_alone, plan_variants, run_stress
from unmirage.models import VLM, GenerationConfig
from unmirage.models.base import THINKING
from unmirage.records import Kind, Query
from unmirage.run import Run, open_run
from unmirage.run.progress import Progress
from unmirage.text.openers import opener
from unmirage.workflows.demo_run import settings_of
from unmirage.workflows.models import ENDPOINT, asked_identity

if TYPE_CHECKING:
    from unmirage.data import SampleFile

Load = Callable[[str, str, str], VLM]  # (source, name, thinking)
FORGET, BENIGN, SAME_SYNTAX = "forget", "benign", "same-syntax"
KINDS = (FORGET, BENIGN, SAME_SYNTAX)


def relearn_data(
    files: Mapping[str, Path],
    most: int,
    seed: int,
    queries: Sequence[Query],
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    images: Path | None = None,
) -> dict[str, RelearnData]:
    """Return the fine-tuning data, in drawn order.

    Of benign files, only samples that a model should answer are used. Samples of kind "same-syntax" are reworded to
    open like the run's unsafe queries.

    Args:
        files: data files by kind.
        most: number of samples needed of each kind.
        seed: seed of the draw.
        queries: queries of the run.
        format, columns, images: format of the files, and folder of their pictures.

    Raises:
        UserError: a file cannot be read, or has too few samples.
    """
    from unmirage.data import open_samples

    found = {}
    for kind, path in files.items():
        file = open_samples(path, format, columns=columns, images=images)
        samples = _drawn(kind, file, most, seed, queries)
        if len(samples) < most:
            raise UserError(
                f"--relearn {kind}={path}: only {len(samples)} samples can be used, but --samples requests {most}; "
                f"valid: up to {len(samples)}"
            )
        found[kind] = RelearnData(samples=samples, images=file.pictures)
    return found


def _drawn(kind: str, file: SampleFile, most: int, seed: int, queries: Sequence[Query]) -> list[Any]:
    from unmirage.data.rows import with_unique_ids
    from unmirage.evaluate.robustness import in_drawn_order, same_syntax

    samples = with_unique_ids(file)
    if kind == SAME_SYNTAX:
        unsafe = [opener(query.text) for query in queries if query.unsafe and query.kind is Kind.PLAIN]
        if not any(unsafe):
            raise UserError("--relearn same-syntax: the run has no unsafe queries to take openers from")
        return same_syntax(samples, unsafe, most, seed)
    return in_drawn_order((one for one in samples if kind == FORGET or not one.refused), seed)[:most]


def check_run(config: Mapping[str, Any], file: Path) -> None:
    """Raise `UserError` unless `attack` or `evaluate --suite` made the run; `file` is its configuration."""
    if not {"seed", "attack", "data", "images", "max_new_tokens"} <= set(config):
        raise UserError(f"{file}: field 'attack' is missing; stress needs a run of `unmirage attack`")


def plan_stress(
    model: str,
    run: Run,
    load: Load,
    *,
    relearn: Mapping[str, Path] | None = None,
    samples: Sequence[int] = (0, 8, 32, 128),
    int8: bool = False,
    temperatures: Sequence[float] = (),
    no_adapter: bool = False,
    relearning: RelearnConfig | None = None,
    name: str | None = None,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    images: Path | None = None,
    batch_size: int | None = None,
    keep: Path | None = None,
    thinking: str | None = None,
    base: str | None = None,
) -> Stress:
    """Return the variants of a model that will answer the queries of a run; see `unmirage.stress` for the arguments.

    Args:
        load: loads a model under a name, with the run's setting of `--thinking`.
        relearning: settings of the fine-tuning.
        name: name of the model in tables; None for the name that `attack` would use.
        thinking: must be that of the run; None for that of the run.
        base: replaces the base that an adapter names.

    Raises:
        UserError: no change is requested, a file has too few samples, or a server would need weights.
    """
    files = dict(relearn or {})
    for kind in files:
        if kind not in KINDS:
            raise unknown("kind of fine-tuning data", kind, KINDS)
    for temperature in temperatures:
        if not temperature > 0:
            raise UserError(
                f"temperatures: {temperature} is not positive; 0 is the model itself, which is asked anyway"
            )
    if not (files or int8 or temperatures or no_adapter):
        raise UserError("nothing to do; add --relearn KIND=FILE, --int8, --temperature T or --no-adapter")
    _check_server(model, {"--relearn": bool(files), "--int8": int8, "--no-adapter": no_adapter})
    config = settings_of(run)
    check_run(config, run.config_file)
    asked = config.get(THINKING, "auto")
    if thinking not in (None, asked):
        raise UserError(f"--thinking {thinking}: this run uses {asked}; leave this option out")
    settings = relearning or RelearnConfig()
    of, counts = _name(model, name), sorted(set(samples))
    with run.store() as store:
        queries = store.queries()
    alone = (base or base_alone(model)) if no_adapter else None
    return Stress(
        of=of,
        variants=plan_variants(
            of,
            relearn=list(files),
            samples=counts,
            int8=int8,
            temperatures=sorted(set(temperatures)),
            no_adapter=no_adapter,
        ),
        load=lambda own: load(model, own, asked),
        load_base=None if alone is None else lambda own: load(alone, own, asked),
        data=relearn_data(files, max(counts), settings.seed, queries, format=format, columns=columns, images=images),
        relearning=settings,
        images=pictures_of(run),
        generation=GenerationConfig(max_new_tokens=config["max_new_tokens"], batch_size=batch_size),
        until=make_judge(config["until_success"]) if stops_at_success(config) else None,
        keep=keep,
    )


def variants_to_json(run: Run, stress: Stress) -> dict[str, Any]:
    """Return the model and its variants, with the number of queries that each has not answered."""
    itself = {"model": stress.of, "kind": "itself", "data": "", "amount": 0.0}
    made = [{"model": v.model, "kind": v.kind, "data": v.data, "amount": v.amount} for v in stress.variants]
    with run.store() as store:
        return {
            "variants": [
                {**one, "unanswered": len(stress.missing(store, str(one["model"])))} for one in (itself, *made)
            ]
        }


def run_stressed(run: Run, stress: Stress, progress: Progress) -> list[str]:
    """Collect the missing responses of all variants; return what is still missing, one line each."""
    with open_run(run.path, run.config()) as opened, opened.store() as store:
        missing = run_stress(stress, store, asked_identity(stress.load(stress.of)), progress)
        failures = [one for name in stress.names() for one in store.failures(name)]
    if not missing:
        return []
    reason = f"; the first ({failures[0].model}): {failures[0].reason}" if failures else ""
    return [f"{missing} queries have no response{reason}"]


def _name(model: str, name: str | None) -> str:
    """Return the name of the model in tables, as `unmirage attack` sets it."""
    if name is not None:
        return name
    if model.startswith(ENDPOINT):
        from unmirage.models.endpoint import parse_endpoint

        return parse_endpoint(model).model
    return Path(model).name


def _check_server(model: str, given: Mapping[str, bool]) -> None:
    """Raise `UserError` for options that need weights if the model is on a server."""
    wanting = [option for option, there in given.items() if there]
    if wanting and model.startswith(ENDPOINT):
        raise UserError(f"{wanting[0]}: needs the model's weights, but '{model}' is a server; valid: --temperature T")
