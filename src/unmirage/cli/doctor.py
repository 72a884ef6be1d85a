"""`unmirage doctor`: show installed and missing dependencies, and warn about problems."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from unmirage.cli.console import out, print_json


def doctor_command(
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Show versions, accelerator, torchvision, disk space and offline state."""
    from unmirage.run.cache import cache_folder
    from unmirage.run.machine import describe_machine

    torchvision = importlib.util.find_spec("torchvision") is not None
    offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    report: dict[str, str | int | bool] = {
        **describe_machine(),
        "torchvision": torchvision,
        "hub offline": offline,
        "free disk GiB": round(shutil.disk_usage(Path.cwd()).free / 2**30),
        "base model cache": str(cache_folder()),
    }
    if json_output:
        print_json(report)
        return
    table = Table(show_header=False, box=None)
    for name, value in report.items():
        table.add_row(name, str(value))
    out.print(table)
    if not torchvision:
        out.print("torchvision is missing: LLaVA-1.5, LLaVA-NeXT, Idefics3, Gemma3 and PaliGemma work without it;")
        out.print("LLaVA-OneVision, Qwen-VL, InternVL and SmolVLM processors need it: pip install torchvision")
