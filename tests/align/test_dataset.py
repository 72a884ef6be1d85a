"""Samples become batches: encoded once, in pairs by their orders, with exact masks, in the passes of the plan."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from unmirage.align.dataset import EncodedSamples, PairedStreams, PassCollator, Row, Rows
from unmirage.align.methods import METHODS, make_method
from unmirage.align.module import count
from unmirage.align.sampler import Order
from unmirage.models.encoding import Example

PAD, IMAGE = 0, 9


class _Numbers(EncodedSamples):
    """Examples that are just their index."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        assert 0 <= index < self._count
        return Example(torch.tensor([index, 1, 2]), 1, {})


def _paired(sizes: dict, length: int, seed: int = 0) -> PairedStreams:
    rows = {name: Rows(_Numbers(size)) for name, size in sizes.items()}
    return PairedStreams(rows, {name: Order(name, size, seed) for name, size in sizes.items()}, length)


def _numbers(items: list) -> list[int]:
    return [int(row.example.input_ids[0]) for row in items]


def test_every_stream_goes_round_by_itself() -> None:
    dataset = _paired({"forget": 4, "retain": 6}, 12)
    items = [dataset[at] for at in range(len(dataset))]
    assert Counter(_numbers([item["forget"] for item in items])) == dict.fromkeys(range(4), 3)
    assert Counter(_numbers([item["retain"] for item in items])) == dict.fromkeys(range(6), 2)


@pytest.mark.parametrize(("length", "expected"), [(3, 3), (4, 4), (9, 4)])
def test_drawn_are_those_that_the_run_will_see(length: int, expected: int) -> None:
    dataset = _paired({"forget": 4}, length)
    drawn = dataset.drawn("forget")
    assert len(drawn) == expected
    assert drawn == sorted({number for at in range(length) for number in _numbers([dataset[at]["forget"]])})


def _row(ids: list[int], prompt: int, query: tuple[int, int] = (0, 0), **cached: torch.Tensor) -> Row:
    pixels = {"pixel_values": torch.ones(1, 2)} if IMAGE in ids else {}
    return Row(Example(torch.tensor(ids), prompt, pixels, (query,)), cached)


FORGET = [_row([1, IMAGE, IMAGE, 4, 5, 6], 4, (3, 4)), _row([1, 4, 5], 2, (1, 2))]
RETAIN = [_row([1, 4, 4, 5, 6, 7, 7, 8], 6, (1, 5)), _row([1, 4, 7], 1)]


def _collator(tokens: str = "answer", places: str = "content") -> PassCollator:
    return PassCollator(PAD, IMAGE, (("forget", "retain"),), {"forget": tokens, "retain": "answer"}, places)


def _columns(mask: torch.Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in mask]


def test_streams_of_a_pass_stand_below_each_other() -> None:
    (batch,) = _collator()([{"forget": f, "retain": r} for f, r in zip(FORGET, RETAIN, strict=True)])
    assert dict(batch.rows) == {"forget": (0, 2), "retain": (2, 4)}
    assert batch.inputs["input_ids"].tolist() == [
        [1, IMAGE, IMAGE, 4, 5, 6, PAD, PAD],
        [1, 4, 5, *[PAD] * 5],
        [1, 4, 4, 5, 6, 7, 7, 8],
        [1, 4, 7, *[PAD] * 5],
    ]
    assert batch.inputs["attention_mask"].sum(1).tolist() == [6, 3, 8, 3]
    assert batch.inputs["pixel_values"].shape == (1, 2)
    assert set(batch.inputs) == {"input_ids", "attention_mask", "pixel_values"}


@pytest.mark.parametrize(
    ("tokens", "forget"),
    [("answer", [[4, 5], [2]]), ("query", [[3], [1]]), ("all", [[3, 4, 5], [1, 2]])],
)
def test_loss_tokens_are_exact_and_the_retain_side_keeps_to_answers(tokens: str, forget: list) -> None:
    batch = _collator(tokens).batch({"forget": FORGET, "retain": RETAIN})
    assert _columns(batch.loss) == [*forget, [6, 7], [1, 2]]
    rows = [row for row, columns in enumerate(forget) for _ in columns]
    assert batch.loss_rows("forget").tolist() == rows
    assert batch.loss_rows("retain").tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("tokens", ["answer", "query", "all"])
def test_places_are_the_query_and_the_answer_whatever_carries_loss(tokens: str) -> None:
    """The start token, the picture, the template around the query (column 5 of the third row) and padding are not."""
    batch = _collator(tokens).batch({"forget": FORGET, "retain": RETAIN})
    assert _columns(batch.places) == [[3, 4, 5], [1, 2], [1, 2, 3, 4, 6, 7], [1, 2]]


def test_all_places_end_with_the_longest_row_of_the_stream() -> None:
    """So the paper's means are the same whether the streams are padded together or each by itself."""
    joint = _collator(places="all").batch({"forget": FORGET, "retain": RETAIN})
    assert _columns(joint.places) == [[*range(6)]] * 2 + [[*range(8)]] * 2
    apart = [_collator(places="all").batch({name: rows}) for name, rows in (("forget", FORGET), ("retain", RETAIN))]
    assert [int(one.places.sum()) for one in apart] == [12, 16]
    assert all(one.places.all() for one in apart)


def test_separate_passes_hold_their_streams() -> None:
    collator = PassCollator(PAD, IMAGE, (("forget",), ("retain",)), {"forget": "answer", "retain": "answer"})
    first, second = collator([{"forget": f, "retain": r} for f, r in zip(FORGET, RETAIN, strict=True)])
    assert (dict(first.rows), dict(second.rows)) == ({"forget": (0, 2)}, {"retain": (0, 2)})
    assert first.inputs["input_ids"].shape == (2, 6)
    assert second.inputs["input_ids"].shape == (2, 8)


def test_what_is_cached_is_laid_end_to_end() -> None:
    rows = [_row([1, 4, 5], 1, log_probs=torch.tensor([-1.0, -2.0])), _row([1, 4], 1, log_probs=torch.tensor([-3.0]))]
    batch = _collator().batch({"forget": rows})
    assert batch.cached["forget"]["log_probs"].tolist() == [-1, -2, -3]
    assert batch.cached["forget"]["log_probs"].shape == batch.loss_rows("forget").shape


def test_counts_are_those_of_the_whole_step() -> None:
    joint = _collator().batch({"forget": FORGET, "retain": RETAIN})
    other = _collator().batch({"retain": RETAIN[1:]})
    counts = count([joint, other])
    assert {unit: counts["forget", unit] for unit in ("rows", "tokens", "places", "batches")} == {
        "rows": 2,
        "tokens": 3,
        "places": 5,
        "batches": 1,
    }
    assert {unit: counts["retain", unit] for unit in ("rows", "tokens", "places", "batches")} == {
        "rows": 3,
        "tokens": 6,
        "places": 10,
        "batches": 2,
    }


def test_encoded_samples_are_encoded_once_and_opened_once(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmirage.align import dataset

    calls: list[str] = []
    real = dataset.encode_example
    monkeypatch.setattr(
        dataset, "encode_example", lambda *args, **options: calls.append(args[1].text) or real(*args, **options)
    )
    samples = tiny.samples("general")
    encoded = EncodedSamples(samples, tiny.load().processor, tiny.images)
    assert torch.equal(encoded[2].input_ids, encoded[2].input_ids)
    assert calls == [samples[2].query]
    monkeypatch.setattr(dataset, "_CACHE_BYTES", 0)
    assert torch.equal(encoded[3].input_ids, encoded[3].input_ids)
    assert calls[1:] == [samples[3].query] * 2


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_plan_for_its_streams(name: str) -> None:
    from unmirage.align import AlignConfig
    from unmirage.align.plan import passes

    method = make_method(METHODS[name][0]())
    expected = {"forget"} if method.forgets else set()
    expected |= {"prefer"} if method.prefers else set()
    expected |= {"retain"} if method.retains else set()
    for wish in ("auto", "joint", "separate"):
        config = AlignConfig(method=method.config, optimizations={"passes": wish})
        plan = passes(method, config, one_pass=False)
        assert {stream for group in plan for stream in group} == expected
        assert sum(len(group) for group in plan) == len(expected)
        if wish == "joint":
            assert len(plan) == 1
        # DPO compares two answers to one query, so they are never apart.
        assert not any(
            ("forget" in group) != ("prefer" in group) for group in plan if method.prefers and group != ("retain",)
        )
