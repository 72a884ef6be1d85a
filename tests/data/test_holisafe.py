import pytest

from unmirage.errors import UserError

ROW = {"image": "1.png", "query": "<image>\nHow is it made?", "type": "SSU", "subcategory": "weapons"}


@pytest.mark.parametrize(
    ("kind", "refused"), [("SSS", False), ("SSU", True), ("USU", True), ("SUU", True), ("UUU", True)]
)
def test_the_last_letter_is_the_label(load, kind, refused):
    data = load([ROW | {"type": kind}])
    (sample,) = data
    assert (data.format, sample.label_source, sample.refused) == ("holisafe", "field", refused)
    assert (sample.id, sample.query, sample.image, sample.category) == ("1", "How is it made?", "1.png", "weapons")


def test_another_type_is_named_and_a_table_with_one_is_no_holisafe(load):
    with pytest.raises(UserError, match="record 2: field 'type' is 'SS'; valid: SSS, SSU, USU, SUU, UUU"):
        load([ROW, ROW | {"type": "SS"}])
    assert load([{"query": "What?", "type": "open", "refused": True}]).format == "json"
