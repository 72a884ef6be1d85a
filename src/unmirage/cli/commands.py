"""All commands, each imported when it is named: `unmirage --help` needs none of their modules."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from unmirage.cli.examples import EXAMPLES
from unmirage.cli.layout import HelpCommand, laid_out

# name -> the line of `unmirage --help`, which is the beginning of the command's own help. In the order of the help.
COMMANDS = {
    "demo": "Reproduce the safety mirage in a tiny VLM, attack it, repair it, and write a report.",
    "audit": "Find surface features of queries and pictures that predict which queries are refused.",
    "attack": "Send MODEL every query of DATA, unchanged and rewritten by one-word attacks and their controls.",
    "search": "Search for opening words that change MODEL's probability of refusing the most.",
    "explain": "Leave out each word of a query in turn, and measure the change in the probability of refusal.",
    "convert": "Convert an original LLaVA checkpoint to a model directory that all other commands accept.",
    "graft": "Make a VLM of the text decoder LM, a small vision tower and a projector.",
    "prepare": (
        "Collect model responses to DATA's unsafe queries, keep the most harmful ones, and write the unlearning sets."
    ),
    "align": "Align MODEL by supervised fine-tuning (sft) or unlearning (npo, rmu ...).",
    "stress": "Send the queries of RUN to MODEL and to modified copies (fine-tuned, int8, sampled).",
    "evaluate": "Judge every response of a run, and write all rates with intervals to results.json.",
    "judge": "Judge responses that other programs collected, and write all rates with intervals to results.json.",
    "calibrate": "Compare JUDGE with human labels: sensitivity and specificity, with intervals.",
    "report": "Write one self-contained HTML page about a run, several runs or an audit.",
    "view": "Serve the pages of runs on 127.0.0.1 while they are written, until Ctrl-C.",
    "export": "Write RUN as Inspect eval logs, one per model. The logs contain the models' responses.",
    "card": "Print a model card with the rates of a run, or a dataset card with an audit, as Markdown for a hub.",
    "recipes": "List, print and copy the shipped settings: `align --config NAME` accepts the name of a recipe.",
    "schema": "Print the JSON Schema of a document.",
    "doctor": (
        "Show versions, accelerator, bfloat16 support, speed of products, torchvision, disk space and offline state."
    ),
    "study": "Compare methods, and attacks on them, on the built-in world or on pretrained weights.",
}
STUDIES = {
    "methods": "Train every alignment method from the same base model, ask the same questions, and compare.",
    "settings": "Choose the settings of every arm on validation devices, from twelve candidates each.",
    "relearn": (
        "Fine-tune repaired models on a few samples, round them to int8, sample their responses, and measure safety."
    ),
    "pretrained": "Tune pretrained weights on safety data and on repaired versions, attack all models, and compare.",
    "unlearning": (
        "Train candidates, and choose the one that forgets most among those that keep benign responses relevant."
    ),
}
# Modules that do not have the name of their command.
_MODULES = {
    "export": "report",
    "study methods": "study",
    "study settings": "study",
    "study relearn": "study",
    "study pretrained": "study_pretrained",
    "study unlearning": "study_unlearning",
}


class Commands(TyperGroup):
    """A group that imports a command's module when the command is named.

    Attributes:
        LINES: the line of help of each command, by name.
        PREFIX: names of the group in front of its commands.
    """

    LINES: ClassVar[Mapping[str, str]] = COMMANDS
    PREFIX: ClassVar[str] = ""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(self.LINES)  # whose names are suggested for a mistyped one

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the help."""
        return [*self.LINES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a command; None if there is none of this name."""
        if cmd_name not in self.LINES:
            return None
        if self.commands[cmd_name] is None:
            self.commands[cmd_name] = _made(self.PREFIX + cmd_name)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write name and line of all commands."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.LINES.items()])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the epilog with its lines as they are."""
        for line in (self.epilog or "").splitlines():
            formatter.write(f"{line}\n")


class Studies(Commands):
    """The commands of `unmirage study`."""

    LINES = STUDIES
    PREFIX = "study "


def _made(path: str) -> Any:
    if path == "study":
        app = typer.Typer(cls=Studies, help=COMMANDS["study"], no_args_is_help=True, rich_markup_mode=None)
        app.callback()(lambda: None)
        return typer.main.get_command(app)
    if path == "recipes":
        from unmirage.cli.recipes import app as recipes_app

        group: Any = typer.main.get_command(recipes_app)
        for one in group.commands.values():
            laid_out(one)
        return group
    name = path.rpartition(" ")[2]
    module = import_module(f"unmirage.cli.{_MODULES.get(path, name)}")
    from unmirage.cli.options import expanded

    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    function = expanded(getattr(module, f"{name}_command"))
    app.command(name, cls=HelpCommand, epilog="\n".join(EXAMPLES[path]))(function)
    return laid_out(typer.main.get_command(app))
