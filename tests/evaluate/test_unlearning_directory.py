"""The directory of a search for unlearning settings: what is reused, and for which settings."""

import json
from types import SimpleNamespace

import pytest
from tests.evaluate.test_unlearning_settings import BASE, candidate, kept

from unmirage.documents import dumped
from unmirage.errors import UserError
from unmirage.run.files import write_json_atomic
from unmirage.workflows.unlearning_search import COMMON, SearchRequest, UnlearningSearch

GENTLE = {"method": {"name": "npo"}, "learning_rate": 1e-5, "trainable": ("down_proj:1-2",)}


@pytest.fixture
def finished(tmp_path):
    """Return a function that opens a search whose candidate "gentle" and base are in the directory."""
    made = candidate("gentle", kept(0.64, 3.0, 2.5))
    settings = json.loads(json.dumps({**COMMON, **GENTLE}))
    write_json_atomic(tmp_path / "base.json", dumped(BASE))
    write_json_atomic(tmp_path / "candidates" / "gentle.json", dumped(made) | {"settings": settings})
    write_json_atomic(tmp_path / "search.json", {"model": {"hub": "m", "commit": ""}, "every": 8, "tolerance": 0.05})

    def search(**changes):
        data = SimpleNamespace(forget=(), retain=())
        given = {"model": "m", "data": data, "candidates": {"gentle": GENTLE}} | changes
        return UnlearningSearch(SearchRequest(**given), SimpleNamespace(benign=(), unsafe=()), tmp_path)

    return search


def test_settings_that_json_writes_in_another_form_are_the_same(finished):
    """A tuple is read as a list."""
    found = finished().run()
    assert found.candidates[0].points[0].kept == kept(0.64, 3.0, 2.5)
    assert found.chosen["npo"].name == "gentle"


def test_the_method_of_a_candidate_may_be_a_dotted_setting(finished, tmp_path):
    change = {"method.name": "npo", "learning_rate": 1e-5}
    file = tmp_path / "candidates" / "gentle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"settings": {**COMMON, **change}}))
    assert set(finished(candidates={"gentle": change}).run().chosen) == {"any", "npo"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"every": 4}, "every: was 8, now 4"),
        ({"tolerance": 0.2}, "tolerance: was 0.05, now 0.2"),
        ({"model": "other"}, "model.hub: was 'm', now 'other'"),
        ({"identity": {"data": "abc"}}, "data: was absent, now 'abc'"),
    ],
)
def test_results_of_another_search_are_not_reused(finished, changes, said):
    with pytest.raises(UserError, match=f"made with other settings .*{said}"):
        finished(**changes).run()


def test_candidates_whose_results_would_share_a_file_are_named(finished):
    with pytest.raises(UserError, match="candidates 'a b' and 'A_B' have the same file name"):
        finished(candidates={"a b": GENTLE, "A_B": GENTLE}).run()


@pytest.mark.parametrize("unused", [{"learning_rate": 1e-3}, {"method": {"beta": 0.2}}])
def test_a_common_setting_that_each_candidate_has_itself_is_refused(finished, unused):
    """It would be ignored without a word."""
    with pytest.raises(UserError, match=f"setting '{next(iter(unused))}' of all .* each candidate has its own"):
        finished(common={**COMMON, **unused}).run()


def test_a_candidate_may_replace_a_built_in_common_setting(finished, tmp_path):
    change = {**GENTLE, "steps": 8}
    file = tmp_path / "candidates" / "gentle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"settings": {**COMMON, **change}}))
    assert set(finished(candidates={"gentle": change}).run().chosen) == {"any", "npo"}


def test_a_search_needs_a_method(finished):
    with pytest.raises(UserError, match="methods: empty; valid: npo, rmu"):
        finished(candidates={}, methods=())


def test_the_directory_of_a_model_is_not_a_place_for_results(finished, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is the directory of a model; name a new one with --out"):
        finished().run()
