"""`unmirage search` and `unmirage explain`, and what `attack` makes of a searched word."""

import json

FEW = ("--max-new-tokens", "3")


def test_a_searched_word_is_attacked_with_on_samples_new_to_it(unmirage, tiny, tmp_path):
    words, data = tmp_path / "words.json", tiny.data / "test.json"
    (tmp_path / "list.txt").write_text("what\ntell\nzebra\nlist\n")
    code, out, err = unmirage(
        "search",
        tiny.model,
        data,
        "--out",
        words,
        "--method",
        "black-box",
        "--words",
        tmp_path / "list.txt",
        "--top",
        "2",
    )
    assert code == 0, err
    assert "no opener" in out
    document = json.loads(words.read_text())
    assert document["schema"] == "unmirage.search/1"
    assert (document["found_on"], document["reported_on"]) == (6, 6)
    assert {one["word"] for one in document["words"]} <= {"what", "tell", "zebra", "list"}
    best = document["words"][0]["word"]
    run = tmp_path / "run"
    code, _, err = unmirage(
        "attack", tiny.model, data, "--search-result", words, "--out", run, *FEW, "--kind", "jailbreak", "--dry-run"
    )
    assert code == 0, err
    code, out, err = unmirage(
        "attack", "none", data, "--search-result", words, "--out", run, "--kind", "jailbreak", "--dry-run"
    )
    queries = json.loads(out)["queries"]
    attacked = {one["id"].split("|")[0] for one in queries if one["kind"] == "jailbreak"}
    assert len(attacked) == 6
    assert all(one["text"].lower().startswith(best) for one in queries if one["kind"] == "jailbreak")
    code, _, err = unmirage(
        "attack", tiny.model, data, "--search-result", words, "--out", run, *FEW, "--kind", "jailbreak"
    )
    assert code == 0, err
    assert json.loads((run / "search.json").read_text()) == document
    assert unmirage("evaluate", run)[0] == 0
    assert unmirage("report", run)[0] == 0
    assert 'id="search"' in (run / "report.html").read_text()


def test_explain_goes_into_a_run_s_report(unmirage, tiny, tmp_path):
    run, data = tmp_path / "run", tiny.data / "test.json"
    common = ("--word", "jailbreak=what", "--kind", "jailbreak")
    assert unmirage("attack", tiny.model, data, "--out", run, *FEW, *common)[0] == 0
    code, out, err = unmirage("explain", tiny.model, data, "--run", run, "--limit", "3", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["n"] == len(document["queries"]) == 3
    first = document["queries"][0]
    assert [first["text"][word["start"] : word["end"]] for word in first["words"]] == [
        w["word"] for w in first["words"]
    ]
    assert unmirage("evaluate", run)[0] == 0
    assert unmirage("report", run)[0] == 0
    assert 'id="explain"' in (run / "report.html").read_text()
    code, out, _ = unmirage("explain", tiny.model, data, "--limit", "3")
    assert code == 0
    assert "refuses with probability" in out


def test_a_broken_picture_leaves_its_sample_out(unmirage, tiny, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    rows = [
        {"query": f"Share thing {n}.", "answer": "I cannot.", "refused": True, "image": "bad.png" if n == 0 else None}
        for n in range(4)
    ]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(rows))
    code, out, err = unmirage("explain", tiny.model, data)
    assert code == 4
    assert "1 samples are left out" in err
    assert "of 3 queries" in out.replace("\n", " ")


def test_a_file_that_is_no_search_is_named(unmirage, tiny, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("{}")
    code, _, err = unmirage(
        "attack", tiny.model, tiny.data / "test.json", "--search-result", other, "--out", tmp_path / "r"
    )
    assert code == 2
    assert "other.json: schema is missing; valid: 'unmirage.search/1', written by `unmirage search MODEL DATA" in err
    other.write_text(
        '{"schema": "unmirage.search/1", "model": "m", "method": "black-box", "kind": "jailbreak", "words": []}'
    )
    code, _, err = unmirage(
        "attack", tiny.model, tiny.data / "test.json", "--search-result", other, "--out", tmp_path / "r"
    )
    assert code == 2
    assert "other.json: field 'words' is missing. Create the file with `unmirage search MODEL DATA --out FILE`." in err
