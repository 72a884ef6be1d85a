"""Plan forget and retain sets without loading a model, then collect the responses and write the sets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError, unknown
from unmirage.models.base import THINKING
from unmirage.prepare import KINDS, Answerer, Inputs, Plan, PrepareConfig, make_harm_judge, prepare
from unmirage.prepare.document import Prepared
from unmirage.prepare.judges import judge_sha256
from unmirage.run.fingerprint import folder_fingerprint, sha256_of
from unmirage.run.progress import Progress
from unmirage.text.printable import short
from unmirage.workflows.arguments import log_reading
from unmirage.workflows.models import ENDPOINT, identity_of, load_vlm
from unmirage.workflows.settings import resolve

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from unmirage.models import VLM
    from unmirage.models.endpoint import Accounting


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """Inputs and settings for preparing forget and retain sets.

    Attributes:
        data, general: the data files.
        answers_from, judge: models and judge, as specified by the user.
        config, generation: fields of `PrepareConfig` and of `GenerationConfig`.
        endpoint: settings of servers; None values were not given.
        cache: cache file for a server's scores; None disables it.
        thinking: whether the models reason before they respond.
    """

    data: SampleFile
    general: SampleFile | None
    answers_from: Sequence[str]
    judge: str
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    endpoint: Mapping[str, Any]
    cache: Path | None
    thinking: str = "auto"


@dataclass(frozen=True, slots=True)
class PreparePlan:
    """What to collect.

    Attributes:
        inputs: data, models and judge.
        plan: the queries, and the samples to retain.
        settings: configuration of the run: everything that determines the sets, except the content of the models.
        accounts: requests and costs by server model; filled during use.
    """

    inputs: Inputs
    plan: Plan
    settings: Mapping[str, Any]
    accounts: Mapping[str, Accounting]

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return self.plan.to_json(general=self.inputs.general is not None)


def plan_prepare(request: PrepareRequest) -> PreparePlan:
    """Return the plan; report every error that can be found without loading a model."""
    _check_kinds(request.config.get("kinds"))
    accounts: dict[str, Accounting] = {}
    inputs = _inputs(request, accounts)
    planned = inputs.plan()
    return PreparePlan(inputs, planned, _settings(request, inputs, planned), accounts)


def _check_kinds(kinds: Sequence[str] | None) -> None:
    if kinds is not None and not kinds:
        raise UserError(f"--kinds: empty; valid: {', '.join(KINDS)}")
    for one in kinds or ():
        if one not in KINDS:
            raise unknown("kind of unsafe query", one, KINDS)


def run_prepare(plan: PreparePlan, out: Path, progress: Progress) -> Prepared:
    """Collect the missing responses, and write the sets; log requests and costs, and return prepare.json."""
    from unmirage.run import open_run

    with open_run(out, dict(plan.settings)) as run:
        found = prepare(run, plan.inputs, plan.plan, plan.settings, progress)
    for name, account in plan.accounts.items():
        log.info("%s: %s", name, account.summary())
    for file in filter(None, (plan.inputs.data, plan.inputs.general)):
        log_reading(file)
    return found


def missing_of(found: Prepared) -> list[str]:
    """Return what the sets of a prepare.json lack, one line each: responses, verdicts or pictures."""
    missing = []
    for name, counts in found.models.items():
        if counts.failed:
            missing.append(f"{counts.failed} of {counts.asked} queries have no response from {short(name, 60)}")
        if counts.no_verdict:
            missing.append(f"{counts.no_verdict} responses of {short(name, 60)} have no verdict")
    if found.first_failure:
        missing[-1] += f" (the first: {short(found.first_failure, 300)})"
    if unreadable := found.retain.left_out["no picture"]:
        first = short(found.retain.first_without_picture or "", 300)
        missing.append(f"{unreadable} safe samples have no picture ({first})")
    return missing


def check_sets(found: Prepared) -> None:
    """Raise `UserError` if one of the sets is empty."""
    forget, retain = found.forget, found.retain
    if not forget.rows:
        why = ", ".join(f"{number:,} {reason}" for reason, number in forget.left_out.items() if number)
        raise UserError(f"no harmful response to forget ({why}); use models that comply, such as one before alignment")
    if not retain.rows:
        raise UserError("no safe sample to retain; add --general FILE with answers and readable pictures")


def _inputs(request: PrepareRequest, accounts: dict[str, Accounting]) -> Inputs:
    from unmirage.models import GenerationConfig

    settings = None
    if request.judge.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings

        settings = resolve(EndpointSettings, None, request.endpoint, None)
    judge = make_harm_judge(request.judge, request.cache, settings)
    _note(accounts, f"judge {judge.name}", judge)
    return Inputs(
        data=request.data,
        general=request.general,
        answerers=[_answerer(name, spec, request, accounts) for name, spec in _names(request.answers_from).items()],
        judge=judge,
        config=resolve(PrepareConfig, None, request.config, None),
        generation=GenerationConfig(**request.generation),
    )


def _settings(request: PrepareRequest, inputs: Inputs, planned: Plan) -> dict[str, Any]:
    general = inputs.general
    return {
        "data": str(inputs.data.source),
        "data_sha256": sha256_of(inputs.data.source),
        "samples_sha256": planned.fingerprint(),
        "images": str(inputs.data.image_root.resolve()),
        "general": None if general is None else str(general.source),
        "general_sha256": None if general is None else sha256_of(general.source),
        "general_images": None if general is None else str(general.image_root.resolve()),
        "answers_from": list(request.answers_from),
        "judge": request.judge,
        "judge_sha256": judge_sha256(request.judge),
        **({"judge_options": extra} if (extra := request.endpoint.get("extra")) else {}),
        "max_new_tokens": inputs.generation.max_new_tokens,
        "prepare": inputs.config.model_dump(mode="json"),
        # Older folders, and those with the chat template's default, lack this field.
        **({} if request.thinking == "auto" else {THINKING: request.thinking}),
    }


def _names(specs: Sequence[str]) -> dict[str, str]:
    """Return a dict from name to specification. The name is its last part, or all of it if last parts coincide.

    Raises:
        UserError: a model is given twice, or a server specification is invalid.
    """
    if twice := [spec for spec in specs if specs.count(spec) > 1]:
        raise UserError(f"--answers-from {twice[0]}: is given twice; give each model once")
    names = [_last_part(spec) for spec in specs]
    return {name if names.count(name) == 1 else spec: spec for name, spec in zip(names, specs, strict=True)}


def _last_part(spec: str) -> str:
    if spec.startswith(ENDPOINT):
        from unmirage.models.endpoint import parse_endpoint

        return parse_endpoint(spec).model
    return Path(spec).name or spec


def _answerer(name: str, spec: str, request: PrepareRequest, accounts: dict[str, Accounting]) -> Answerer:
    load, folder = _loader(name, spec, request, accounts), Path(spec)
    if spec.startswith(ENDPOINT) or not folder.exists():
        return Answerer(name=name, spec=spec, load=load)
    from unmirage.models.huggingface import check_folder

    # Check now, not after the models before it have finished.
    check_folder(folder)
    return Answerer(name=name, spec=spec, load=load, fingerprint=folder_fingerprint(folder))


def _loader(
    name: str, spec: str, request: PrepareRequest, accounts: dict[str, Accounting]
) -> Callable[[], tuple[VLM, dict[str, str]]]:
    def load() -> tuple[VLM, dict[str, str]]:
        log.info(f"{name}: loading {spec}" if not spec.startswith(ENDPOINT) else f"{name}: on a server")
        vlm = load_vlm(spec, name, request.endpoint, thinking=request.thinking)
        _note(accounts, name, vlm)
        return vlm, identity_of(vlm)

    return load


def _note(accounts: dict[str, Accounting], name: str, user: object) -> None:
    """Keep the account of a judge or model on a server."""
    accounting = getattr(user, "accounting", None)
    if accounting is not None:
        accounts[name] = accounting
