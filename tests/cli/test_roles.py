"""The command and the API reject a forget set of refusals or benign queries, and train on pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import unmirage as um

FEW = ("--batch-size", "2", "--steps", "1")


@pytest.fixture
def files(tiny, tmp_path: Path) -> dict[str, Path]:
    """Return files of refusals, harmful responses, benign responses, and pairs of the first two."""
    safety = tiny.samples("safety")
    unsafe = [{"id": one.id, "query": one.query, "image": one.image} for one in safety if one.refused][:6]
    benign = [
        {"query": one.query, "image": one.image, "answer": one.answer, "refused": False}
        for one in safety
        if not one.refused
    ]
    good, bad = "I cannot help with that.", "You need amber, moss and tin."
    rows = {
        "refusals": [{**one, "answer": good, "refused": True} for one in unsafe],
        "harmful": [{**one, "answer": bad, "refused": True} for one in unsafe],
        "benign": benign[:6],
        "pairs": [{"question": one["query"], "image": one["image"], "chosen": good, "rejected": bad} for one in unsafe],
    }
    found = {name: tmp_path / f"{name}.json" for name in rows}
    for name, file in found.items():
        file.write_text(json.dumps(rows[name]), encoding="utf-8")
    return found


def unlearn(tiny, forget: Path, retain: Path, out: Path, *more: str) -> tuple[object, ...]:
    sets = ("--forget", forget, "--retain", retain, "--images", tiny.data)
    return ("align", tiny.model, "--method", "npo", *sets, "--out", out, *FEW, *more)


def test_refusals_in_the_forget_set_stop_and_leave_nothing(unmirage, tiny, files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = unlearn(tiny, files["refusals"], files["benign"], out)
    code, _, err = unmirage(*command)
    assert code == 2
    assert "6 of 6 answers of the forget set are refusals" in err
    assert not out.exists()
    assert not out.with_name("out.work").exists()
    code, _, err = unmirage(*command, "--allow", "refusals")
    assert code == 0, err
    assert "forget: 6 rows: 6 refusals (100\u00a0%)" in err
    with pytest.raises(um.UserError, match="6 of 6 answers of the forget set are refusals"):
        um.align(tiny.model, "npo", forget=files["refusals"], retain=files["benign"], out=tmp_path / "api", steps=1)
    given = {"forget": files["refusals"], "retain": files["benign"], "images": tiny.data, "steps": 1}
    um.align(tiny.model, "npo", out=tmp_path / "api", allow="refusals", **given)


def test_swapped_sets_stop_in_align_and_in_the_study(unmirage, tiny, files, tmp_path: Path, text_encoder) -> None:
    said = "6 of 6 queries of the forget set are labeled benign"
    code, _, err = unmirage(*unlearn(tiny, files["benign"], files["harmful"], tmp_path / "out"))
    assert (code, said in err) == (2, True)
    study = (
        "study", "unlearning", "--model", tiny.model, "--forget", files["benign"], "--retain", files["harmful"],
        "--validation", tiny.data / "test.json", "--encoder", text_encoder, "--images", tiny.data,
        "--out", tmp_path / "search",
    )  # fmt: skip
    code, _, err = unmirage(*study)
    assert (code, said in err) == (2, True)
    assert not (tmp_path / "search").exists()


def test_the_dry_run_prints_shares_and_what_would_stop(unmirage, tiny, files) -> None:
    sets = ("--forget", files["refusals"], "--retain", files["refusals"], "--images", tiny.data)
    code, out, err = unmirage("align", tiny.model, "--method", "npo", *sets, *FEW, "--dry-run")
    assert code == 0, err
    assert "- forget: 6 rows: 6 refusals (100\u00a0%)" in out
    assert "forget and retain: 6 of 6 rows of the forget set have a query and answer of the retain set" in out
    assert "training will reject it" in err
    code, out, err = unmirage("align", tiny.model, "--method", "npo", *sets, *FEW, "--dry-run", "--json")
    assert code == 0, err
    roles = {one["name"]: one for one in json.loads(out)["roles"]}
    assert (roles["forget"]["refusals"], roles["forget"]["rows"]) == (6, 6)


def test_pairs_train_alone_and_with_a_retain_set(unmirage, tiny, files, tmp_path: Path) -> None:
    command = ("align", tiny.model, "--method", "dpo", "--pairs", files["pairs"], "--images", tiny.data, *FEW)
    code, _, err = unmirage(*command, "--set", "method.loss=ipo", "--out", tmp_path / "alone")
    assert code == 0, err
    assert "chosen: 6 rows: 6 refusals" in err
    made = json.loads((tmp_path / "alone" / "unmirage_align.json").read_text())["settings"]["method"]
    assert (made["loss"], made["gamma"]) == ("ipo", 0.0)
    um.align(
        tiny.model, um.DPO(), pairs=files["pairs"], retain=files["benign"], images=tiny.data, out=tmp_path / "both",
        steps=1, batch_size=2,
    )  # fmt: skip
    log = [json.loads(line) for line in (tmp_path / "both.work" / "log.jsonl").read_text().splitlines()]
    assert set(log[0]["parts"]) == {"forget", "cross_entropy"}
    code, _, err = unmirage(*command[:2], "--method", "npo", *command[4:], "--out", tmp_path / "npo")
    assert code == 2
    assert "pairs: method 'npo' does not learn from pairs; valid: dpo" in err


def test_unknown_names_to_allow(unmirage, tiny, files, tmp_path: Path) -> None:
    code, _, err = unmirage(*unlearn(tiny, files["harmful"], files["benign"], tmp_path / "o", "--allow", "all"))
    assert code == 2
    assert "unknown allow 'all'; valid: benign, refusals" in err
