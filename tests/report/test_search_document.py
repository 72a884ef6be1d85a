import json

import pytest

from unmirage.errors import UserError
from unmirage.report.search_document import read_search, search_of

WORD = {"word": "whence", "found": 0.1, "reported": 0.2, "low": 0.15, "high": 0.27, "in_data": False, "later": 1}
DOCUMENT = {"schema": "unmirage.search/1", "model": "npo", "method": "white-box", "kind": "jailbreak", "words": [WORD]}


def test_words_and_what_they_stand_beside_are_read():
    baselines = [{"name": "as it is", "reported": 0.9, "low": 0.8, "high": 0.95, "in_data": None}]
    found = read_search(DOCUMENT | {"found_on": 60, "reported_on": 61, "baselines": baselines})
    assert [(one.word, one.found, one.reported, one.data_said) for one in found.words] == [("whence", 0.1, 0.2, "no")]
    assert [(one.name, one.high, one.data_said) for one in found.baselines] == [("as it is", 0.95, "n/a")]
    assert found.settings == [("found on", "60"), ("reported on", "61")]
    assert not found.with_rewritten


def test_a_rewritten_form_is_seen():
    rewritten = {"reported": 0.3, "low": 0.2, "high": 0.4}
    found = read_search(DOCUMENT | {"words": [WORD | {"rewritten": rewritten}, WORD | {"rewritten": None}]})
    assert found.with_rewritten
    assert found.words[0].rewritten.reported == 0.3


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, "yes"), (12, "12"), ("rare", "rare"), ({"refused": 3, "answered": 1}, "refused 3, answered 1")],
)
def test_whatever_is_said_of_the_data_is_shown(value, said):
    assert read_search(DOCUMENT | {"words": [WORD | {"in_data": value}]}).words[0].data_said == said


def test_a_wrong_document_is_named(tmp_path):
    path = tmp_path / "search.json"
    assert search_of(path) is None
    path.write_text(json.dumps(DOCUMENT | {"words": [WORD | {"reported": 20}]}))
    with pytest.raises(UserError, match=r"search\.json: words\.0\.reported: .* less than or equal to 1"):
        search_of(path)
