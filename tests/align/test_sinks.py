"""Attention sinks inside queries and answers: found by medians, and left out of losses on representations."""

from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest
import torch
from tests.align.runs import data_for, loaded, method_config
from tests.conftest import TINY

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.card import sink_lines
from unmirage.align.forward import raw_outputs
from unmirage.align.methods import make_method
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.align.sinks import find_sinks, mean_squares, without
from unmirage.data import ImageFolder, load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.models.families import decoder_layers
from unmirage.records import SinkCount
from unmirage.testbed.base_model import shipped_folder
from unmirage.testbed.corpus import write_corpus
from unmirage.testbed.world import WorldSettings, make_world

LAYER = 2
SINK = 100.0
ROWS = 3


def test_the_mean_square_is_over_the_width():
    assert mean_squares(torch.tensor([[1.0, 3.0], [0.0, 2.0]])).tolist() == [5.0, 2.0]


def test_a_sink_exceeds_a_multiple_of_the_median_of_all_rows():
    squares = {4: torch.tensor([1.0, 2.0, 16.1]), 7: torch.tensor([2.0, 16.0, 3.0, 1.0])}  # the median is 2
    found = find_sinks(squares, 8.0)
    assert {row: one.tolist() for row, one in found.items()} == {4: [False, False, True], 7: [False] * 4}
    assert sum(int(one.sum()) for one in find_sinks(squares, 20.0).values()) == 0
    assert find_sinks({}, 8.0) == {}


def test_places_lose_their_sinks_and_nothing_else():
    places = torch.tensor([[False, True, True, False, True], [True, True, False, False, False]])
    kept = without(places, [torch.tensor([False, True, False]), None])
    assert kept.tolist() == [[False, True, False, False, True], [True, True, False, False, False]]
    assert places.sum() == 5  # unchanged


def rows_of(vlm, data, config, stream="forget"):
    method = make_method(config.method)
    rows = make_rows(stream_samples(method, data, config.seed), vlm.processor, data.images, config)[stream]
    collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=False)
    return collator.batch({stream: [rows[number] for number in range(len(rows))]})


def activations(vlm, batch, config, stream="forget"):
    with torch.no_grad():
        needs = {stream: frozenset({"hidden"})}
        return raw_outputs(vlm.model, batch, needs, config.method.layer, config.optimizations)[stream].hidden


@contextmanager
def planted(model, token, layer=LAYER):
    """Multiply what a layer gives out for one token, wherever it is."""
    seen = []
    embed = model.get_input_embeddings().register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))

    def swell(_module, _inputs, output):
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[seen[-1] == token] *= SINK
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    hook = decoder_layers(model)[layer - 1].register_forward_hook(swell)
    try:
        yield
    finally:
        embed.remove()
        hook.remove()


def common_token(vlm, batch):
    """Return a token of the content that is in every row once."""
    ids = [batch.inputs["input_ids"][row][batch.places[row]].tolist() for row in range(len(batch.places))]
    return next(one for one in ids[0] if all(own.count(one) == 1 for own in ids))


def trained(tiny, name, sinks=True, **settings):
    """Return the first step's losses, the sinks, and the activations before it."""
    vlm = loaded(tiny)
    config = AlignConfig(
        method=method_config(name, layer=LAYER, gamma=0.0, **settings), learning_rate=1e-6, batch_size=ROWS, steps=1
    )
    data = data_for(tiny, config.method, ROWS)
    batch = rows_of(vlm, data, config)
    token = common_token(vlm, batch)
    with planted(vlm.model, token) if sinks else contextmanager(lambda: (yield))():
        hidden = activations(vlm, batch, config)
        result = align(vlm, data, config)
    return result, hidden, batch.inputs["input_ids"][batch.places] == token, config


def test_rmu_leaves_planted_sinks_out_and_counts_them(tiny):
    result, hidden, is_sink, config = trained(tiny, "rmu")
    direction = result.state["control"]
    losses = (hidden - direction).square().mean(-1)
    assert losses[is_sink].sum() > 0.9 * losses.sum()
    # By hand: the mean over the other tokens alone, and not the sinks in the divisor either.
    assert result.parts[0]["forget"] == pytest.approx(losses[~is_sink].mean().item(), rel=1e-5)
    assert result.sinks == {"forget": SinkCount(places=len(hidden), sinks=ROWS)}
    [line] = sink_lines(result.sinks)
    assert line.startswith(f"forget: {ROWS} of {len(hidden)} places")
    assert config.method.sink_ratio == 8.0


def test_adaptive_rmu_scales_no_target_by_a_sink(tiny):
    result, hidden, is_sink, config = trained(tiny, "adaptive-rmu")
    target = config.method.scale * hidden.norm(dim=-1, keepdim=True) * result.state["direction"]
    losses = (hidden - target).square().mean(-1)[~is_sink]
    assert result.parts[0]["forget"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert result.sinks["forget"].sinks == ROWS


def test_without_the_setting_they_count(tiny):
    result, hidden, _, _ = trained(tiny, "rmu", sink_ratio=None)
    losses = (hidden - result.state["control"]).square().mean(-1)
    assert result.parts[0]["forget"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert result.sinks == {}


def test_the_official_loss_covers_every_place_as_before(tiny):
    with_ratio, without_ratio = (trained(tiny, "rmu", compat="official", sink_ratio=one)[0] for one in (8.0, None))
    assert with_ratio.parts == without_ratio.parts
    assert with_ratio.sinks == {}


def test_a_retain_term_leaves_them_out_too(tiny):
    method = method_config("npo", layer=LAYER, retain_term="representation", ce=0.0)
    config = AlignConfig(method=method, batch_size=ROWS, steps=4, learning_rate=1e-3)
    vlm = loaded(tiny)
    data = data_for(tiny, config.method, ROWS)
    token = common_token(vlm, rows_of(vlm, data, config, "retain"))
    with planted(vlm.model, token):
        result = align(vlm, data, config)
    assert result.sinks["retain"].sinks == ROWS
    assert "forget" not in result.sinks  # its loss reads no representations
    assert result.parts[0]["retain"] == 0 < result.parts[-1]["retain"]


def test_a_resumed_run_finds_the_same(tiny, tmp_path):
    config = AlignConfig(method=method_config("rmu", layer=LAYER), batch_size=ROWS, steps=4, save_every=2)
    data = data_for(tiny, config.method, ROWS)
    results = []
    for broken in (False, True):
        vlm = loaded(tiny)

        def stop(stage, done, _total, broken=broken):
            if broken and (stage, done) == ("align", 3):
                raise KeyboardInterrupt

        with planted(vlm.model, common_token(vlm, rows_of(vlm, data, config))), suppress(KeyboardInterrupt):
            results.append(align(vlm, data, config, stop, tmp_path / str(broken)))
    vlm = loaded(tiny)
    with planted(vlm.model, common_token(vlm, rows_of(vlm, data, config))):
        results.append(align(vlm, data, config, None, tmp_path / "True"))
    whole, resumed = results
    assert (resumed.parts, resumed.sinks) == (whole.parts, whole.sinks)
    assert whole.sinks["forget"].sinks == ROWS


def test_the_synthetic_world_has_none(tmp_path):
    """In the shipped base model, whose study figures must not change, no token of any layer is a sink."""
    write_corpus(make_world(0, WorldSettings()), TINY.model_copy(update={"base": 24, "base_pictures": 24}), tmp_path)
    samples = [one for name in ("base", "safety") for one in load_samples(tmp_path / f"{name}.json")][:64]
    vlm = HuggingFaceVLM.load(shipped_folder(), "base")
    data = AlignData(retain=samples, forget=samples, images=ImageFolder(tmp_path))
    for layer in range(1, len(decoder_layers(vlm.model)) + 1):
        config = AlignConfig(method=method_config("rmu", layer=layer), batch_size=64)
        squares = mean_squares(activations(vlm, rows_of(vlm, data, config), config))
        assert len(squares) > 500
        assert squares.max() < 6 * squares.median(), layer


def test_settings_at_the_default_are_those_of_older_trainings():
    assert "sink_ratio" not in AlignConfig(method=method_config("rmu")).model_dump(mode="json")["method"]
    assert AlignConfig(method=method_config("rmu", sink_ratio=5)).model_dump(mode="json")["method"]["sink_ratio"] == 5
    with pytest.raises(ValueError, match="sink_ratio"):
        method_config("rmu", sink_ratio=1.0)
