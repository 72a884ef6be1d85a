"""Print the output of `unmirage align --dry-run`: estimated cost, rendered samples and overlaps of the data."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from unmirage.align.estimate.result import Estimate, Kind, Memory, RenderedSample, Time
from unmirage.cli.console import err, new_table, out
from unmirage.data.roles import misused
from unmirage.workflows.overlaps import Compared

_STYLES: dict[Kind, str] = {"text": "", "loss": "bold black on green", "image": "dim"}
_GB = 1e9


def print_estimate(estimate: Estimate, console: Console = out) -> None:
    """Print the tables and the samples; print expected failures on stderr too."""
    steps, rows = f"{estimate.steps:,} steps", f"{estimate.batch_size} rows of each stream"
    console.print(f"{estimate.model}: {estimate.method}, {steps} of {rows}. Nothing was trained.", markup=False)
    for table in (_parameters(estimate), _lengths(estimate), _memory(estimate), _disk(estimate), _time(estimate)):
        if table.row_count:
            console.print(table)
    for line in _impossible(estimate):
        console.print(line, markup=False, soft_wrap=True)
    for sample in estimate.samples:
        console.print(rendered(sample, marks=not console.is_terminal), soft_wrap=True)
    console.print("\nAssumptions of the estimate:")
    for one in estimate.assumptions:
        console.print(f"- {one}", markup=False, soft_wrap=True)
    for long in estimate.too_long:
        err.print(
            f"sample '{long.sample_id}' ({long.stream}) has {long.tokens} tokens, but the model has only "
            f"{estimate.positions} positions; training will reject it",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )


def print_overlaps(compared: Compared, console: Console = out) -> None:
    """Print the overlap of each pair of datasets, one line per pair."""
    lines = list(compared.lines())
    if lines:
        console.print("\nOverlap of the data:")
    for line in lines:
        console.print(f"- {line}", markup=False, soft_wrap=True)


def print_roles(estimate: Estimate, files: str, allow: Sequence[str], console: Console = out) -> None:
    """Print what the answers and labels of each set are; print on stderr why training would reject the forget set."""
    console.print("\nAnswers and labels of the data:")
    for role in estimate.roles:
        console.print(f"- {role.line()}", markup=False, soft_wrap=True)
    for message in misused(estimate.roles, files, allow):
        err.print(f"{message}; training will reject it", style="bold red", markup=False, soft_wrap=True)


def rendered(sample: RenderedSample, *, marks: bool) -> Text:
    """Return a row for a terminal; `marks` puts tokens with loss in [[...]], for output without colors."""
    head = f"\n{sample.stream} '{sample.sample_id}': {sample.tokens} tokens, {sample.loss_tokens} with loss\n"
    text = Text(head, style="bold")
    for kind, span in sample.spans:
        text.append(f"[[{span}]]" if marks and kind == "loss" else span, style=f"not bold {_STYLES[kind]}".strip())
    return text


def _table(title: str, *columns: str) -> Table:
    return new_table(*columns, title=title, title_style="bold")


def _parameters(estimate: Estimate) -> Table:
    table = _table("Parameters", "part", "all", "trained", "share", "dtype")
    for part in estimate.parameters.parts:
        held = ", ".join(f"{kind} {_count(number)}" for kind, number in part.dtypes.items())
        table.add_row(part.part, _count(part.total), _count(part.trainable), _share(part.trainable, part.total), held)
    total, trains = estimate.parameters.total, estimate.parameters.trainable
    table.add_row("all", _count(total), _count(trains), _share(trains, total), "", style="bold")
    return table


def _lengths(estimate: Estimate) -> Table:
    table = _table("Tokens", "stream", "samples", "measured", "mean", "longest", "mean with loss")
    for one in estimate.lengths:
        table.add_row(
            one.stream,
            f"{one.samples:,}",
            f"{one.measured:,}",
            f"{one.mean_tokens:.0f}",
            str(one.longest_tokens),
            f"{one.mean_loss_tokens:.0f}",
        )
    return table


def _memory(estimate: Estimate) -> Table:
    names = ("GPUs", "weights", "gradients", "AdamW", "reference", "casts, buckets", "activations", "logits …", "peak")
    table = _table("Memory per GPU, GB (10⁹ bytes)", *names)
    for row in estimate.memory:
        if not row.problem:
            table.add_row(str(row.gpus) if row.layout == "single" else f"{row.gpus} {row.layout}", *_sizes(row))
    return table


def _impossible(estimate: Estimate) -> list[str]:
    """Return a line for each number of GPUs that cannot share a step."""
    return list(dict.fromkeys(f"{row.gpus} GPUs: {row.problem}" for row in estimate.memory if row.problem))


def _sizes(row: Memory) -> list[str]:
    sizes = (
        row.weights,
        row.gradients,
        row.optimizer,
        row.reference,
        row.casts + row.buckets,
        row.activations,
        row.passing,
        row.total,
    )
    return [_gigabytes(size) for size in sizes]


def _disk(estimate: Estimate) -> Table:
    table = _table("Caches on disk, GB", "stream", "contents", "samples or pictures", "size")
    for one in estimate.disk:
        table.add_row(one.stream, one.what, f"{one.samples:,}", _gigabytes(one.bytes))
    return table


def _time(estimate: Estimate) -> Table:
    title = f"Time: {_work(estimate.step_tflop)} per step, {_work(estimate.preparation_tflop)} to fill caches first"
    counts = sorted({row.devices for row in estimate.time})
    table = _table(title, "device", "assumed TFLOP/s each", "caches", *(f"with training, {count}" for count in counts))
    for device in dict.fromkeys(row.device for row in estimate.time):
        rows = {row.devices: row for row in estimate.time if row.device == device}
        first = rows[min(rows)]
        whole = [_hours_of(rows[count]) if count in rows else "" for count in counts]
        table.add_row(device, f"{first.tflops:.3g}", _hours(first.preparation_hours), *whole)
    return table


def _hours_of(row: Time) -> str:
    return "no" if row.problem else _hours(row.preparation_hours + row.training_hours)


def _work(tflop: float) -> str:
    return f"{tflop:.3g} TFLOP" if tflop < 1e5 else f"{tflop / 1e3:,.0f} PFLOP"


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.2g} s"


def _gigabytes(size: int) -> str:
    return f"{size / _GB:,.2f}" if size >= 1e7 or not size else f"{size / _GB:.2g}"


def _count(number: int) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


def _share(part: int, total: int) -> str:
    return f"{part / total:.2%}" if total else "n/a"
