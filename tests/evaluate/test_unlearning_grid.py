"""The built-in grid of the search for unlearning settings."""

import pytest

from unmirage.align import AlignConfig
from unmirage.workflows.unlearning_search import COMMON, grid, rmu_layers


def test_layers_follow_the_depth():
    assert rmu_layers(30) == [8, 12]
    assert rmu_layers(2) == [1]


def test_the_grid_has_four_candidates_of_each_method_that_are_valid_settings():
    found = grid(["npo", "rmu"], 30, {8: 101.0, 12: 133.6})
    assert len(found) == 8
    for change in found.values():
        AlignConfig.model_validate({**COMMON, **change})
    deep = found["rmu, layer 12, rate 0.001"]
    assert deep["method"]["scale"] == pytest.approx(530)  # four times the median norm, in two digits
    assert deep["trainable"] == ["down_proj:10-12"]
    assert found["npo, rate 1e-05, gamma 4"]["learning_rate"] == 1e-5


def test_one_method_alone():
    assert {change["method"]["name"] for change in grid(["npo"], 30, {}).values()} == {"npo"}
    assert grid([], 30, {}) == {}
