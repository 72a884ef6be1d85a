"""Load the models and judges that a command or an API call names."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.errors import UserError, unknown
from unmirage.models.base import THINKING, TRAINED_THINKING, thinking_note
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.evaluate import Judge
    from unmirage.models import VLM, HuggingFaceVLM
    from unmirage.models.base import Thinking
    from unmirage.records import Failure, Response
    from unmirage.run.store import Store

log = logging.getLogger(__name__)
ENDPOINT = "endpoint:"
DTYPE = "dtype"  # field of a model's identity in a run
_ON_SERVER = re.compile(rf"(?:official:|strongreject:|guard:[^@]*@)?{ENDPOINT}")


def load_vlm(
    model: str,
    name: str | None = None,
    endpoint: Mapping[str, Any] | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    thinking: str = "auto",
    dtype: str = "auto",
    device: str = "auto",
    base: str | None = None,
) -> VLM:
    """Load a model, or connect to the server that hosts it.

    Args:
        model: directory, hub id, or "endpoint:URL#model-name".
        name: name of the model in tables; None for the last part of `model`.
        endpoint: settings of a server; None values were not given.
        revision: commit of a hub id.
        trust_remote_code: run code of the model's repository.
        thinking: "on" or "off" switches the reasoning of the chat template; "auto" leaves it as it is.
        dtype, device: dtype and device of local weights.
        base: directory or hub id that replaces the base that an adapter names.

    Raises:
        UserError: `dtype`, `device` or `base` is given for a server.
    """
    if model.startswith(ENDPOINT):
        _check_not_placed(model, dtype, device)
        if base is not None:
            raise UserError(f"base '{base}': '{model}' is on a server; only adapters in a directory have a base")
        from unmirage.models.endpoint import EndpointSettings, EndpointVLM

        settings = dict(endpoint or {}) | _asked_to_think(model, endpoint or {}, thinking)
        vlm = EndpointVLM.connect(model, name, resolve(EndpointSettings, None, settings, None))
        vlm.thinking = thinking
        return vlm
    return load_local(
        model,
        name,
        revision=revision,
        trust_remote_code=trust_remote_code,
        thinking=thinking,
        dtype=dtype,
        device=device,
        base=base,
    )


def check_place(model: str) -> None:
    """Raise `UserError` for a model that can be neither a directory, a hub id nor a server, before any work is done."""
    path = Path(model)
    if model.startswith(ENDPOINT) or path.is_dir() or (len(path.parts) == 2 and not path.exists()):
        return
    from unmirage.models.folder import local_folder

    local_folder(model, None, trust_remote_code=False)


def loader(
    model: str | Path | VLM,
    endpoint: Mapping[str, Any] | None,
    thinking: str,
    dtype: str = "auto",
    device: str = "auto",
) -> Callable[[], VLM]:
    """Return a function that loads a model, connects to a server, or returns the given object.

    Raises:
        UserError: `thinking`, `dtype` or `device` is set for a model that is already loaded.
    """
    if isinstance(model, str | Path):
        return partial(load_vlm, str(model), None, endpoint, thinking=thinking, dtype=dtype, device=device)
    check_not_loaded(thinking=thinking, dtype=dtype, device=device)
    return lambda: model


def check_not_loaded(**settings: str) -> None:
    """Raise `UserError` if a setting of loading is given with a model that is already loaded."""
    if given := next((name for name, value in settings.items() if value != "auto"), None):
        raise UserError(f"{given}: the model is already loaded; pass it to load_model")


def _check_not_placed(model: str, dtype: str, device: str) -> None:
    for name, value in (("dtype", dtype), ("device", device)):
        if value != "auto":
            raise UserError(f"{name} {value}: '{model}' is on a server, which sets its own {name}; leave it out")


def _asked_to_think(model: str, endpoint: Mapping[str, Any], thinking: str) -> dict[str, Any]:
    """Return the setting by which vLLM, SGLang and llama.cpp pass the reasoning switch to the chat template.

    Raises:
        UserError: the server is OpenAI's own, which rejects the field.
    """
    from unmirage.models.base import check_thinking
    from unmirage.models.endpoint import parse_endpoint

    if check_thinking(thinking) == "auto":
        return {}
    if parse_endpoint(model).is_openai:
        raise UserError(
            f"--thinking {thinking}: OpenAI's own server has no chat template to switch; leave this option out, or "
            "choose another model"
        )
    extra: dict[str, Any] = dict(endpoint.get("extra") or {})
    given: dict[str, Any] = dict(extra.get("chat_template_kwargs") or {})
    return {"extra": extra | {"chat_template_kwargs": given | {"enable_thinking": thinking == "on"}}}


def load_local(
    model: str,
    name: str | None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    thinking: str = "auto",
    dtype: str = "auto",
    device: str = "auto",
    base: str | None = None,
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
    from unmirage.models.base import check_thinking
    from unmirage.models.families import why_not_shared

    vlm = HuggingFaceVLM.load(
        model,
        name,
        revision=revision,
        trust_remote_code=trust_remote_code,
        thinking=check_thinking(thinking),
        dtype=dtype,
        device=device,
        base=base,
    )
    if reason := why_not_shared(vlm.model):
        log.info("%s: %s; each query reads its picture again", vlm.name, reason)
    return vlm


def asks_server(spec: str) -> bool:
    """Tell whether `spec` refers to a model or judge on a server."""
    return _ON_SERVER.match(spec) is not None


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
    if isinstance(told := getattr(vlm, "identity", None), dict):
        return told
    if not source:
        kind = type(getattr(vlm, "alone", vlm))  # with several processes, that of each of them
        return {"class": f"{kind.__module__}.{kind.__qualname__}"}
    from unmirage.models.bases import identity

    commit = str(getattr(getattr(getattr(vlm, "model", None), "config", None), "_commit_hash", None))
    return identity(source, commit, getattr(vlm, "base", None))


def asked_identity(vlm: VLM) -> dict[str, str]:
    """Return the identity of a model that is asked, with its settings `--thinking` and `--dtype`.

    It has no such field where the default is used. Older runs lack the fields too.
    """
    told = thinking_setting(vlm)
    if (dtype := getattr(vlm, "dtype", "auto")) != "auto":
        told[DTYPE] = str(dtype)
    asked = told.get(THINKING, "auto")
    trained = _trained_thinking(getattr(vlm, "source", ""))
    if trained is not None and trained != asked and not (hasattr(vlm, "asks_alike") and vlm.asks_alike(trained)):
        told[TRAINED_THINKING] = trained
    return identity_of(vlm) | told


def _trained_thinking(source: str) -> Thinking | None:
    """Return the setting that `unmirage align` trained a model directory with; None for other models."""
    if not source or source.startswith(ENDPOINT):
        return None
    from unmirage.models.base import check_thinking
    from unmirage.run.files import read_object
    from unmirage.run.model import ALIGN_FILE

    file = Path(source) / ALIGN_FILE
    if not file.is_file():
        return None
    settings = read_object(file).get("settings")
    return check_thinking(str(settings.get("thinking", "auto"))) if isinstance(settings, dict) else None


def note_asked(vlm: VLM, store: Store) -> None:
    """Record the identity of a model that will be asked; log if it was trained with other prompts."""
    files = asked_identity(vlm)
    store.add_model(vlm.name, files)
    if note := thinking_note(vlm.name, files):
        log.warning("%s", note)


def thinking_setting(vlm: VLM) -> dict[str, str]:
    """Return the field of a run's configuration for `--thinking`; older runs, and those with "auto", lack it."""
    asked = getattr(vlm, "thinking", "auto")
    return {} if asked == "auto" else {THINKING: asked}


def log_inside_thoughts(responses: Sequence[Response]) -> None:
    """Log how many responses are reasoning only, and what to do, if any is."""
    count = sum(not one.text.strip() and bool(one.thoughts) for one in responses)
    if count:
        log.warning(
            "%d of %d responses of %s ended inside their thoughts and have no answer; raise --max-new-tokens, or use "
            "--thinking off",
            count,
            len(responses),
            responses[0].model,
        )


def make_judges(
    judges: Sequence[str | Judge],
    rubric: str = "harm",
    *,
    schema: bool = False,
    pictures: Pictures | None = None,
    cache: Path | None = None,
    endpoint: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    max_tokens: int | None = None,
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
        max_tokens: maximum tokens of a reply; None for the default.

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
        max_tokens=max_tokens,
    )
    made = [make_judge(one, options) if isinstance(one, str) else one for one in judges]
    names = [judge.name for judge in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"--judge: two judges are named '{twice}'; give judges with different names")
    return made
