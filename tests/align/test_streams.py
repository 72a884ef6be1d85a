"""The order of the data is a function of seed and position, and every example comes once a pass."""

from collections import Counter

import pytest
import torch

from unmirage.align.streams import EncodedSamples, PairCollator, PairedStreams
from unmirage.models.encoding import IGNORED, Example


class _Numbers(EncodedSamples):
    """Examples that are just their index."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return Example(torch.tensor([index, 1, 2]), 1 + index % 2, {"pixel_values": torch.full((1, 2), index)})


def _drawn(dataset: PairedStreams, stream: str) -> list[int]:
    return [int(dataset[i][stream].input_ids[0]) for i in range(len(dataset))]


def test_every_stream_goes_round_in_full_passes() -> None:
    dataset = PairedStreams({"forget": _Numbers(4), "retain": _Numbers(6)}, 12, seed=0)
    assert Counter(_drawn(dataset, "forget")) == dict.fromkeys(range(4), 3)
    assert Counter(_drawn(dataset, "retain")) == dict.fromkeys(range(6), 2)


def test_passes_differ_and_a_second_reading_is_the_same() -> None:
    dataset = PairedStreams({"retain": _Numbers(20)}, 40, seed=3)
    order = _drawn(dataset, "retain")
    assert order[:20] != order[20:]
    assert order == _drawn(PairedStreams({"retain": _Numbers(20)}, 40, seed=3), "retain")
    assert order != _drawn(PairedStreams({"retain": _Numbers(20)}, 40, seed=4), "retain")


def test_starting_in_the_middle_gives_the_same_rest() -> None:
    """A resumed run skips to where it was without replaying what came before."""
    streams = {"retain": _Numbers(7)}
    whole = _drawn(PairedStreams(streams, 30, seed=5), "retain")
    fresh = PairedStreams(streams, 30, seed=5)
    assert [int(fresh[i]["retain"].input_ids[0]) for i in range(17, 30)] == whole[17:]


def test_collator_stacks_the_streams_and_marks_them() -> None:
    dataset = PairedStreams({"forget": _Numbers(3), "retain": _Numbers(3)}, 3, seed=0)
    batch = PairCollator(pad_token_id=9)([dataset[0], dataset[1]])
    assert batch["is_forget"].tolist() == [True, True, False, False]
    assert batch["input_ids"].shape == (4, 3)
    assert batch["pixel_values"].shape == (4, 2)
    first = int(batch["input_ids"][0, 0])
    expected = [IGNORED, 1, 2] if first % 2 == 0 else [IGNORED, IGNORED, 2]
    assert batch["labels"][0].tolist() == expected


def test_encoded_samples_are_encoded_once(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmirage.align import streams

    calls: list[str] = []
    real = streams.encode_example
    monkeypatch.setattr(streams, "encode_example", lambda *args: calls.append(args[1]) or real(*args))
    encoded = EncodedSamples(tiny.samples("general"), tiny.load().processor, tiny.images)
    assert torch.equal(encoded[2].input_ids, encoded[2].input_ids)
    assert len(calls) == 1
