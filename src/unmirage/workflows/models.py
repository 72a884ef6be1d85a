"""Load the models and judges that a command or an API call names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError, unknown
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.evaluate import Judge
    from unmirage.models import VLM, HuggingFaceVLM
    from unmirage.records import Failure

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
    name, _, place = spec.partition("@") if spec.startswith("guard:") else spec.partition(":")
    return (place if name.startswith(("guard:", "official", "strongreject")) else spec).startswith("endpoint:")


def check_endpoint(settings: Mapping[str, Any] | None, *targets: object) -> None:
    """Raise `UserError` if settings of servers are given, but none of the models and judges is on a server."""
    given = [name for name, value in (settings or {}).items() if value is not None]
    if given and not any(isinstance(one, str | Path) and asks_server(str(one)) for one in targets):
        raise UserError(f"{given[0]}: needs a model or judge of the form endpoint:URL#model-name")


def log_account(user: object) -> None:
    """Log the requests, tokens and cost of a model or judge on a server."""
    accounting = getattr(user, "accounting", None)
    if accounting is not None:
        log.info(accounting.summary())


def no_response(failures: Sequence[Failure], queries: int) -> str:
    """Return how many of the queries have no response, with the first reason; "" if all have one."""
    if not failures:
        return ""
    first = failures[0]
    return (
        f"{len(failures)} of {queries} queries have no response from {first.model}; "
        f"the first ({first.query_id[:80]}): {first.reason}"
    )


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


def make_judges(
    judges: Sequence[str | Judge],
    rubric: str = "harm",
    *,
    schema: bool = False,
    pictures: Pictures | None = None,
    cache: Path | None = None,
    endpoint: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
) -> list[Judge]:
    """Return the judges that the user specified.

    Args:
        judges: specifications such as "phrases" or "endpoint:URL#model-name", or judge objects.
        rubric: "harm" or "relevance".
        schema: request JSON-schema replies from servers.
        pictures: pictures that the judges see; None for none.
        cache: cache file for server replies.
        endpoint: settings of servers; None values were not given.
        batch_size: queries per batch, for a local judge model.

    Raises:
        UserError: a judge or the rubric is unknown, or two judges have the same name.
    """
    from unmirage.evaluate.judges import RUBRICS, JudgeOptions, make_judge
    from unmirage.models.endpoint import EndpointSettings

    if rubric not in RUBRICS:
        raise unknown("rubric", rubric, RUBRICS)
    held = [one for one in judges if isinstance(one, str) and asks_server(one) and not one.startswith("guard:")]
    if schema and not held:
        raise UserError(
            "--judge-schema: needs a judge on a server that replies in JSON; add --judge endpoint:URL#model"
        )
    options = JudgeOptions(
        rubric="harm" if rubric == "harm" else "relevance",
        pictures=pictures,
        cache=cache,
        settings=resolve(EndpointSettings, None, endpoint or {}, None),
        held=schema,
        batch_size=batch_size,
    )
    made = [make_judge(one, options) if isinstance(one, str) else one for one in judges]
    names = [judge.name for judge in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"--judge: two judges are named '{twice}'; give judges with different names")
    return made
