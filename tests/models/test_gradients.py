"""First-order scores of the opener: equal to finite differences; weights are left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unmirage.errors import UserError
from unmirage.models.gradients import OBJECTIVES, log_odds, opener_columns, opener_gradient, opener_tokens
from unmirage.models.scoring import prompt_batch, refusal_probability, sequence_log_probs, start_sequences
from unmirage.records import Kind, Query

STARTS = ("I'm sorry", "I cannot", "Sorry")
STEP = 1e-3


def ask(sample) -> Query:
    return Query(
        id=sample.id, sample_id=sample.id, kind=Kind.PLAIN, shot=0, text=sample.query, image=sample.image, unsafe=True
    )


@pytest.fixture(scope="module")
def vlm(tiny):
    loaded = tiny.load()
    loaded.model.double()
    return loaded


@pytest.fixture(scope="module")
def queries(tiny):
    asked = [ask(sample) for sample in tiny.samples("test")[:4]]
    return [*asked[:3], replace(asked[3], image=None)]


def objective(vlm, queries, images, name, token=None, step=0.0) -> float:
    """Return the mean objective after a step from each opener's embedding towards that of `token`."""
    total = 0.0
    for query in queries:
        batch = prompt_batch(vlm, [query], images)
        column = int(opener_columns(vlm.processor, [query], batch["input_ids"])[0])
        sequences = start_sequences(vlm.processor, STARTS, has_image=query.image is not None)

        def towards(layer, inputs, output, column=column, width=batch["input_ids"].shape[1]):
            if output.shape[1] < width or token is None:
                return None
            moved = output.clone()
            moved[0, column] += step * (layer.weight[token] - output[0, column])
            return moved

        handle = vlm.model.get_input_embeddings().register_forward_hook(towards)
        with torch.no_grad():
            log_p = sequence_log_probs(vlm.model, batch, sequences).double().logsumexp(dim=1)
        handle.remove()
        total += float(OBJECTIVES[name](log_p).sum())
    return total / len(queries)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_scores_are_directional_derivatives(vlm, tiny, queries, name):
    scores = opener_gradient(vlm, queries, tiny.images, STARTS, batch_size=3, objective=name)
    assert scores.shape == (vlm.model.get_input_embeddings().weight.shape[0],)
    for token in (int(np.argmax(scores)), int(np.argmin(scores))):
        ahead, behind = (objective(vlm, queries, tiny.images, name, token, step) for step in (STEP, -STEP))
        assert scores[token] == pytest.approx((ahead - behind) / (2 * STEP), rel=0.02, abs=2e-3)


def test_the_opener_itself_scores_nothing(vlm, tiny, queries):
    one = [queries[0]]
    (token,) = opener_tokens(vlm.processor, queries[0])
    assert opener_gradient(vlm, one, tiny.images, STARTS)[token] == pytest.approx(0, abs=1e-9)


def test_the_column_holds_the_opener(vlm, tiny, queries):
    tokenizer = vlm.processor.tokenizer
    asked = [replace(query, text=text) for query, text in zip(queries, ("A", " Can you?", "“Who”", "Q"), strict=False)]
    for query, word in zip(asked, ("A", "Can", "Who", "Q"), strict=False):
        batch = prompt_batch(vlm, [query], tiny.images)
        column = int(opener_columns(vlm.processor, [query], batch["input_ids"])[0])
        assert tokenizer.decode(batch["input_ids"][0, column:]).strip().startswith(word)
        assert tokenizer.decode(opener_tokens(vlm.processor, query)).strip() == word


def test_no_opener_is_one_named_error(vlm, tiny, queries):
    with pytest.raises(UserError, match="no opener found"):
        opener_gradient(vlm, [replace(queries[0], text="?!")], tiny.images, STARTS)


def test_a_prompt_built_otherwise_is_one_named_error(vlm, queries):
    with pytest.raises(UserError, match="black-box"):
        opener_columns(vlm.processor, queries[:1], torch.zeros((1, 50), dtype=torch.long))


def test_weights_and_their_flags_are_left_alone(tiny, queries):
    vlm = tiny.load()
    before = {name: tensor.clone() for name, tensor in vlm.model.state_dict().items()}
    first = next(vlm.model.parameters())
    first.requires_grad_(False)
    vlm.model.train()
    opener_gradient(vlm, queries, tiny.images, STARTS)
    assert vlm.model.training
    assert not first.requires_grad
    assert all(p.requires_grad for p in list(vlm.model.parameters())[1:])
    assert all(p.grad is None for p in vlm.model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in vlm.model.state_dict().items())
    assert not vlm.model.get_input_embeddings()._forward_hooks


def test_the_log_odds_stay_finite():
    found = log_odds(torch.tensor([0.0, -40.0, float(np.log(0.25))]))
    assert found.isfinite().all()
    assert float(found[2]) == pytest.approx(np.log(1 / 3))


def test_every_family_has_its_opener_found(family, family_images, queries):
    asked = [replace(query, image=f"{n}.png") for n, query in enumerate(queries[:2])]
    scores = opener_gradient(family.vlm, asked, family_images, ("Sorry", "I cannot"), batch_size=1)
    assert np.isfinite(scores).all()
    assert scores.std() > 0
    assert refusal_probability(family.vlm, asked, family_images, ("Sorry",), batch_size=1).shape == (2,)
