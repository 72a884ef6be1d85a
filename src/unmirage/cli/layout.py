"""How the help of a command is laid out: options in groups, short names of values, short options and aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

# Groups of options, in the order of the help. An option is in the first group that has it.
GROUPS = {
    "Data": (
        "allow allow-overlap answers-from balanced-copies balanced-refused balanced-size columns compare data eval "
        "forget format general general-images hold-out images label labels label-map pairs part placeholder-pictures "
        "retain retain-size skip-bad test twins-per-row twins-rewriter unsafe benign validation weighted-max "
        "weighted-refused audit"
    ),
    "Model": (
        "base chat-template device dtype name revision temperature thinking trust-remote-code max-new-tokens "
        "batch-size query-batch from-pickle vision-tower model models encoder"
    ),
    "Server": (
        "concurrency endpoint-option picture-format picture-longest-side price-in price-out requests-per-minute timeout"
    ),
    "Judge": (
        "calibration canaries ensemble judge judge-max-tokens judge-schema judge-sees-pictures lmms-eval lmms-python "
        "reference rubric suite start"
    ),
    "Attack": (
        "baseline budget fill-with-rules form kind kinds mode over-prudence-shots position queries rewriter "
        "search-result shots top until-success word wordings words samples relearn int8"
    ),
    "Training": (
        "arms base-steps candidates check-every check-queries config decoder epochs eval-every eval-metric "
        "eval-queries every image-tokens layers learning-rate lora method methods no-adapter only part-names patch "
        "patience report-to save see set signal steps stop-relevance tolerance tower tower-steps train-base unlearning "
        "wheel"
    ),
    "Run": "dry-run full port keep-models limit measure run seed seeds work workers",
    "Output": (
        "csv fail-if html into json junit keep out pictures redact to write write-balanced write-curve "
        "write-diversified write-twins write-weighted"
    ),
    "Help": "help version install-completion show-completion",
}
GROUP_OF = {f"--{name}": group for group, names in reversed(GROUPS.items()) for name in names.split()}
SHORT = {"--out": "-o", "--limit": "-n", "--json": "-j", "--config": "-c", "--set": "-s", "--word": "-w"}
# Names of the same options in TRL and transformers, lm-evaluation-harness, and Inspect. They work, and are not shown.
ALIASES = {
    "--out": ("--output-dir", "--output-path"),
    "--concurrency": ("--max-connections",),
    "--max-new-tokens": ("--max-tokens", "--max-gen-toks"),
    "--report-to": ("--log-to",),
}
_VALUES = {
    "--out": "PATH", "--work": "DIR", "--images": "DIR", "--general-images": "DIR", "--base": "MODEL",
    "--encoder": "MODEL", "--decoder": "MODEL", "--vision-tower": "MODEL", "--tower": "MODEL", "--set": "KEY=VALUE",
    "--word": "KIND=WORD", "--endpoint-option": "KEY=VALUE", "--columns": "KEY=COLUMN", "--part-names": "PART=PREFIX",
    "--forget": "FILE", "--retain": "FILE", "--pairs": "FILE", "--test": "FILE", "--lmms-eval": "TASKS",
    "--label-map": "TEXT=LABEL",
}  # fmt: skip


class HelpCommand(TyperCommand):
    """A command whose help shows options in groups and examples at the end, at any width."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, and the groups of options in the order of `GROUPS`."""
        shown: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is None:
                continue
            if one.param_type_name == "argument":  # its name tells enough: no <str>
                shown.setdefault("Arguments", []).append((_argument(one), record[1]))
            else:
                shown.setdefault(GROUP_OF[main_name(one.opts)], []).append(record)
        for group in ("Arguments", *GROUPS):
            if rows := shown.get(group):
                with formatter.section("Options" if len(shown) == 1 else group):
                    formatter.write_dl(rows, col_max=30)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return what follows the command's name in its usage line."""
        arguments = [one for one in self.params if one.param_type_name == "argument"]
        return [
            "[OPTIONS]",
            *(_argument(one) if one.required else f"[{_argument(one).strip('[]')}]" for one in arguments),
        ]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the examples, a line each, so that they can be copied."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"  {line}\n")


def _argument(one: Any) -> str:
    return str(one.metavar or one.name.upper())


def main_name(opts: Sequence[str]) -> str:
    """Return the first long name of an option."""
    return next(name for name in opts if name.startswith("--"))


def laid_out(command: Any) -> Any:
    """Return a command with short options, aliases, and short names of values."""
    for one in command.params:
        if one.param_type_name == "argument":
            continue
        name = main_name(one.opts)
        one.rich_help_panel = GROUP_OF[name]
        one.metavar = None if one.is_flag else _VALUES.get(name) or _value_of(one)
        extra = [SHORT[name]] if name in SHORT else []
        one.opts = [*extra, *(own for own in one.opts if own not in extra)]
        _add_aliases(one, ALIASES.get(name, ()))
    return command


def _value_of(option: Any) -> str:
    """Return what stands for the value of an option in the help."""
    kind = option.type_descriptor
    if kind.is_path:
        return "FILE"
    held = kind.ranged_type_name if kind.is_ranged else option.bare_type().removeprefix("list[").removesuffix("]")
    return {"int": "N", "integer": "N", "float": "X"}.get(held, "TEXT")


def _add_aliases(option: Any, aliases: Sequence[str]) -> None:
    """Let the parser take other names, which the help does not show."""
    if not aliases:
        return
    own = option.add_to_parser

    def add_to_parser(parser: Any, ctx: Any) -> None:
        shown = option.opts
        option.opts = [*shown, *aliases]
        try:
            own(parser, ctx)
        finally:
            option.opts = shown

    option.add_to_parser = add_to_parser
