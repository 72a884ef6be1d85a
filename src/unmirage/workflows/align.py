"""Read alignment data, compare it with test data, train a model, and save it with a record of its origin."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from unmirage.data import open_samples
from unmirage.data.overlap import PairOverlap
from unmirage.data.pairs import contradictions, read_pairs
from unmirage.data.roles import check_allowed, check_roles, roles_of
from unmirage.data.rows import with_unique_ids
from unmirage.data.several import together
from unmirage.documents import Document
from unmirage.errors import UserError
from unmirage.records import Amount, Count, Sample, SinkCount
from unmirage.run.progress import Progress, followed
from unmirage.workflows.align_work import check_machine, claimed, loading_of
from unmirage.workflows.arguments import conversations, log_reading
from unmirage.workflows.models import identity_of
from unmirage.workflows.overlaps import Compared

if TYPE_CHECKING:
    from unmirage.align import AlignConfig, AlignData
    from unmirage.align.estimate.result import Estimate
    from unmirage.models import HuggingFaceVLM
    from unmirage.workflows.eval_watch import Evaluation
    from unmirage.workflows.relevance_watch import RelevanceStop

log = logging.getLogger(__name__)
FORGET, RETAIN, TRAIN, PAIRS = "forget", "retain", "train", "pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignFiles:
    """The data files of a training.

    Attributes:
        retain, forget: files of the two sets.
        pairs: files of preference pairs.
        test: files that the model will be tested on.
        format, columns: format of the files.
        images: folder of the pictures; None for the folder of each file.
        allow: what the forget set may hold, of `unmirage.data.roles.ALLOWABLE`.
    """

    retain: Sequence[Path] = ()
    forget: Sequence[Path] = ()
    pairs: Sequence[Path] = ()
    test: Sequence[Path] = ()
    format: str = "auto"
    columns: Mapping[str, str] | None = None
    images: Path | None = None
    allow: Sequence[str] = ()

    def checked(self) -> AlignData:
        """Return the samples of all sets; log what their answers and labels are.

        Raises:
            UserError: as `read`, or the forget set is none.
        """
        check_allowed(self.allow)
        data = self.read()
        roles = roles_of(forget=data.forget, pairs=data.pairs, retain=data.retain)
        check_roles(roles, self.forgotten, self.allow)
        for role in roles:
            log.info(role.line())
        if reversed_pairs := contradictions(data.pairs):
            log.warning(
                "%s: %d pairs contradict another one: what one prefers, the other rejects",
                ", ".join(map(str, self.pairs)),
                reversed_pairs,
            )
        return data

    @property
    def forgotten(self) -> str:
        """The names of the files of the forget set."""
        return ", ".join(map(str, self.forget))

    def read(self) -> AlignData:
        """Return the samples of all sets, with the pictures of all files.

        Raises:
            UserError: no file is given, one cannot be read, or pairs cannot be used.
        """
        from unmirage.align import AlignData

        if not self.training:
            raise UserError(
                "no data; add --retain FILE (data to retain), --forget FILE (data to forget), or both; "
                "or --pairs FILE (preference pairs)"
            )
        files = [
            # Training needs answers, not labels.
            open_samples(file, self.format, columns=self.columns, images=self.images, unlabeled=True)
            for file in self.training
        ]
        others, pairs = files[: -len(self.pairs) or None], files[len(files) - len(self.pairs) :]
        read: list[Iterable[Sample]] = [*others, *map(read_pairs, pairs)]
        sets, images = together([(samples, file.pictures) for samples, file in zip(read, files, strict=True)])
        for file in files:
            log_reading(file)
        return AlignData(
            retain=with_unique_ids(chain(*sets[: len(self.retain)])),
            forget=with_unique_ids(chain(*sets[len(self.retain) : len(others)])),
            pairs=with_unique_ids(chain(*sets[len(others) :])),
            images=images,
        )

    @property
    def training(self) -> list[Path]:
        """The files of the training data."""
        return [*self.retain, *self.forget, *self.pairs]

    def compare(self, data: AlignData) -> Compared:
        """Return the overlaps of the training sets, and of each with each test file.

        Raises:
            UserError: a test file cannot be read.
        """
        retain = RETAIN if data.forget or data.pairs else TRAIN
        sets = {FORGET: data.forget, PAIRS: data.pairs, retain: data.retain}
        lists = {name: (samples, data.images) for name, samples in sets.items()}
        for path in self.test:
            file = open_samples(path, self.format, columns=self.columns, images=self.images)
            lists[str(path)] = (list(file), file.pictures)
        return Compared.of(lists)


def with_dtype(config: AlignConfig, dtype: str) -> AlignConfig:
    """Return a config whose `precision` is that of the option `dtype`; "auto" leaves it as it is.

    Raises:
        UserError: the dtype is unknown, or the config has another precision.
    """
    from unmirage.models.placement import check_dtype

    if check_dtype(dtype) == "auto":
        return config
    if config.precision not in ("auto", dtype):
        raise UserError(f"dtype {dtype}: the setting precision is {config.precision}; give one of the two")
    return config.model_copy(update={"precision": dtype})


def check_output(out: Path | None, config: AlignConfig, *, adapter_only: bool) -> None:
    """Raise `UserError` if the model directory exists, or there is no adapter to save."""
    if adapter_only and config.lora is None:
        raise UserError("no adapter is trained, so none can be saved; add --lora RANK, or lora=RANK")
    if out is not None and out.exists():
        raise UserError(f"{out}: exists; name a new directory with --out")


def estimate_training(
    model: str,
    files: AlignFiles,
    config: AlignConfig,
    base: str | None = None,
    evaluation: Evaluation | None = None,
) -> tuple[Estimate, Compared]:
    """Return the estimate of a training, with the roles of its sets, and the overlaps of its data."""
    from unmirage.align.estimate.run import estimate
    from unmirage.models.bases import whole_model

    check_allowed(files.allow)
    data = files.read()
    if evaluation is not None:
        evaluation.checks(data)
    compared = files.compare(data)
    roles = roles_of(forget=data.forget, pairs=data.pairs, retain=data.retain)
    return replace(estimate(whole_model(model, base), data, config), roles=roles), compared


def hashes(vlm: HuggingFaceVLM, files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return the identity of the model and the data: hashes by file name, or a hub's commit."""
    from unmirage.run.fingerprint import sha256_of

    return {
        "model": identity_of(vlm),
        "data": {str(file): sha256_of(file) for file in files},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSummary(Document):
    """The summary of a training, the document `unmirage.align/1`.

    Attributes:
        model: the new model directory.
        steps: optimizer steps of the final weights.
        seconds: duration of the last call.
        stopped: why the training stopped early; "" if it did not.
        early: whether it stopped because relevance fell or no check was better, as requested.
        evaluation: measurements on held-out data by step and name; empty without an evaluation. The weights are those
            of the best step, `steps`.
        relevance: mean relevance of benign responses by step; empty without an early stop on relevance.
        loss: weighted parts of the loss by step.
        sinks: places of the rows by stream, and the attention sinks among them that the loss left out, if any.
        overlap: overlap of training and test data.
    """

    FILE: ClassVar[str] = "align.json"
    WRITER: ClassVar[str] = "unmirage align MODEL --out OUT --json"

    schema: Literal["unmirage.align/1"] = "unmirage.align/1"
    model: str
    steps: Count
    seconds: Amount
    stopped: str
    early: Annotated[bool, Field(exclude_if=lambda early: not early)] = False
    evaluation: Annotated[Mapping[str, Mapping[str, float]], Field(exclude_if=lambda checks: not checks)] = field(
        default_factory=dict
    )
    relevance: Annotated[Mapping[str, float], Field(exclude_if=lambda checks: not checks)] = field(default_factory=dict)
    loss: Sequence[Mapping[str, float]]
    overlap: tuple[PairOverlap, ...]
    sinks: Annotated[Mapping[str, SinkCount], Field(exclude_if=lambda sinks: not sinks)] = field(default_factory=dict)


def train_and_save(
    model: str,
    files: AlignFiles,
    config: AlignConfig,
    out: Path,
    *,
    work: Path | None = None,
    adapter_only: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
    device: str = "auto",
    base: str | None = None,
    stop: RelevanceStop | None = None,
    evaluation: Evaluation | None = None,
    report_to: Sequence[str] = (),
    progress: Progress | None = None,
) -> AlignSummary | None:
    """Train `model` and write it to `out`, with its model card and the record of its training data.

    An interrupted training resumes from its work directory. Under `accelerate launch`, all processes must call this
    function; the main process writes, and the others return None.

    Args:
        model: model directory, adapter directory or hub id.
        files: the training and test data.
        stop: early stop on relevance.
        evaluation: evaluation during training, instead of `stop`.
        report_to: trackers; another one, or none, may follow when the training is resumed.
        revision, trust_remote_code, device, base: as for `unmirage.load_model`; all others as for `unmirage.align`.
    """
    from unmirage.align import align
    from unmirage.align.card import model_card, sink_lines
    from unmirage.align.plan import suited
    from unmirage.align.processes import choose_device, is_main_process, processes
    from unmirage.align.tracking import check_trackers
    from unmirage.align.work_directory import Work
    from unmirage.models import HuggingFaceVLM
    from unmirage.models.bases import about_base
    from unmirage.models.placement import device_of, note_bfloat16
    from unmirage.run.model import save_model

    check_output(out, config, adapter_only=adapter_only)
    if stop is not None and evaluation is not None:
        raise UserError("eval: does not work with stop_relevance; leave out one of them")
    check_trackers(report_to)
    choose_device(device)
    check_machine(config, adapter_only=adapter_only)
    if config.precision == "bfloat16":
        note_bfloat16(device_of(device))
    data = files.checked()
    checks = None if evaluation is None else evaluation.checks(data)
    config = suited(config, data)
    processes()  # must precede loading: it assigns each process its device
    vlm = HuggingFaceVLM.load(
        model,
        out.name,
        revision=revision,
        trust_remote_code=trust_remote_code,
        device=device,
        base=base,
        loading=loading_of(model, config, revision=revision, trust_remote_code=trust_remote_code),
    )
    about = about_base(vlm.model, identity_of(vlm))
    parts = hashes(vlm, files.training)
    compared = files.compare(data) if is_main_process() else None
    for line in compared.lines() if compared else ():
        log.info(line)
    folder = work or out.with_name(f"{out.name}.work")

    told = None if progress is None else followed(progress, out.name)
    told_apart = conversations(data.samples)
    identity = {"model": parts["model"], "data": parts["data"], **told_apart, **config.model_dump(mode="json")}
    watch = None
    if evaluation is not None:
        identity |= evaluation.identity()
    if stop is not None:
        identity |= stop.identity()
        watch = stop.watch(data.samples)
        if watch.left_out:
            log.warning(
                "%s: %d benign queries are in the training data and are not used", stop.validation, watch.left_out
            )
    with claimed(folder, identity):
        result = align(vlm, data, config, told, folder, watch=watch, checks=checks, report_to=report_to)
        for name in result.ignored:
            log.warning("%s: checkpoint '%s' is incomplete and is ignored", folder, name)
        for line in sink_lines(result.sinks):
            log.warning("%s", line)
        if not result.writes:
            return None
        assert compared is not None  # the process that writes is the main one
        save_model(
            out,
            vlm,
            config.model_dump(mode="json"),
            result.state,
            adapter=result.adapter,
            adapter_only=adapter_only,
            base=model,
            about=about,
            card=model_card(out.name, model, config, result, parts),
            training=compared.training_record((FORGET, PAIRS, RETAIN, TRAIN), model),
        )
        Work(folder, config.keep_last).checkpoints.clear()
    return AlignSummary(
        model=str(out),
        steps=result.steps,
        seconds=result.seconds,
        stopped=result.stopped,
        early=result.early,
        evaluation={
            str(step): {name: round(value, 6) for name, value in one.items()} for step, one in result.checks.items()
        },
        relevance={str(step): round(value, 4) for step, value in result.watched.items()},
        loss=result.parts,
        overlap=compared.pairs,
        sinks={name: one for name, one in result.sinks.items() if one.sinks},
    )
