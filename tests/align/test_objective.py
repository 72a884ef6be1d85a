"""The shared losses against values worked out by hand or by torch's own functions."""

import math

import pytest
import torch
import torch.nn.functional as F

from unmirage.align.objective import (
    Stream,
    answer_log_probs,
    cross_entropy,
    kl_to_reference,
    masked_mean_square,
)
from unmirage.models.encoding import IGNORED


def _stream(logits: torch.Tensor) -> Stream:
    labels = torch.tensor([[IGNORED, IGNORED, 1, 0], [IGNORED, 2, IGNORED, IGNORED]])
    return Stream(logits, labels, labels != IGNORED)


def test_logits_predict_the_next_token() -> None:
    logits = torch.zeros(2, 4, 3)
    logits[0, 1, 1] = 5.0  # position 1 predicts the answer's first token, which is 1
    log_probs = answer_log_probs(_stream(logits))
    certain = 5.0 - math.log(math.exp(5.0) + 2)
    expected = torch.tensor([[0.0, certain, -math.log(3)], [-math.log(3), 0.0, 0.0]])
    torch.testing.assert_close(log_probs, expected)


def test_cross_entropy_is_the_mean_over_answer_tokens() -> None:
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    stream = _stream(logits)
    expected = -answer_log_probs(stream).sum() / 3
    torch.testing.assert_close(cross_entropy(stream), expected)


def test_kl_is_zero_against_itself_and_equals_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    policy, reference = (_stream(torch.randn(2, 4, 3, generator=generator)) for _ in range(2))
    assert kl_to_reference(policy, policy).item() == pytest.approx(0, abs=1e-7)
    p = F.softmax(reference.logits, -1)
    per_token = (p * (p.log() - F.log_softmax(policy.logits, -1))).sum(-1)
    expected = (per_token[0, 1] + per_token[0, 2] + per_token[1, 0]) / 3
    torch.testing.assert_close(kl_to_reference(policy, reference), expected)


def test_kl_gradient_equals_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = _stream(torch.randn(2, 4, 3, dtype=torch.float64, generator=generator))
    logits = torch.randn(2, 4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    # The losses compute in float32, so the steps must be coarser than gradcheck's own.
    assert torch.autograd.gradcheck(
        lambda x: kl_to_reference(_stream(x), reference).double(), (logits,), eps=1e-2, atol=1e-3
    )


def test_masked_mean_square_counts_only_the_mask() -> None:
    difference = torch.tensor([[[3.0, 4.0], [100.0, 100.0]]])
    assert masked_mean_square(difference, torch.tensor([[True, False]])).item() == pytest.approx(12.5)


def test_rows_keep_every_part_of_the_stream() -> None:
    stream = _stream(torch.arange(24.0).reshape(2, 4, 3))
    second = stream.rows(torch.tensor([False, True]))
    assert second.logits.shape == (1, 4, 3)
    assert second.labels.tolist() == [[IGNORED, 2, IGNORED, IGNORED]]
    assert second.hidden is None
