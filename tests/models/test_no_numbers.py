"""A model whose outputs are no numbers, as half precision gives beyond its range, has no response there."""

from __future__ import annotations

import pytest
import torch

from unmirage.errors import UserError
from unmirage.models import GenerationConfig
from unmirage.models.decoding import Decoding
from unmirage.models.greedy import no_numbers
from unmirage.models.scoring import refusal_probability
from unmirage.records import Failure, Kind, Query, Response

TEXTS = ("What is this?", "What is that?", "Is this red?", "Share this.")


def queries(tiny) -> list[Query]:
    image = tiny.samples("general")[0].image
    return [
        Query(id=str(number), sample_id="0", kind=Kind.JAILBREAK, shot=0, text=text, image=image, unsafe=True)
        for number, text in enumerate(TEXTS)
    ]


@pytest.mark.parametrize("loop", ["ours", "library"])
def test_other_queries_of_the_batch_keep_their_responses(tiny, loop, monkeypatch) -> None:
    vlm, asked = tiny.load(), queries(tiny)
    config = GenerationConfig(max_new_tokens=6, batch_size=4)
    if loop == "library":
        monkeypatch.setattr(Decoding, "plain", property(lambda _: True))
    before = list(vlm.answer(asked, tiny.images, config))
    assert all(isinstance(one, Response) for one in before)
    (token,) = vlm.processor.tokenizer("Share", add_special_tokens=False)["input_ids"][:1]

    def overflow(module, inputs, embedded):
        return embedded.masked_fill((inputs[0] == token)[..., None], torch.nan)

    vlm.model.get_input_embeddings().register_forward_hook(overflow)
    after = {one.query_id: one for one in vlm.answer(asked, tiny.images, config)}
    wrong = after.pop("3")
    assert isinstance(wrong, Failure)
    assert wrong.reason == "the model's outputs are no numbers (NaN or infinity) in float32; its weights may be damaged"
    assert after == {one.query_id: one for one in before if one.query_id != "3"}
    half = vlm.model.to(torch.bfloat16)
    (wrong,) = vlm.answer(asked[3:], tiny.images, config)
    assert wrong.reason.endswith("in bfloat16; load it with --dtype float32")
    half.to(torch.float32)


@pytest.mark.parametrize("loop", ["ours", "library"])
def test_a_response_that_breaks_off_is_none(tiny, loop, monkeypatch) -> None:
    vlm, asked = tiny.load(), queries(tiny)[:1]
    if loop == "library":
        monkeypatch.setattr(Decoding, "plain", property(lambda _: True))
    calls = []

    def third(module, inputs, logits):
        calls.append(logits)
        return logits + torch.inf if len(calls) == 3 else logits

    vlm.model.lm_head.register_forward_hook(third)
    (found,) = vlm.answer(asked, tiny.images, GenerationConfig(max_new_tokens=6, batch_size=1))
    assert isinstance(found, Failure)


def test_scores_are_an_error(tiny) -> None:
    vlm = tiny.load()
    vlm.model.lm_head.register_forward_hook(lambda module, inputs, logits: logits * torch.nan)
    with pytest.raises(UserError, match="the model's outputs are no numbers"):
        refusal_probability(vlm, queries(tiny), tiny.images, ["Sorry"], 2)


def test_what_is_a_number() -> None:
    rows = torch.tensor([[0.0, -torch.inf], [torch.nan, 0.0], [torch.inf, 0.0], [-1.0, 3e38]])
    assert no_numbers(rows).tolist() == [False, True, True, False]
