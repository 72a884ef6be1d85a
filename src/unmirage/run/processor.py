"""Find the processor's instructions for bfloat16, and measure matrix products by dtype and number of threads."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
# Flags of instructions that multiply bfloat16: x86 with AVX-512 or AMX, and ARM.
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "svebf16", "smeb16f32")
_SIZE = 512  # rows of the square matrices: products of this size take a few milliseconds on one thread
_SECONDS = 0.35
_NOISE = 0.95  # a ratio of speeds below this is more than chance on an idle machine
FLOAT32, BFLOAT16 = "float32", "bfloat16"


def bfloat16_instructions() -> tuple[str, ...] | None:
    """Return the processor's instruction sets that multiply bfloat16; None if they cannot be determined.

    This reads the system's description of the processor, and imports no torch.
    """
    if _CPUINFO.is_file():
        return bfloat16_flags(_CPUINFO.read_text("utf-8", "replace"))
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "hw.optional.arm.FEAT_BF16"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return ("bf16",) if done.stdout.strip() == "1" else ()
    return None


def bfloat16_flags(cpuinfo: str) -> tuple[str, ...] | None:
    """Return the flags for bfloat16 in the text of /proc/cpuinfo; None if it lists no flags."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    flags = next((value.split() for name, _, value in lines if name.strip().lower() in ("flags", "features")), None)
    return None if flags is None else tuple(flag for flag in _BFLOAT16 if flag in flags)


@dataclass(frozen=True, slots=True)
class Speed:
    """Measured speed of a matrix product.

    Attributes:
        dtype: "float32" or "bfloat16".
        gflops: billions of floating-point operations per second.
    """

    dtype: str
    threads: int
    gflops: float


def measure_products(seconds: float = _SECONDS, threads: Iterable[int] | None = None) -> list[Speed]:
    """Return the speed of a product in float32 and bfloat16, with one thread and with several.

    Args:
        seconds: duration of each measurement, at least one product.
        threads: numbers of threads; None for 1 and the larger of torch's number and that of the usable processors.

    Raises:
        ModuleNotFoundError: torch is not installed.
    """
    import torch

    before = torch.get_num_threads()
    numbers = sorted({1, max(before, _usable())} if threads is None else set(threads))
    found = []
    try:
        for number in numbers:
            torch.set_num_threads(number)
            for dtype in (FLOAT32, BFLOAT16):
                matrix = torch.ones(_SIZE, _SIZE, dtype=getattr(torch, dtype))
                torch.mm(matrix[:32], matrix)  # starts the threads and loads the kernel
                products, start = 0, time.perf_counter()
                while not products or time.perf_counter() - start < seconds:
                    torch.mm(matrix, matrix)
                    products += 1
                rate = products * 2 * _SIZE**3 / (time.perf_counter() - start) / 1e9
                found.append(Speed(dtype, number, round(rate, 1)))
    finally:
        torch.set_num_threads(before)
    return found


def advice(speeds: Sequence[Speed]) -> list[str]:
    """Return a line for each choice that these speeds show to be slower than the alternative, and what to set."""
    lines = []
    for dtype in (FLOAT32, BFLOAT16):
        own = [one for one in speeds if one.dtype == dtype]
        one = next((speed for speed in own if speed.threads == 1), None)
        slower = [speed for speed in own if one and speed.threads > 1 and speed.gflops < _NOISE * one.gflops]
        lines += [
            f"{dtype} products are slower with {speed.threads} threads ({speed.gflops:g} GFLOP/s) than with one "
            f"({one.gflops:g}); set OMP_NUM_THREADS=1"
            for speed in slower
            if one
        ]
    fastest = {one.dtype: one.gflops for one in sorted(speeds, key=lambda one: one.gflops)}
    if fastest.get(BFLOAT16, 0) < _NOISE * fastest.get(FLOAT32, 0):
        lines.append(
            f"bfloat16 products are slower than float32 on this processor ({fastest.get(BFLOAT16, 0):g} against "
            f"{fastest[FLOAT32]:g} GFLOP/s); on CPU, leave --dtype at auto"
        )
    return lines


def _usable() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
