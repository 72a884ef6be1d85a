"""What every alignment method must do, whichever it is."""

import pytest
import torch

from unmirage.align.methods import METHODS, make_method, method_config_class
from unmirage.align.objective import Stream
from unmirage.errors import UserError
from unmirage.models.encoding import IGNORED


def _streams(seed: int) -> list[Stream]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor([[IGNORED, IGNORED, 2, 3, 1], [IGNORED, 4, 1, IGNORED, IGNORED]])
    content = torch.tensor([[False, True, True, True, True], [True, True, True, False, False]])
    return [
        Stream(
            torch.randn(2, 5, 8, generator=generator).requires_grad_(requires_grad),
            labels,
            content,
            torch.randn(2, 5, 4, generator=generator).requires_grad_(requires_grad),
        )
        for requires_grad in (True, True, False, False)
    ]


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_finite_scalars_that_reach_the_policy(name: str) -> None:
    method = make_method(METHODS[name][0]())
    forget, retain, ref_forget, ref_retain = _streams(0)
    parts = method.losses(forget if method.needs_forget else None, retain, ref_forget, ref_retain)
    assert all(part.shape == () and torch.isfinite(part) for part in parts.values())
    torch.stack(list(parts.values())).sum().backward()
    assert retain.logits.grad is not None
    if method.needs_forget:
        touched = (forget.logits.grad, forget.hidden.grad if forget.hidden is not None else None)
        assert any(grad is not None and bool(grad.abs().sum() > 0) for grad in touched)


@pytest.mark.parametrize("name", METHODS)
def test_what_follows_padding_does_not_matter(name: str) -> None:
    """Positions without label and content may hold anything."""
    method = make_method(METHODS[name][0]())

    def total(noise: float) -> float:
        streams = _streams(1)
        with torch.no_grad():
            for stream in streams:
                stream.logits[1, 3:] += noise
                assert stream.hidden is not None
                stream.hidden[1, 3:] += noise
        forget = streams[0] if method.needs_forget else None
        return sum(part.item() for part in method.losses(forget, *streams[1:]).values())

    assert total(0.0) == total(7.0)


@pytest.mark.parametrize("name", METHODS)
def test_config_names_itself_and_refuses_unknown_settings(name: str) -> None:
    config = METHODS[name][0]
    assert config().model_dump()["name"] == name
    with pytest.raises(ValueError, match="tempo"):
        config(tempo=1)


def test_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown method 'nop'; valid: npo, rmu, sft\. Did you mean 'npo'"):
        method_config_class("nop")
