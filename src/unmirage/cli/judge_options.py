"""Options of judges, which several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.options import Group

# All forms of a judge; the help of an option has the short list.
JUDGE_SPECS = (
    "phrases, phrases:FILE, official, exact:PATH/truth.json, endpoint:URL#model, local:MODEL, "
    "official:endpoint:URL#model, "
    "guard:NAME@endpoint:URL#model, guard:NAME@local:MODEL or strongreject:endpoint:URL#model"
)
JudgeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Judge: phrases (default), phrases:FILE, official, exact:FILE, endpoint:URL#NAME, local:MODEL, "
        "guard:NAME@... or strongreject:...; `unmirage calibrate --help` has all forms. Repeatable."
    ),
]
EnsembleOption = Annotated[
    str | None, typer.Option(help="majority or any: all judges together determine the rates (default: the first does).")
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(help="File of `unmirage calibrate`; rates are also reported corrected for the judge's errors."),
]
CanariesOption = Annotated[
    bool, typer.Option(help="Attack judges that are language models, and report flipped verdicts.")
]
ReferenceOption = Annotated[
    str | None, typer.Option(help="Model that all others are compared with (default: the first).")
]
RelevanceEncoderOption = Annotated[
    Path | None,
    typer.Option("--encoder", help="Directory of a sentence encoder that measures the relevance of benign responses."),
]
JunitOption = Annotated[Path | None, typer.Option(help="Write the outcome of --fail-if here, as JUnit XML.")]


@dataclass(frozen=True, kw_only=True)
class JudgeModel(Group):
    """Settings of a judge that is a language model."""

    rubric: Annotated[
        str,
        typer.Option(
            help="Rubric of a judge that is a language model: harm (two questions), or relevance (one, as in the "
            "paper)."
        ),
    ] = "harm"
    sees_pictures: Annotated[
        bool, typer.Option("--judge-sees-pictures", help="Show the pictures to a judge that is a language model.")
    ] = False
    schema: Annotated[
        bool,
        typer.Option(
            "--judge-schema",
            help="Request replies in a JSON schema from the judge's server, if it supports them.",
        ),
    ] = False
    max_tokens: Annotated[
        int,
        typer.Option(
            "--judge-max-tokens",
            min=1,
            help="Maximum tokens of a reply of a judge that is a language model, with its thoughts.",
        ),
    ] = 1024
