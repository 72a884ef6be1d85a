"""Options that several commands share, and their conversion from text to values.

A parameter whose type is a subclass of `Group` stands for one option per field; `expanded` tells Typer so.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from unmirage.data.tables import parse_columns
from unmirage.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from unmirage.models import VLM, HuggingFaceVLM

FORMATS = (
    "auto, vlguard, spa-vl, preference, kto, beavertails, saferlhf, llava, messages, holisafe, mossbench, figstep, "
    "xstest, wildjailbreak, mm-safetybench, json, jsonl, csv or parquet"
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
NewOutOption = Annotated[
    Path | None, typer.Option("--out", help="Run directory; an unfinished run is continued.", show_default=False)
]
ImagesOption = Annotated[
    Path | None, typer.Option(help="Folder of the pictures (default: that of the data).", show_default=False)
]
StartOption = Annotated[
    list[str] | None, typer.Option(help="First words of refusals (default: common ones and those in DATA). Repeatable.")
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        help="refusals or benign: train although more than 5 % of the forget set are refusals, or queries labeled "
        "benign. Repeatable.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option(min=2, help="Maximum number of samples, drawn by label with --seed (default: all).")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Random seed of the sample draw.")]
BatchSizeOption = Annotated[
    int | None, typer.Option(min=1, help="Queries per batch (default: the largest batch that fits in memory).")
]
FixedBatchSizeOption = Annotated[int, typer.Option(min=1, help="Queries per batch.")]
MaxNewTokensOption = Annotated[int, typer.Option(min=1, help="Maximum new tokens per response.")]
ConfigOption = Annotated[Path | None, typer.Option(help="YAML file of settings.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, such as steps=100; for align also method.beta=0.2. Repeatable."),
]
SignalOption = Annotated[
    float, typer.Option(min=0, max=1, help="Correlation between a visible mark and being restricted.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Training processes of one thread each (default: cores, at most 2).")
]

DecoderOption = Annotated[
    str | None,
    typer.Option(
        help="Pretrained text decoder of the base model: a directory, GGUF file, hub id, or smollm2-135m. Takes hours.",
        show_default=False,
    ),
]
BaseStepsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Maximum steps of the base training with --decoder (default 1440).", show_default=False),
]

ThinkingOption = Annotated[
    str | None,
    typer.Option(help="Reasoning before the response: on, off, or auto: as the template has it (default: auto)."),
]


DtypeOption = Annotated[
    str | None,
    typer.Option(help="Dtype of local weights: auto (float32 on a CPU, else the checkpoint's), float32 or bfloat16."),
]
DeviceOption = Annotated[
    str | None, typer.Option(help="Device of local weights: auto (a CUDA GPU if available), cpu, cuda, cuda:N or mps.")
]


class Group:
    """Base of the dataclasses whose fields are options."""


@dataclass(frozen=True, kw_only=True)
class Reading(Group):
    """How to read the data."""

    format: Annotated[str, typer.Option(help=f"Format of the data: {FORMATS}.")] = "auto"
    columns: Annotated[
        str, typer.Option(help="Columns of a flat table: query=prompt,answer=output,...", show_default=False)
    ] = ""
    images: ImagesOption = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `unmirage.data.open_samples`."""
        return asdict(self) | {"columns": parse_columns(self.columns)}


@dataclass(frozen=True, kw_only=True)
class TolerantReading(Reading):
    """How to read data with bad records."""

    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip records that cannot be read, and count them.")] = (
        False
    )
    label: Annotated[
        str | None,
        typer.Option(
            help="Source of the labels, 'field' or 'answer', or the label of all samples, 'refused' or 'answered' "
            "(default: as the format has it).",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Weights(Group):
    """Where weights come from."""

    revision: Annotated[
        str | None, typer.Option(help="Commit of a hub model (default: the newest).", show_default=False)
    ] = None
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code of the model's repository; needs --revision.")
    ] = False
    base: Annotated[
        str | None,
        typer.Option(help="Base model of an adapter, instead of the one that it names.", show_default=False),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Loading(Weights):
    """How to load a model."""

    name: Annotated[str | None, typer.Option(help="Name of the model in tables (default: the last part of MODEL).")] = (
        None
    )
    thinking: ThinkingOption = None
    dtype: DtypeOption = None
    device: DeviceOption = None

    def local(self, model: str) -> Callable[[], HuggingFaceVLM]:
        """Return a function that loads a model with local weights."""
        from unmirage.workflows.models import load_local

        return partial(load_local, model, **self._given())

    def vlm(self, model: str, server: Mapping[str, Any]) -> Callable[[], VLM]:
        """Return a function that loads a model, or connects to a server with these settings."""
        from unmirage.workflows.models import load_vlm

        return partial(load_vlm, model, endpoint=server, **self._given())

    def _given(self) -> dict[str, Any]:
        return asdict(self) | {name: getattr(self, name) or "auto" for name in ("thinking", "dtype", "device")}


@dataclass(frozen=True, kw_only=True)
class Server(Group):
    """Settings of a server."""

    concurrency: Annotated[int | None, typer.Option(min=1, help="Endpoint: maximum concurrent requests.")] = None
    requests_per_minute: Annotated[
        float | None, typer.Option(min=0.01, help="Endpoint: maximum requests per minute.")
    ] = None
    timeout: Annotated[float | None, typer.Option(min=0.01, help="Endpoint: timeout of a request, in seconds.")] = None
    picture_format: Annotated[
        str | None, typer.Option(help="Endpoint: 'png' (lossless, the default) or 'jpeg' (smaller).")
    ] = None
    picture_longest_side: Annotated[
        int | None,
        typer.Option(min=16, help="Endpoint: downscale pictures with more pixels on a side (default: never)."),
    ] = None
    endpoint_option: Annotated[
        list[str] | None,
        typer.Option(
            help="Endpoint: NAME=VALUE, a field of every request, such as top_k=1; dots in NAME separate nested "
            "fields, and null leaves a field out. Repeatable.",
            show_default=False,
        ),
    ] = None

    def settings(self, *targets: str) -> dict[str, Any]:
        """Return the settings by name; None values are not given.

        Raises:
            UserError: a setting is given, but none of `targets` is a server.
        """
        from unmirage.workflows.models import asks_server

        values = asdict(self)
        given = [key for key, value in values.items() if value is not None]
        if given and not any(map(asks_server, targets)):
            raise UserError(
                f"--{given[0].replace('_', '-')}: needs a model or judge of the form endpoint:URL#model-name"
            )
        fields = values.pop("endpoint_option")
        if not fields:
            return values
        from unmirage.models.endpoint.spec import request_fields

        return values | {"extra": request_fields("--endpoint-option", fields)}


@dataclass(frozen=True, kw_only=True)
class PricedServer(Server):
    """Settings and prices of a server."""

    price_in: Annotated[
        float | None, typer.Option(min=0, help="Endpoint: price per million prompt tokens, to report the cost.")
    ] = None
    price_out: Annotated[
        float | None, typer.Option(min=0, help="Endpoint: price per million response tokens, to report the cost.")
    ] = None


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameters of type `Group` are replaced by the fields of the group."""
    groups: dict[str, type[Any]] = {}
    shown: list[inspect.Parameter] = []
    for name, one in inspect.signature(command, eval_str=True).parameters.items():
        if isinstance(one.annotation, type) and issubclass(one.annotation, Group):
            group: type[Any] = one.annotation
            groups[name] = group
            hints = get_type_hints(group, include_extras=True)
            shown += [
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
                )
                for field in fields(group)
            ]
        else:
            shown.append(one.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def run(**values: Any) -> None:
        made = {
            name: group(**{one.name: values.pop(one.name) for one in fields(group)}) for name, group in groups.items()
        }
        command(**values, **made)

    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in shown}
    return run


def names_in(text: str) -> list[str]:
    """Return the names in a text such as "npo, rmu"."""
    return [name.strip() for name in text.split(",") if name.strip()]


def pairs_of(
    option: str, given: Sequence[str] | None, kinds: Iterable[str], *, value: str = "FILE", once: bool = False
) -> dict[str, str]:
    """Return the values by kind, from options such as "jailbreak=what_3shot.json".

    Args:
        option: name of the option.
        given: its values.
        kinds: the valid kinds.
        value: what follows the kind, for the error.
        once: reject a repeated kind; otherwise the last value counts.

    Raises:
        UserError: a text is not KIND=VALUE, or its kind is unknown or repeated.
    """
    pairs: dict[str, str] = {}
    valid = tuple(kinds)
    for text in given or ():
        kind, found, one = text.partition("=")
        if not found or kind not in valid or not one:
            hint = did_you_mean(kind, valid) if found and kind not in valid else ""
            told = f"{option} {text}: expected KIND={value} with KIND one of {', '.join(valid)}"
            raise UserError(f"{told}.{hint}" if hint else told)
        if once and kind in pairs:
            raise UserError(f"{option} {text}: {kind} is given twice; give one file per kind")
        pairs[kind] = one
    return pairs


def quiet_libraries() -> None:
    """Silence the progress bars and notices of transformers and related libraries; errors are still shown."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if find_spec("transformers") is None:
        return
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
