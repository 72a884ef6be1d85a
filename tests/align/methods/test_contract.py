"""What every alignment method must do, whichever it is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError
from tests.align.methods.streams import ROW, full, only, repeated
from torch import Tensor

from unmirage.align.methods import METHOD_CONFIGS, METHODS, AnyMethodConfig, make_method
from unmirage.align.objective import Method, Parts, Stream, StreamName
from unmirage.errors import UserError

COUNTS = {"rows": 2, "tokens": len(ROW), "places": 5, "batches": 1}
# Every kind of loss that there is: each method as it comes, with each retain term that it allows, and in `compat`.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {name: (name, {}) for name in METHODS} | {
    f"{name}-{term}": (name, {"gamma": 0.7, "alpha": 0.3, "retain_term": term})
    for name, (config, _) in METHODS.items()
    for term in config.retain_terms
    if not (term == "none" and not config().ce)
}
VARIANTS |= {
    f"{name}-official": (name, {"compat": "official", "retain_term": term})
    for name, term in (("npo", "npo"), ("rmu", "representation"), ("adaptive-rmu", "representation"))
}
VARIANTS |= {f"dpo-{loss}": ("dpo", {"loss": loss}) for loss in ("ipo", "simpo")}
variants = pytest.mark.parametrize("variant", VARIANTS)
methods = pytest.mark.parametrize("name", METHODS)


def _method(variant: str) -> Method:
    name, settings = VARIANTS[variant]
    return make_method(METHODS[name][0](**settings))


def _losses(method: Method, streams: dict[StreamName, Stream]) -> Parts:
    parts: Parts = {}
    if method.forgets:
        parts |= method.forget(replace(streams["forget"], prefer=streams["prefer"] if method.prefers else None))
    if method.retains:
        parts |= method.retain(streams["retain"])
    return parts


def _seen(method: Method) -> list[StreamName]:
    names: list[StreamName] = ["forget"] if method.forgets else []
    names += ["prefer"] if method.prefers else []
    return names + (["retain"] if method.retains else [])


def _divided(parts: Parts, counts: dict[str, int] = COUNTS) -> dict[str, float]:
    return {name: part.total.item() / counts[part.per] for name, part in parts.items()}


@variants
def test_parts_are_finite_scalars_of_streams_that_the_method_sees(variant: str) -> None:
    method = _method(variant)
    parts = _losses(method, full(0))
    assert parts
    for name, part in parts.items():
        assert part.total.shape == (), name
        assert math.isfinite(part.total.item()), name
        assert part.per in COUNTS
        assert part.stream in _seen(method)


@variants
def test_gradients_reach_what_the_method_wants_of_the_policy_and_nothing_else(variant: str) -> None:
    method = _method(variant)
    streams = full(0)
    sum(part.total for part in _losses(method, streams).values()).backward()
    for name, stream in streams.items():
        wanted = method.wants(name) if name in _seen(method) else frozenset()
        logits, hidden = stream.policy.logits, stream.policy.hidden
        assert logits is not None
        assert hidden is not None
        assert _moves(logits) == bool(wanted & {"log_probs", "logits"}), name
        assert _moves(hidden) == ("hidden" in wanted), name


def _moves(tensor: Tensor) -> bool:
    return tensor.grad is not None and bool((tensor.grad.abs().sum(-1) > 0).all())


@variants
def test_nothing_is_used_that_was_not_asked_for(variant: str) -> None:
    """With only what `wants` and `needs` name at hand, the losses are the same; so nothing else is computed."""
    method = _method(variant)
    whole = full(0)
    cut = {
        name: replace(
            stream,
            policy=only(stream.policy, method.wants(name)),
            reference=only(stream.ref, method.needs(name)) if method.needs(name) else None,
        )
        for name, stream in whole.items()
    }
    assert _divided(_losses(method, cut)) == _divided(_losses(method, whole))


@variants
def test_all_that_is_asked_of_the_reference_matters(variant: str) -> None:
    method = _method(variant)
    streams = full(0)
    before = _divided(_losses(method, streams))
    for name in _seen(method):
        if not method.needs(name):
            continue
        said = streams[name].ref
        assert said.logits is not None
        assert said.hidden is not None
        moved = replace(said, log_probs=said.log_probs - 1, logits=said.logits * 2, hidden=said.hidden * 2)
        changed = streams | {name: replace(streams[name], reference=moved)}
        assert _divided(_losses(method, changed)) != before, name


@variants
def test_saying_a_batch_twice_changes_no_loss(variant: str) -> None:
    """Each part is a sum over what its count counts: twice the rows, twice the sum. `compat` is a mean already."""
    method = _method(variant)
    streams = full(0)
    doubled = {name: repeated(stream) for name, stream in streams.items()}
    counts = {unit: count if unit == "batches" else 2 * count for unit, count in COUNTS.items()}
    once, twice = _divided(_losses(method, streams)), _divided(_losses(method, doubled), counts)
    assert twice == pytest.approx(once, rel=1e-5)


@variants
def test_the_reference_gets_no_gradient(variant: str) -> None:
    method = _method(variant)
    streams = full(0)
    for stream in streams.values():
        for one in (stream.ref.logits, stream.ref.hidden):
            assert one is not None
            assert not one.requires_grad
    assert all(part.total.requires_grad for part in _losses(method, streams).values())


@methods
def test_gamma_and_alpha_weigh_the_retain_side(name: str) -> None:
    config = METHODS[name][0]
    settings: dict[str, object] = {"ce": 1.0, "retain_term": "kl"}
    plain, weighed = (
        _divided(_losses(make_method(config(**settings, gamma=gamma, alpha=alpha)), full(0)))
        for gamma, alpha in ((1.0, 1.0), (3.0, 0.5))
    )
    assert weighed["cross_entropy"] == pytest.approx(3 * plain["cross_entropy"], rel=1e-6)
    assert weighed["retain"] == pytest.approx(1.5 * plain["retain"], rel=1e-6)
    assert weighed.get("forget") == plain.get("forget")


@methods
def test_without_weight_the_own_term_is_neither_computed_nor_asked_for(name: str) -> None:
    method = make_method(METHODS[name][0](gamma=1.0, ce=1.0, alpha=0.0, retain_term="kl"))
    assert method.needs("retain") == frozenset()
    assert method.wants("retain") == {"log_probs"}
    assert list(method.retain(full(0)["retain"])) == ["cross_entropy"]


@methods
def test_the_retain_side_is_the_same_whichever_the_method(name: str) -> None:
    """-(1/4) sum log pi, and KL by its definition, for tokens of which all are known."""
    stream = full(0)["retain"]
    method = make_method(METHODS[name][0](gamma=1.0, ce=1.0, alpha=1.0, retain_term="kl"))
    assert stream.policy.logits is not None
    assert stream.ref.logits is not None
    p, q = stream.ref.logits.softmax(-1).double(), stream.policy.logits.softmax(-1).double()
    found = _divided(method.retain(stream))
    assert found["cross_entropy"] == pytest.approx(-stream.policy.log_probs.mean().item(), rel=1e-6)
    assert found["retain"] == pytest.approx((p * (p / q).log()).sum(-1).mean().item(), rel=1e-5)


@methods
def test_config_names_itself_and_comes_back_from_its_dump(name: str) -> None:
    config = METHODS[name][0]()
    dump = config.model_dump()
    assert dump["name"] == name
    assert TypeAdapter(AnyMethodConfig).validate_python(dump) == config


@methods
def test_config_refuses_unknown_settings_and_change(name: str) -> None:
    config = METHODS[name][0]
    with pytest.raises(ValidationError, match="tempo"):
        config(tempo=1)
    with pytest.raises(ValidationError, match="frozen"):
        config().gamma = 2.0


@methods
@pytest.mark.parametrize("field", ["gamma", "ce", "alpha"])
def test_weights_are_not_negative(name: str, field: str) -> None:
    with pytest.raises(ValidationError, match=rf"{field}\n.*greater than"):
        METHODS[name][0](**{field: -0.1})


@methods
def test_the_retain_term_of_npo_is_for_npo_alone(name: str) -> None:
    config = METHODS[name][0]
    if name == "npo":
        assert config(retain_term="npo").retain_term == "npo"
        return
    with pytest.raises(
        ValidationError, match="retain_term: 'npo' is not available for this method; valid: none, kl, represent"
    ):
        config(retain_term="npo")


@methods
def test_a_retain_side_in_which_everything_is_off_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="gamma: has no effect with ce 0 and no own retain term"):
        METHODS[name][0](gamma=1.0, ce=0.0, alpha=0.0)


def test_sft_is_nothing_but_its_retain_side() -> None:
    with pytest.raises(ValidationError, match=r"gamma\n.*greater than 0"):
        METHODS["sft"][0](gamma=0.0)


def test_unknown_method_lists_the_known_ones() -> None:
    known = "adaptive-rmu, dpo, ga, grad-diff, kl-min, npo, rmu, sft, sim-npo, task-vector"
    with pytest.raises(UserError, match=rf"unknown method 'nop'; valid: {known}\. Did you mean 'npo'"):
        METHOD_CONFIGS.find("nop")
