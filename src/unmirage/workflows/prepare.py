"""Read the inputs of forget and retain sets. No model is loaded, and no request is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError
from unmirage.prepare import Answerer, Inputs, Plan, PrepareConfig, make_harm_judge
from unmirage.prepare.judges import judge_sha256
from unmirage.run.fingerprint import folder_fingerprint, sha256_of
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
        answers_from: models, as specified by the user.
        judge: the judge, as specified by the user.
        config: fields of `PrepareConfig`.
        generation: fields of `GenerationConfig`.
        endpoint: settings of servers; None values were not given.
        cache: cache file for a server's scores; None disables it.
        accounts: requests and costs by server model; filled during use.
    """

    data: SampleFile
    general: SampleFile | None
    answers_from: Sequence[str]
    judge: str
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    endpoint: Mapping[str, Any]
    cache: Path | None
    accounts: dict[str, Accounting] = field(default_factory=dict)


def inputs_of(request: PrepareRequest) -> Inputs:
    """Return the inputs; report every error that can be found without loading a model."""
    from unmirage.models import GenerationConfig

    settings = None
    if request.judge.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings

        settings = resolve(EndpointSettings, None, request.endpoint, None)
    judge = make_harm_judge(request.judge, request.cache, settings)
    _note(request, f"judge {judge.name}", judge)
    return Inputs(
        data=request.data,
        general=request.general,
        answerers=[_answerer(name, spec, request) for name, spec in names_of(request.answers_from).items()],
        judge=judge,
        config=resolve(PrepareConfig, None, request.config, None),
        generation=GenerationConfig(**request.generation),
    )


def settings_of(request: PrepareRequest, inputs: Inputs, planned: Plan) -> dict[str, Any]:
    """Return the run's configuration: everything that determines the sets, except the content of the models."""
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
        "max_new_tokens": inputs.generation.max_new_tokens,
        "prepare": inputs.config.model_dump(mode="json"),
    }


def names_of(specs: Sequence[str]) -> dict[str, str]:
    """Return a dict from name to specification. The name is its last part, or all of it if last parts coincide.

    Raises:
        UserError: a model is given twice, or a server specification is invalid.
    """
    if twice := [spec for spec in specs if specs.count(spec) > 1]:
        raise UserError(f"--answers-from {twice[0]}: is given twice; give each model once")
    short = [_short(spec) for spec in specs]
    return {name if short.count(name) == 1 else spec: spec for name, spec in zip(short, specs, strict=True)}


def _short(spec: str) -> str:
    if spec.startswith(ENDPOINT):
        from unmirage.models.endpoint import parse_endpoint

        return parse_endpoint(spec).model
    return Path(spec).name or spec


def _answerer(name: str, spec: str, request: PrepareRequest) -> Answerer:
    load, folder = _loader(name, spec, request), Path(spec)
    if spec.startswith(ENDPOINT) or not folder.exists():
        return Answerer(name=name, spec=spec, load=load)
    from unmirage.models.huggingface import check_folder

    # Check now, not after the models before it have finished.
    check_folder(folder)
    return Answerer(name=name, spec=spec, load=load, fingerprint=folder_fingerprint(folder))


def _loader(name: str, spec: str, request: PrepareRequest) -> Callable[[], tuple[VLM, dict[str, str]]]:
    def load() -> tuple[VLM, dict[str, str]]:
        log.info(f"{name}: loading {spec}" if not spec.startswith(ENDPOINT) else f"{name}: on a server")
        vlm = load_vlm(spec, name, request.endpoint)
        _note(request, name, vlm)
        return vlm, identity_of(vlm)

    return load


def _note(request: PrepareRequest, name: str, user: object) -> None:
    """Keep the account of a judge or model on a server."""
    accounting = getattr(user, "accounting", None)
    if accounting is not None:
        request.accounts[name] = accounting
