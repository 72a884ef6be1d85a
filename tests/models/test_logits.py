"""Logits from last hidden states are the model's own: plain, scaled, capped or cut."""

import pytest
import torch
from tests.models.tiny_types import tiny as tiny_type

from unmirage.errors import UserError
from unmirage.models.logits import LogitRule, logit_rule, output_logits
from unmirage.models.structure import last_hidden

IDS = {"input_ids": torch.tensor([[5, 6, 7, 8]]), "attention_mask": torch.ones((1, 4), dtype=torch.long)}


@pytest.mark.parametrize(
    ("kind", "rule"), [("llama4", LogitRule()), ("gemma4", LogitRule(cap=7.0)), ("deepseek_vl", LogitRule())]
)
@torch.no_grad()
def test_the_rule_is_measured(kind, rule) -> None:
    model = tiny_type(kind)
    random = torch.get_rng_state()
    assert logit_rule(model) == rule
    assert torch.equal(torch.get_rng_state(), random)
    own = model(**IDS, use_cache=False).logits
    torch.testing.assert_close(output_logits(model, last_hidden(model, IDS)), own, rtol=0, atol=1e-4)


def changed(model, change):
    forward = model.forward

    def other(*args, **kwargs):
        output = forward(*args, **kwargs)
        output.logits = change(output.logits)
        return output

    model.forward = other
    return model


@torch.no_grad()
def test_a_scale_and_a_cut_are_measured() -> None:
    model = changed(tiny_type("deepseek_vl"), lambda logits: logits[..., :90] * 0.25)
    rule = logit_rule(model)
    assert rule.scale == pytest.approx(0.25, rel=1e-5)
    assert rule.size == 90
    own = model(**IDS, use_cache=False).logits
    torch.testing.assert_close(output_logits(model, last_hidden(model, IDS)), own, rtol=1e-5, atol=1e-5)


def test_what_is_not_understood_is_one_line() -> None:
    model = changed(tiny_type("deepseek_vl"), lambda logits: logits.square())
    with pytest.raises(UserError, match=r"^model type 'deepseek_vl': its logits are neither .* cannot be trained$"):
        logit_rule(model)
    scaled = tiny_type("deepseek_vl")
    scaled.lm_head.register_forward_pre_hook(lambda _module, inputs: (inputs[0] * 2,))
    with pytest.raises(UserError, match="its hidden states are changed before the output layer"):
        logit_rule(scaled)


def test_encoders_with_decoders_are_not_trained() -> None:
    model = tiny_type("deepseek_vl")
    model.config.is_encoder_decoder = True
    with pytest.raises(UserError, match="has an encoder and a decoder; only plain decoders are trained"):
        logit_rule(model)


def test_broken_weights_are_left_to_the_loss() -> None:
    model = tiny_type("deepseek_vl")
    model.lm_head.weight.data[3] = float("nan")
    assert logit_rule(model) == LogitRule()
