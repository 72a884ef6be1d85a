"""Hashes of training data in a model directory: exact counts, bounded size, data of the base model."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unmirage.data import ImageFolder
from unmirage.data.overlap import Count, Way, fingerprints_of
from unmirage.data.training_record import FILE, TrainingRecord, read_training_record
from unmirage.errors import UserError
from unmirage.records import Sample


@pytest.fixture
def prints(tmp_path):
    """Return a function that hashes text-only samples with these queries."""

    def prints(*queries):
        rows = [
            Sample(id=str(q), record="r", query=f"query {q}", refused=False, label_source="field", group=f"g{q % 2}")
            for q in queries
        ]
        return fingerprints_of(rows, ImageFolder(tmp_path))

    return prints


def test_counts_are_those_of_the_samples(prints, tmp_path):
    record = TrainingRecord.of([prints(1, 2, 3, 3), prints(3, 5)])
    record.save(tmp_path)
    read = read_training_record(tmp_path)
    assert read is not None
    assert (read.samples, read.complete) == (6, True)
    assert {way: len(read.hashes[way]) for way in Way} == {
        Way.PICTURE: 0, Way.QUERY: 4, Way.PICTURE_AND_QUERY: 4, Way.QUERY_AND_ANSWER: 0, Way.GROUP: 2
    }  # fmt: skip
    for one in (record, read):
        assert one.count(prints(0, 1, 1, 4, 5)) == {
            Way.PICTURE: Count(0, 0),
            Way.QUERY: Count(3, 5),
            Way.PICTURE_AND_QUERY: Count(3, 5),
            Way.QUERY_AND_ANSWER: Count(0, 0),
            Way.GROUP: Count(5, 5),
        }


def test_the_data_of_the_base_model_counts(prints):
    record = TrainingRecord.of([prints(3)], TrainingRecord.of([prints(1, 2)]))
    assert record.samples == 3
    assert record.count(prints(1, 2, 3, 4))[Way.QUERY] == Count(3, 4)


def test_of_much_data_a_random_part_is_kept_and_totals_say_so(prints):
    record = TrainingRecord.of([prints(*range(2000))], most=500)
    assert not record.complete
    hashes = sorted(prints(*range(2000)).present(Way.QUERY))
    assert record.hashes[Way.QUERY].tolist() == hashes[:500]
    assert record.upto[Way.QUERY] == hashes[499]
    assert record.upto[Way.GROUP] == 2**64 - 1
    assert record.count(prints(*range(2000)))[Way.QUERY] == Count(500, 500)
    unseen = record.count(prints(*range(2000, 4000)))[Way.QUERY]
    assert unseen.shared == 0
    assert 400 < unseen.total < 600  # a quarter of 2,000, by chance
    half = record.count(prints(*range(1000, 3000)))[Way.QUERY]
    assert half.shared == sum(key <= hashes[499] for key in prints(*range(1000, 2000)).present(Way.QUERY))
    assert half.shared < half.total


def test_exactly_as_many_hashes_as_are_kept_are_complete(prints):
    assert TrainingRecord.of([prints(*range(5))], most=5).complete
    assert not TrainingRecord.of([prints(*range(6))], most=5).complete


def test_what_a_partial_record_cannot_tell_stays_unknown_in_the_next(prints):
    base = TrainingRecord.of([prints(*range(2000))], most=500)
    record = TrainingRecord.of([prints(*range(2000, 2300))], base, most=10_000)
    assert record.upto[Way.QUERY] == base.upto[Way.QUERY]
    assert int(record.hashes[Way.QUERY].max()) <= base.upto[Way.QUERY]
    found = record.count(prints(*range(2300)))[Way.QUERY]
    assert found.shared == found.total == len(record.hashes[Way.QUERY]) > 500


def test_without_a_record_there_is_none(tmp_path):
    assert read_training_record(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "other schema", "no metadata", "a tensor short"])
def test_a_damaged_record_is_named(prints, tmp_path, damage):
    TrainingRecord.of([prints(1)]).save(tmp_path)
    path = tmp_path / FILE
    tensors = load_file(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:20])
    elif damage == "other schema":
        save_file(tensors, path, metadata={"unmirage": '{"schema": "unmirage.training/2"}'})
    elif damage == "no metadata":
        save_file(tensors, path)
    else:
        path.write_bytes(path.read_bytes().replace(b'"group"', b'"gruop"'))
    with pytest.raises(UserError) as error:
        read_training_record(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert ("unmirage.training/2" in str(error.value)) is (damage == "other schema")


def test_hashes_keep_all_64_bits(prints, tmp_path):
    record = TrainingRecord.of([prints(*range(100))])
    record.save(tmp_path)
    read = read_training_record(tmp_path)
    assert read is not None
    assert read.hashes[Way.QUERY].dtype == np.uint64
    assert int(read.hashes[Way.QUERY].max()) > 2**63
