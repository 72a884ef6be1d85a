"""Load a model from a Hugging Face directory, a hub id, or `endpoint:URL#model-name`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.models import VLM, HuggingFaceVLM

log = logging.getLogger(__name__)
ENDPOINT = "endpoint:"


def load_vlm(
    model: str,
    name: str | None = None,
    endpoint: Mapping[str, Any] | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> VLM:
    """Load a model, or connect to the server that hosts it.

    Args:
        model: directory, hub id, or "endpoint:URL#model-name".
        name: name of the model in tables; None for the last part of `model`.
        endpoint: settings of a server; None values were not given.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository.
    """
    if model.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings, EndpointVLM

        return EndpointVLM.connect(model, name, resolve(EndpointSettings, None, endpoint or {}, None))
    return load_local(model, name, revision=revision, trust_remote_code=trust_remote_code)


def load_local(
    model: str, name: str | None, *, revision: str | None = None, trust_remote_code: bool = False
) -> HuggingFaceVLM:
    """Load a model from local weights.

    Raises:
        UserError: the model is on a server.
    """
    if model.startswith(ENDPOINT):
        raise UserError(
            f"'{model}': a server does not return the probabilities of whole words; use a model directory or hub id"
        )
    from unmirage.models import HuggingFaceVLM
    from unmirage.models.families import why_not_shared

    vlm = HuggingFaceVLM.load(model, name, revision=revision, trust_remote_code=trust_remote_code)
    if reason := why_not_shared(vlm.model):
        log.info("%s: %s; each query reads its picture again", vlm.name, reason)
    return vlm


def asks_server(spec: str) -> bool:
    """Tell whether `spec` refers to a model or judge on a server."""
    return spec.removeprefix("official:").startswith("endpoint:")


def identity_of(vlm: VLM) -> dict[str, str]:
    """Return the identity of a model: a hash by file name, a hub's commit, an address, or the class of an object."""
    source = getattr(vlm, "source", "")
    if not source:
        return {"class": f"{type(vlm).__module__}.{type(vlm).__qualname__}"}
    if source.startswith(ENDPOINT):
        from unmirage.models.endpoint import parse_endpoint

        return {"address": str(parse_endpoint(source))}
    return identity(source, str(getattr(getattr(getattr(vlm, "model", None), "config", None), "_commit_hash", None)))


def identity(model: str, commit: str) -> dict[str, str]:
    """Return the identity of a loaded model: a hash by file name, or the commit of a hub id.

    The identity of an adapter includes the files of its base model.
    """
    from unmirage.models.adapters import base_of
    from unmirage.models.folder import is_adapter
    from unmirage.run.fingerprint import folder_fingerprint

    folder = Path(model)
    if not folder.is_dir():
        return {"hub": model, "commit": commit}
    if not is_adapter(folder):
        return folder_fingerprint(folder)
    below = identity(base_of(folder), commit)
    return folder_fingerprint(folder) | {f"base/{file}": digest for file, digest in below.items()}
