"""Errors of servers, read from their bodies alone: content filters and unsupported parameters."""

import pytest

from unmirage.models.endpoint.client import Trouble
from unmirage.models.endpoint.parameters import Parameters
from unmirage.models.endpoint.rejections import is_block, unsupported

NAMES = ("max_tokens", "temperature", "seed")


def test_a_filtered_category_is_a_block():
    filtered = {"error": {"message": "no", "results": {"hate": {"filtered": True}}}}
    assert is_block(filtered, 500)
    assert not is_block({"error": {"message": "no", "results": {"hate": {"filtered": False}}}}, 500)


@pytest.mark.parametrize(("kind", "found"), [("extra_forbidden", "seed"), ("int_parsing", None)])
def test_only_an_extra_field_is_unsupported_by_its_place(kind, found):
    assert unsupported({"detail": [{"loc": ["body", "seed"], "type": kind, "msg": "wrong"}]}, NAMES) == found


def test_the_parameter_named_first_is_the_unsupported_one():
    said = {"error": {"message": "'temperature' is not supported together with seed; see max_tokens"}}
    assert unsupported(said, NAMES) == "temperature"


@pytest.mark.parametrize(("status", "learned"), [(400, True), (422, True), (None, True), (500, False), (429, False)])
def test_parameters_are_learned_from_errors_about_the_request_only(status, learned):
    trouble = Trouble("", status=status, document={"error": {"message": "seed is not supported"}})
    assert Parameters((), "http://x").learn(trouble, {"seed": 1}) is learned
