"""Tensors kept on disk come back as they were, or not at all."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.align.runs import killed

from unmirage.align.reference_cache import TensorCache

TYPES = [torch.float32, torch.float16, torch.bfloat16]


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8).filter(any),
    st.lists(st.integers(1, 3), max_size=2),
    st.sampled_from(TYPES),
    st.randoms(use_true_random=False),
)
@settings(max_examples=20, deadline=None)
def test_every_tensor_comes_back_bit_for_bit(sizes, shape, dtype, random) -> None:
    generator = torch.Generator().manual_seed(random.randrange(2**32))
    samples = random.sample(range(1000), len(sizes))
    tensors = [torch.randn(size, *shape, generator=generator).to(dtype) for size in sizes]
    with tempfile.TemporaryDirectory() as folder:
        cache = TensorCache(Path(folder), "one")
        assert not cache.complete
        cache.fill(samples, iter(tensors))
        again = TensorCache(Path(folder), "one")
        assert again.complete
        for sample, tensor in zip(samples, tensors, strict=True):
            for one in (cache, again):
                assert one[sample].dtype is dtype
                assert torch.equal(one[sample], tensor)


@pytest.mark.parametrize("dtype", TYPES)
def test_odd_numbers_survive(tmp_path: Path, dtype: torch.dtype) -> None:
    odd = torch.tensor(
        [float("inf"), -float("inf"), -0.0, torch.finfo(dtype).tiny, torch.finfo(dtype).max], dtype=dtype
    )
    cache = TensorCache(tmp_path, "odd")
    cache.fill([3], [odd])
    assert cache[3].tolist() == odd.tolist()
    assert torch.signbit(cache[3][2])


def test_what_is_read_is_ones_own(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, "one")
    cache.fill([0], [torch.ones(2, 3)])
    cache[0].zero_()
    assert torch.equal(cache[0], torch.ones(2, 3))


def test_a_strided_tensor_with_a_gradient_is_kept_by_value(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3).requires_grad_()
    cache = TensorCache(tmp_path, "one")
    cache.fill([0], [tensor.T])
    assert cache[0].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert not cache[0].requires_grad


def test_a_sample_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, "one")
    cache.fill([4, 9], [torch.ones(1), torch.ones(2)])
    with pytest.raises(KeyError, match="5"):
        cache[5]


def test_a_cache_that_could_not_be_filled_is_not_there(tmp_path: Path) -> None:
    def broken():
        yield torch.ones(2)
        raise RuntimeError("out of memory")

    cache = TensorCache(tmp_path, "one")
    with pytest.raises(RuntimeError, match="out of memory"):
        cache.fill([0, 1], broken())
    assert not cache.complete
    assert list(tmp_path.iterdir()) == []


def test_without_its_index_it_is_not_there(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path, "one")
    cache.fill([0], [torch.ones(2)])
    (tmp_path / "one.json").unlink()
    assert not TensorCache(tmp_path, "one").complete


def test_killed_while_filling_leaves_no_cache(tmp_path: Path) -> None:
    def tensors():
        yield torch.ones(2)
        os.kill(os.getpid(), signal.SIGKILL)

    assert killed(lambda: TensorCache(tmp_path, "one").fill([0, 1], tensors()))
    cache = TensorCache(tmp_path, "one")
    assert not cache.complete
    cache.fill([0], [torch.full((3,), 2.0)])
    assert cache[0].tolist() == [2, 2, 2]
