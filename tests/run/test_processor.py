"""Instructions for bfloat16 from the system's description, measured products, and the advice that follows."""

import pytest

from unmirage.run import processor
from unmirage.run.processor import Speed, advice, bfloat16_flags, measure_products


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("model name : A\nflags\t\t: fpu avx2 avx512_bf16 amx_bf16\n", ("avx512_bf16", "amx_bf16")),
        ("Features\t: fp asimd bf16 i8mm\n", ("bf16",)),
        ("flags\t: fpu avx2\n", ()),
        ("processor : 0\n", None),
    ],
)
def test_flags_of_bfloat16(text, found):
    assert bfloat16_flags(text) == found


def test_products_are_measured_for_both_dtypes_and_the_threads_are_restored():
    import torch

    before = torch.get_num_threads()
    found = measure_products(0.001, threads=(1, 2))
    assert [(one.dtype, one.threads) for one in found] == [
        (dtype, threads) for threads in (1, 2) for dtype in ("float32", "bfloat16")
    ]
    assert all(one.gflops > 0 for one in found)
    assert torch.get_num_threads() == before


def test_a_machine_with_one_processor_measures_one_thread(monkeypatch):
    import torch

    monkeypatch.setattr(processor, "_usable", lambda: 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert {one.threads for one in measure_products(0.001)} == {1}


def speeds(one, two, half_one, half_two):
    return [
        Speed("float32", 1, one),
        Speed("bfloat16", 1, half_one),
        Speed("float32", 2, two),
        Speed("bfloat16", 2, half_two),
    ]


def test_what_is_slower_is_told_with_its_figures():
    threads = "float32 products are slower with 2 threads (0.6 GFLOP/s) than with one (34); set OMP_NUM_THREADS=1"
    assert advice(speeds(34, 0.6, 50, 90)) == [threads]
    half = (
        "bfloat16 products are slower than float32 on this processor (14.5 against 72 GFLOP/s); on CPU, leave --dtype "
        "at auto"
    )
    assert advice(speeds(40, 72, 10, 14.5)) == [half]
    assert advice(speeds(34, 60, 50, 90)) == advice(speeds(34, 33, 50, 49)) == advice([]) == []
