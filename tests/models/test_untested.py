"""The list of tested model types is that of the tests' models."""

from tests.models.tiny_families import FAMILIES

from unmirage.models.untested import TESTED, why_untested


def test_the_tested_types_are_those_of_the_tests():
    models = [make()[0] for make in FAMILIES.values()]
    assert {model.config.model_type for model in models} == TESTED
    assert not any(map(why_untested, models))
    models[0].config.model_type = "new_vl"
    assert why_untested(models[0]).startswith("model type 'new_vl' is not among those that unmirage is tested with")
