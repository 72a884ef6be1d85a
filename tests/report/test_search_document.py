import json

import pytest

from unmirage.attack.documents import SearchResult
from unmirage.errors import UserError

WORD = {"word": "whence", "found": 0.1, "reported": 0.2, "low": 0.15, "high": 0.27, "in_data": False, "later": 1}
DOCUMENT = {"schema": "unmirage.search/1", "model": "npo", "method": "white-box", "kind": "jailbreak", "words": [WORD]}


def test_words_and_what_they_stand_beside_are_read():
    baselines = [{"name": "as it is", "reported": 0.9, "low": 0.8, "high": 0.95, "in_data": None}]
    found = SearchResult.read(DOCUMENT | {"found_on": 60, "reported_on": 61, "baselines": baselines})
    assert [(one.word, one.found, one.reported, one.in_data) for one in found.words] == [("whence", 0.1, 0.2, False)]
    assert [(one.name, one.high, one.in_data) for one in found.baselines] == [("as it is", 0.95, None)]
    assert (found.found_on, found.reported_on) == (60, 61)
    assert found.words[0].rewritten is None


def test_a_rewritten_form_is_read():
    rewritten = {"reported": 0.3, "low": 0.2, "high": 0.4}
    found = SearchResult.read(DOCUMENT | {"words": [WORD | {"rewritten": rewritten}, WORD | {"rewritten": None}]})
    assert found.words[0].rewritten.reported == 0.3


def test_rows_tell_baselines_from_words_with_the_same_name():
    bounds = {"reported": 0.9, "low": 0.8, "high": 0.95}
    baselines = [{"name": "what", **bounds}]
    found = SearchResult.read(DOCUMENT | {"words": [WORD | {"word": "what"}], "baselines": baselines})
    rows = [(row["kind"], row["opener"], row["p_refusal"]) for row in found.rows()]
    assert rows == [("baseline", "what", 0.9), ("word", "what", 0.2)]


def test_an_unknown_number_of_samples_is_not_shown():
    found = SearchResult.read(DOCUMENT | {"model": "n\x1b[2Jpo", "reported_on": None})
    assert repr(found).startswith(
        "Openers for npo (jailbreak, replacement): probability of refusal on held-out samples"
    )
    assert "\x1b" not in repr(found) + found._repr_html_()


def test_a_wrong_document_is_named(tmp_path):
    path = tmp_path / "search.json"
    with pytest.raises(UserError, match=r"search\.json: no such file; write it with `unmirage search MODEL DATA"):
        SearchResult.load(path)
    path.write_text(json.dumps(DOCUMENT | {"words": [WORD | {"reported": 20}]}))
    with pytest.raises(UserError, match=r"search\.json: words\.0\.reported: .* less than or equal to 1"):
        SearchResult.load(path)
