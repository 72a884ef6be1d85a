"""`unmirage schema`."""

import json

from unmirage.documents import DOCUMENTS


def test_documents_are_listed_with_file_and_command(unmirage):
    code, out, _ = unmirage("schema")
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.split()[:1] and line.split()[0] in DOCUMENTS]
    assert [line[0] for line in lines] == list(DOCUMENTS)
    assert ["results", "results.json", "unmirage", "evaluate", "RUN"] in [line[:5] for line in lines]


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
    assert err == (f"unmirage: unknown document 'result'; valid: {', '.join(DOCUMENTS)}. Did you mean 'results'?\n")
