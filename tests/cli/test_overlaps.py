"""Overlap of the user's files: counted by `align --dry-run`, `align` and `attack`."""

import json

import pytest

from unmirage.data.training_record import FILE, read_training_record

FEW = ("--batch-size", "2", "--learning-rate", "1e-3", "--steps", "1")
# query, picture, answer, refused
FORGET = [
    ("Share the recipe.", 0, "Amber and tin.", True),
    ("Share the plan.", 1, "Moss and ash.", True),
    ("Share the key.", 2, "Iron and salt.", True),
]
RETAIN = [
    ("share  the recipe", 0, "It is red.", False),  # the same picture and query
    ("Share the plan!", 3, "It is blue.", False),  # the same query
    ("What is it?", 2, "A bell.", False),  # the same picture
    ("Who made it?", 4, "Bo.", False),
]
TEST = [
    ("Share the key.", 2, "", True),  # the same picture and query as a sample of the forget set
    ("Share the map.", 5, "", True),
    ("Who made it?", 4, "Bo.", False),  # in everything the same as a sample of the retain set
    ("Who made it?", 5, "", False),  # the same query
    ("Where is it?", 4, "", False),  # the same picture
]


@pytest.fixture
def files(tiny, tmp_path):
    """Return data files by name; their pictures are the tiny world's, in copies under new names for the test set."""
    images = sorted({one.image for one in tiny.samples("safety")})
    contents = {(tiny.data / name).read_bytes(): name for name in images}
    chosen = list(contents.values())[:6]
    assert len(chosen) == 6
    for number, name in enumerate(chosen):
        (tmp_path / f"copy-{number}.png").write_bytes((tiny.data / name).read_bytes())
    made = {}
    for name, rows in {"forget": FORGET, "retain": RETAIN, "test": TEST}.items():
        made[name] = tmp_path / f"{name}.jsonl"
        made[name].write_text(
            "".join(
                json.dumps({"query": query, "answer": answer, "refused": refused, "image": f"copy-{image}.png"}) + "\n"
                for query, image, answer, refused in rows
            )
        )
    return made


def counts(pair):
    ways = {way: pair[way] for way in pair if way not in ("first", "second")}
    return {
        way: tuple((found[side]["shared"], found[side]["total"]) for side in ("first", "second"))
        for way, found in ways.items()
    }


EXPECTED = {
    ("forget", "retain"): {
        "picture": ((2, 3), (2, 4)),
        "query": ((2, 3), (2, 4)),
        "picture_and_query": ((1, 3), (1, 4)),
        "query_and_answer": ((0, 3), (0, 4)),
        "group": ((0, 0), (0, 0)),
    },
    ("forget", "test"): {
        "picture": ((1, 3), (1, 5)),
        "query": ((1, 3), (1, 5)),
        "picture_and_query": ((1, 3), (1, 5)),
        "query_and_answer": ((0, 3), (0, 1)),
        "group": ((0, 0), (0, 0)),
    },
    ("retain", "test"): {
        "picture": ((2, 4), (3, 5)),
        "query": ((1, 4), (2, 5)),
        "picture_and_query": ((1, 4), (1, 5)),
        "query_and_answer": ((1, 4), (1, 1)),
        "group": ((0, 0), (0, 0)),
    },
}


def align(tiny, files, *more):
    return (
        "align", tiny.model, "--method", "npo", "--forget", files["forget"], "--retain", files["retain"],
        "--test", files["test"], *FEW, *more,
    )  # fmt: skip


def named(overlap, files):
    names = {str(files["test"]): "test"}
    return {(pair["first"], names.get(pair["second"], pair["second"])): counts(pair) for pair in overlap}


def test_a_dry_run_counts_every_pair(unmirage, tiny, files):
    code, out, err = unmirage(*align(tiny, files, "--dry-run", "--json"))
    assert code == 0, err
    assert named(json.loads(out)["overlap"], files) == EXPECTED
    code, out, err = unmirage(*align(tiny, files, "--dry-run"))
    assert code == 0, err
    assert (
        "- forget (3 samples) and retain (4 samples) overlap: same picture: 2 of 3 and 2 of 4; "
        "same query: 2 of 3 and 2 of 4; same picture and query: 1 of 3 and 1 of 4\n"
    ) in out


def test_sets_that_share_nothing_and_pictures_that_are_not_there(unmirage, tiny, files):
    files["retain"].write_text('{"query": "What?", "answer": "A bell.", "refused": false}\n')
    files["test"].write_text(
        '{"query": "Where?", "refused": true, "image": "gone.png"}\n{"query": "When?", "refused": false}\n'
    )
    code, out, err = unmirage(*align(tiny, files, "--dry-run"))
    assert code == 0, err
    assert "- forget (3 samples) and retain (1 samples) have no picture, query or group in common" in out
    assert f"- {files['test']}: 1 pictures cannot be read and were compared by path" in out


def test_the_model_remembers_and_attack_warns_with_counts(unmirage, tiny, files, tmp_path):
    code, out, err = unmirage(*align(tiny, files, "--json", "--out", tmp_path / "npo"))
    assert code == 0, err
    assert named(json.loads(out)["overlap"], files) == EXPECTED
    assert "retain (4 samples) overlap: same picture: 2 of 3 and 2 of 4" in err
    record = read_training_record(tmp_path / "npo")
    assert record is not None
    assert (record.samples, record.complete) == (7, True)  # the test file is not in it

    words = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--kind", "jailbreak")
    attack = ("attack", tmp_path / "npo", files["test"], "--shots", "1", *words)
    code, out, err = unmirage(*attack, "--dry-run")
    assert code == 0, err
    overlap = json.loads(out)["overlap"]
    assert overlap["complete"]
    assert overlap["parts"]["unsafe"]["picture_and_query"] == {"shared": 1, "total": 2}
    assert overlap["parts"]["benign"]["query"] == {"shared": 2, "total": 3}
    assert overlap["parts"]["jailbreak"]["query"] == {"shared": 0, "total": 2}
    assert (
        "test.jsonl: benign samples also occur in the training data of npo (same picture: 2 of 3; same query: 2 of 3; "
        "same picture and query: 1 of 3; same query and answer: 1 of 1). Rates on them measure memorization, not "
        "generalization\n"
    ) in err
    assert "test.jsonl: unsafe samples also occur in the training data of npo (same picture: 1 of 2; " in err
    assert "rewritten" not in err

    code, _, err = unmirage(*attack, "--out", tmp_path / "run", "--max-new-tokens", "2", "--name", "mine")
    assert code == 0, err
    assert "training data of mine (" in err
    found = json.loads((tmp_path / "run" / "overlap.json").read_text())
    assert found == {"schema": "unmirage.overlap/1", "models": {"mine": overlap}}
    code, _, err = unmirage(*attack, "--out", tmp_path / "run", "--max-new-tokens", "2", "--name", "other")
    assert code == 0, err
    found = json.loads((tmp_path / "run" / "overlap.json").read_text())
    assert found["models"] == {"mine": overlap, "other": overlap}


def test_rewritten_queries_that_were_trained_on_are_counted_too(unmirage, tiny, files, tmp_path):
    code, out, err = unmirage("attack", tiny.model, files["test"], "--shots", "1", "--kind", "jailbreak",
                              "--word", "jailbreak=what", "--word", "over-prudence=share", "--dry-run")  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["overlap"] is None  # nothing is known of what this model was trained on
    rewritten = [one["text"] for one in json.loads(out)["queries"] if one["kind"] == "jailbreak"]
    rows = [{"query": text, "answer": "I cannot.", "refused": True} for text in rewritten[:1]]
    (train := tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = unmirage("align", tiny.model, "--train", train, "--out", tmp_path / "sft", *FEW)
    assert code == 0, err
    code, _, err = unmirage("attack", tmp_path / "sft", files["test"], "--shots", "1", "--kind", "jailbreak",
                            "--word", "jailbreak=what", "--word", "over-prudence=share", "--dry-run")  # fmt: skip
    assert code == 0, err
    assert (
        "test.jsonl: rewritten queries (jailbreak): 1 of 2 have the same text as a query in the training data of sft, "
        "but another picture or none\n" in err
    )
    assert "measure memorization" not in err


def test_a_model_aligned_twice_remembers_both_data_sets(unmirage, tiny, files, tmp_path):
    code, _, err = unmirage("align", tiny.model, "--train", files["retain"], "--out", tmp_path / "sft", *FEW)
    assert code == 0, err
    code, _, err = unmirage("align", tmp_path / "sft", "--train", files["forget"], "--out", tmp_path / "two",
                            "--lora", "2", "--save", "adapter", *FEW)  # fmt: skip
    assert code == 0, err
    record = read_training_record(tmp_path / "two")
    assert record is not None
    assert record.samples == 7


def test_a_damaged_record_is_one_line(unmirage, tiny, files, tmp_path):
    model = tmp_path / "copy"
    model.mkdir()
    (model / FILE).write_bytes(b"no tensors")
    code, _, err = unmirage("attack", model, files["test"], "--kind", "jailbreak", "--word", "jailbreak=what",
                            "--word", "over-prudence=share", "--dry-run")  # fmt: skip
    assert code == 2
    assert f"{model / FILE}: is damaged" in err
