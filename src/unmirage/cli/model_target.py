"""MODEL on the command line: a Hugging Face directory, a hub id, or `endpoint:URL#model-name`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.cli.console import err
from unmirage.cli.settings import resolve
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.models import VLM, HuggingFaceVLM

ENDPOINT = "endpoint:"


def load_vlm(
    model: str,
    name: str | None,
    endpoint: Mapping[str, Any],
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[VLM, dict[str, str]]:
    """Return the model, and what identifies it: a hash by file name, or its address.

    Args:
        model: what the user wrote.
        name: of the model in tables.
        endpoint: settings of a server; None values were not given.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository.
    """
    if model.startswith(ENDPOINT):
        from unmirage.models.endpoint import EndpointSettings, EndpointVLM, parse_endpoint

        spec = parse_endpoint(model)
        return EndpointVLM.connect(model, name, resolve(EndpointSettings, None, endpoint, None)), {"address": str(spec)}
    return load_local(model, name, revision=revision, trust_remote_code=trust_remote_code)


def load_local(
    model: str, name: str | None, *, revision: str | None = None, trust_remote_code: bool = False
) -> tuple[HuggingFaceVLM, dict[str, str]]:
    """Return a model whose weights are at hand, and what identifies it."""
    if model.startswith(ENDPOINT):
        raise UserError(
            f"'{model}': a server gives no probabilities of whole words; valid: a model directory or hub id"
        )
    from unmirage.models import HuggingFaceVLM
    from unmirage.models.families import why_not_shared

    vlm = HuggingFaceVLM.load(model, name, revision=revision, trust_remote_code=trust_remote_code)
    if reason := why_not_shared(vlm.model):
        err.print(f"{vlm.name}: {reason}; pictures are read anew for each query", markup=False)
    return vlm, identity(model, vlm)


def identity(model: str, vlm: HuggingFaceVLM) -> dict[str, str]:
    """Return what identifies a model that was loaded: a hash by file name, or a hub's commit.

    An adapter is nothing without its base, whose files count too.
    """
    from unmirage.models.adapters import base_of
    from unmirage.models.folder import is_adapter
    from unmirage.run.fingerprint import folder_fingerprint

    folder = Path(model)
    if not folder.is_dir():
        return {"hub": model, "commit": str(getattr(vlm.model.config, "_commit_hash", None))}
    if not is_adapter(folder):
        return folder_fingerprint(folder)
    below = identity(base_of(folder), vlm)
    return folder_fingerprint(folder) | {f"base/{file}": digest for file, digest in below.items()}
