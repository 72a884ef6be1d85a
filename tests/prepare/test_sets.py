"""The written sets: rows with their provenance, pictures beside them, and a retain set that is drawn by seed."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from unmirage.data import ImageFolder, load_samples, open_samples, write_samples
from unmirage.errors import UserError
from unmirage.prepare import Assessment, Candidate, PrepareConfig
from unmirage.prepare.plan import plan
from unmirage.prepare.sets import Readable, Source, copy_pictures, retained, write_forget, write_retain
from unmirage.records import Placed, Turn, Verdict


@pytest.fixture
def source(tmp_path, sample):
    """Return a function that writes samples to a file of its own folder, pictures included, as a source."""

    def make(name, samples):
        folder = tmp_path / name
        for number, one in enumerate(samples):
            if one.image:
                (folder / one.image).parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / one.image)
        write_samples(samples, folder / "data.jsonl")
        return Source.of(open_samples(folder / "data.jsonl"), name)

    return make


def keep(source, general=None, **config):
    config = PrepareConfig(**config)
    planned = plan(source.file, config, general=general is not None)
    return retained(planned, source.file.pictures, general.file if general else None, config.seed)


@pytest.fixture
def data(source, sample):
    return source(
        "data",
        [sample("bad", refused=True, answer="No."), *(sample(f"d{n}", image=f"sub/{n}.png") for n in range(6))],
    )


@pytest.fixture
def general(source, sample):
    """Return 200 general samples, of which every fifth is refused, and every tenth has no answer."""
    return source(
        "general",
        [
            sample(f"g{n}", refused=n % 5 == 0, answer="" if n % 10 == 1 else "So.", image=f"{n}.png")
            for n in range(200)
        ],
    )


def test_all_safe_samples_are_kept_and_topped_up_to_the_size(data, general):
    found = keep(data, general, retain_size=50)
    assert [one.id for one in found.data] == [f"d{n}" for n in range(6)]
    assert len(found.general) == 44
    assert not any(one.refused or not one.answer for one in found.general)
    assert keep(data).general == []
    assert len(keep(data, retain_size=4).data) == 4
    assert keep(data, general, retain_size=6).general == []


def test_where_there_are_too_few_all_are_taken(data, general):
    assert len(keep(data, general).general) == 140


def test_the_draw_depends_on_the_seed_alone(data, general):
    ids = [[one.id for one in keep(data, general, retain_size=20, seed=seed).general] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_samples_whose_picture_cannot_be_read_are_left_out_or_passed_over(data, general):
    root = data.file.source.parent
    (root / "sub" / "2.png").write_bytes((root / "sub" / "2.png").read_bytes()[:40])
    for n in range(2, 200, 2):
        (general.file.source.parent / f"{n}.png").unlink()
    found = keep(data, general, retain_size=30)
    assert [one.id for one in found.data] == ["d0", "d1", "d3", "d4", "d5"]
    assert found.unreadable.count == 1
    assert "sample 'd2': image 'sub/2.png' is not a readable picture" in found.unreadable.first
    assert len(found.general) == 25
    assert all(int(one.id[1:]) % 2 for one in found.general)
    assert found.passed_over.count > 0


def test_pictures_of_links_that_leave_the_folder_are_not_copied(data, tmp_path):
    outside = tmp_path / "outside.png"
    Image.new("RGB", (8, 8)).save(outside)
    link = data.file.source.parent / "sub" / "3.png"
    link.unlink()
    link.symlink_to(outside)
    found = keep(data)
    assert found.unreadable.count == 1
    assert "leaves the image folder" in found.unreadable.first
    with pytest.raises(UserError, match="leaves the image folder"):
        copy_pictures(tmp_path / "sets", [(data, list(data.file))])


def test_rows_say_where_they_come_from_and_pictures_lie_beside_them(tmp_path, data, general, sample, response):
    # Both sources have a sample of one id, and a picture of one name.
    twin = sample("d1", image="sub/1.png")
    folder = tmp_path / "sets"
    parts = [(data, keep(data).data), (general, [twin])]
    (tmp_path / "general" / "sub").mkdir()
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "general" / "sub" / "1.png")
    copy_pictures(folder, parts)
    write_retain(folder, parts)
    read = load_samples(folder / "retain.jsonl")
    assert [one.id for one in read] == [*(f"d{n}" for n in range(6)), "d1#2"]
    images = ImageFolder(read.image_root)
    assert images.open(read.samples[-1].image).getpixel((0, 0)) == (0, 0, 255)
    assert images.open(read.samples[1].image).getpixel((0, 0)) == (2, 0, 0)
    rows = [json.loads(line) for line in (folder / "retain.jsonl").read_text().splitlines()]
    assert rows[-1]["provenance"] == {"source": str(general.file.source), "sha256": general.sha256, "id": "d1"}
    assert len(general.sha256) == 64


def test_the_forget_set_holds_who_answered_and_who_chose(tmp_path, data, response):
    candidate = Candidate(response("q", "Mix it.", "llava"), Assessment(verdict=Verdict.COMPLIED, harm=4, why="w"))
    write_forget(tmp_path, list(data.file), data, {"bad": candidate}, "judge")
    (row,) = [json.loads(line) for line in (tmp_path / "forget.jsonl").read_text().splitlines()]
    assert (row["id"], row["answer"], row["refused"]) == ("bad", "Mix it.", True)
    assert row["provenance"] == {
        "source": str(data.file.source), "sha256": data.sha256, "id": "bad", "answered_by": "llava", "finished": True,
        "judge": "judge", "verdict": "complied", "harm": 4, "why": "w",
    }  # fmt: skip
    assert load_samples(tmp_path / "forget.jsonl").samples[0].answer == "Mix it."


def test_pictures_are_copied_byte_by_byte_and_once(tmp_path, data):
    steps = []
    for _ in range(2):
        copy_pictures(tmp_path / "sets", [(data, list(data.file))], lambda *at: steps.append(at))
    copied = {path.name: path.read_bytes() for path in (tmp_path / "sets").rglob("*.png")}
    assert copied == {path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*.png")}
    assert Counter(total for _, total in steps) == {6: 12}


def test_pictures_within_a_table_become_files(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    Image.new("RGB", (8, 8), "green").save(tmp_path / "p.png")
    content = (tmp_path / "p.png").read_bytes()
    pictures = pa.array([{"bytes": content, "path": "../x.png"}])
    pq.write_table(pa.table({"query": ["What?"], "answer": ["Green."], "image": pictures}), tmp_path / "t.parquet")
    source = Source.of(open_samples(tmp_path / "t.parquet"), "data")
    copy_pictures(tmp_path / "sets", [(source, list(source.file))])
    assert (tmp_path / "sets" / "images" / "data" / "row-000001.png").read_bytes() == content


def test_all_pictures_of_a_conversation_are_copied_and_their_paths_follow(source, sample, tmp_path):
    own = source("data", [sample(f"d{n}", image=f"{n}.png") for n in range(4)])
    turn = Turn("user", "What is it?", (Placed("0.png", 0),))
    kept = sample(
        "talk", image="0.png", images=(Placed("1.png", 3), Placed("2.png", 5)),
        context=(Turn("system", "Be kind."), turn, Turn("assistant", "A dog.")),
    )  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    copy_pictures(out, [(own, [kept])])
    write_retain(out, [(own, [kept])])
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        f"images/data/{n}.png" for n in range(3)
    ]
    (row,) = [json.loads(line) for line in (out / "retain.jsonl").read_text().splitlines()]
    assert row["image"] == "images/data/0.png"
    assert row["images"] == [{"image": "images/data/1.png", "at": 3}, {"image": "images/data/2.png", "at": 5}]
    assert [one["images"] for one in row["context"]] == [[], [{"image": "images/data/0.png", "at": 0}], []]
    assert [one["text"] for one in row["context"]] == ["Be kind.", "What is it?", "A dog."]
    broken = replace(kept, context=(replace(turn, images=(Placed("gone.png", 0),)),))
    readable = Readable(own.file.pictures)
    assert readable(kept)
    assert not readable(broken)
    assert readable.count == 1
