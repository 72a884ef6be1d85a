from unmirage.text.replies import json_values


def test_values_are_found_between_words_and_not_inside_one_another():
    text = 'So {this} is [1, {"a": {"b": 2}}], and {"c": [3]}; the end {'
    assert list(json_values(text, "{")) == [{"a": {"b": 2}}, {"c": [3]}]
    assert list(json_values(text, "[{")) == [[1, {"a": {"b": 2}}], {"c": [3]}]


def test_only_the_first_fifty_brackets_are_tried():
    assert list(json_values("{ " * 49 + '{"a": 1}', "{")) == [{"a": 1}]
    assert list(json_values("{ " * 50 + '{"a": 1}', "{")) == []


def test_text_nested_too_deeply_is_no_value():
    assert list(json_values("[" * 200_000, "[{")) == []
