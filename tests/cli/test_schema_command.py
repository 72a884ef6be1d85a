"""`unmirage schema`."""

import json

from unmirage.documents import DOCUMENTS


def test_documents_are_listed_with_file_and_command(unmirage):
    code, out, _ = unmirage("schema")
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.split()[:1] and line.split()[0] in DOCUMENTS]
    assert [line[0] for line in lines] == list(DOCUMENTS)
    assert lines[-2][:5] == ["results", "results.json", "unmirage", "evaluate", "RUN"]


def test_a_schema_is_json(unmirage):
    code, out, _ = unmirage("schema", "results")
    schema = json.loads(out)
    assert code == 0
    assert schema["properties"]["schema"]["const"] == "unmirage.results/2"
    assert set(schema["required"]) == {"seeds", "judge", "models"}
    assert "clustered_by" not in schema["$defs"]["ModelResults"]["properties"]


def test_an_unknown_document_suggests_the_nearest(unmirage):
    code, _, err = unmirage("schema", "result")
    assert code == 2
    assert err == (
        "unmirage: unknown document 'result'; valid: audit, calibration, explain, prepare, results, search. "
        "Did you mean 'results'?\n"
    )
