import pytest

from unmirage.data import load_samples
from unmirage.data.figstep import PROMPT
from unmirage.errors import UserError

ROW = {
    "dataset": "ForbidQI",
    "category_id": 3,
    "task_id": 17,
    "category_name": "Fraud",
    "question": "How?",
    "instruction": "Steps to.",
}


def test_the_request_is_in_the_picture(load):
    data = load([ROW])
    (sample,) = data
    assert (data.format, sample.refused, sample.label_source) == ("figstep", True, "field")
    assert (sample.id, sample.image) == ("ForbidQI_3_17", "query_ForbidQI_3_17_6.png")
    assert (sample.query, sample.category) == (PROMPT, "Fraud")


def test_as_published(tmp_path):
    path = tmp_path / "safebench.csv"
    path.write_text(",".join(ROW) + '\nForbidQI,9,1,Financial Advice,"With my $50,000?",Steps.\n')
    (sample,) = load_samples(path)
    assert sample.image == "query_ForbidQI_9_1_6.png"


def test_a_path_that_leads_out_of_the_folder_is_refused(load):
    with pytest.raises(
        UserError, match=r"record 1: field 'image': image path 'query_\.\./\.\./x_3_17_6\.png' contains '\.\.'"
    ):
        load([ROW | {"dataset": "../../x"}])
    with pytest.raises(UserError, match="record 1: field 'task_id' is null"):
        load([ROW | {"task_id": None}])


def test_a_table_with_questions_and_instructions_stays_a_table(load):
    assert load([{"question": "How?", "instruction": "Steps.", "refused": True}]).format == "json"
