"""`unmirage doctor`: show installed and missing dependencies, and warn about problems."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from unmirage.cli.console import out, print_json

if TYPE_CHECKING:
    from unmirage.run.processor import Speed


def doctor_command(
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    measure: Annotated[
        bool, typer.Option(help="Measure matrix products in float32 and bfloat16, in about 2 seconds.")
    ] = True,
) -> None:
    """Show versions, accelerator, bfloat16 support, speed of products, torchvision, disk space and offline state."""
    from unmirage.imports import remedy, why_broken
    from unmirage.run.cache import cache_folder
    from unmirage.run.machine import describe_machine
    from unmirage.run.processor import advice, bfloat16_instructions

    broken = why_broken()
    torchvision: bool | str = f"broken: {broken}" if broken else importlib.util.find_spec("torchvision") is not None
    offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    machine = {name: value for name, value in describe_machine().items() if name != "threads"}
    instructions = bfloat16_instructions()
    speeds = _speeds() if measure else []
    warnings = advice(speeds)
    if broken:
        warnings.append(f"torchvision is broken and is not used. {remedy()}")
    report: dict[str, Any] = {
        **machine,
        "accelerator": _accelerator(),
        "bfloat16 instructions": "unknown" if instructions is None else ", ".join(instructions) or "none",
        **{_label(one): one.gflops for one in speeds},
        "torchvision": torchvision,
        "hub offline": offline,
        "free disk GiB": round(shutil.disk_usage(Path.cwd()).free / 2**30),
        "base model cache": str(cache_folder()),
    }
    if json_output:
        print_json({"schema": "unmirage.doctor/1"} | report | {"warnings": warnings})
        return
    table = Table(show_header=False, box=None)
    for name, value in report.items():
        table.add_row(name, str(value))
    out.print(table)
    for line in warnings:
        out.print(f"Warning: {line}", soft_wrap=True)
    if not torchvision:
        out.print("torchvision is missing: LLaVA-1.5, LLaVA-NeXT, Idefics3, Gemma3 and PaliGemma work without it;")
        out.print("LLaVA-OneVision, Qwen-VL, InternVL and SmolVLM processors need it: pip install torchvision")


def _label(speed: Speed) -> str:
    return f"{speed.dtype}, {speed.threads} thread{'s' if speed.threads > 1 else ''}, GFLOP/s"


def _speeds() -> list[Speed]:
    """Return the measured speeds; none where torch is not installed."""
    from unmirage.run.processor import measure_products

    try:
        return measure_products()
    except ModuleNotFoundError:
        return []


def _accelerator() -> str:
    """Return the names of the GPUs that NVIDIA's driver reports, without importing torch, which takes seconds."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "none (no nvidia-smi)"
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return "unknown (nvidia-smi does not answer)"
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return ", ".join(names) if done.returncode == 0 and names else "none (nvidia-smi finds no GPU)"
