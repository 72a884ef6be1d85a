import io
from pathlib import Path

import pytest
from PIL import Image

from unmirage.data import load_samples, open_samples
from unmirage.data.hub import hub_data
from unmirage.data.source import strict
from unmirage.errors import UserError

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Disable downloads, and keep caches in the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def picture(width):
    file = io.BytesIO()
    Image.new("RGB", (width, 2)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a dataset of two splits with images."""
    features = datasets.Features(
        {"query": datasets.Value("string"), "label": datasets.Value("int64"), "image": datasets.Image()}
    )
    (tmp_path / "set").mkdir()
    for split, start in (("train", 1), ("test", 11)):
        images = [{"bytes": picture(start + n), "path": "/etc/x.png"} for n in range(3)]
        columns = {"query": ["a", "b", "c"], "label": [1, 0, 1], "image": [images[0], None, images[2]]}
        datasets.Dataset.from_dict(columns, features).to_parquet(tmp_path / "set" / f"{split}.parquet")
    return tmp_path / "set"


def test_a_folder_is_read_as_the_hub_would_be(folder):
    file = open_samples(f"hf:{folder}")
    for _ in range(2):
        assert [(s.id, s.query, s.refused, s.image) for s in file] == [
            ("1", "a", True, "row-000001.png"),
            ("2", "b", False, None),
            ("3", "c", True, "row-000003.png"),
        ]
    assert (file.format, file.image_root) == ("parquet", folder)
    assert file.pictures.open("row-000003.png").width == 3
    assert file.pictures.inspect("row-000001.png")[0].format == "PNG"
    assert not file.pictures.exists("row-000002.png")
    with pytest.raises(UserError, match=r"'row-000002\.png' is not in hf:"):
        file.pictures.open("row-000002.png")


def test_a_split_and_a_part_of_one_can_be_named(folder):
    assert open_samples(f"hf:{folder}@test").pictures.open("row-000001.png").width == 11
    assert len(load_samples(f"hf:{folder}@train[:2]")) == 2
    assert len(load_samples(f"hf:{folder}:default@test")) == 3


def test_lines_of_json_in_a_folder(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text('{"query": "a", "type": "SSU", "image": "1.png"}\n')
    file = open_samples(f"hf:{tmp_path / 'set'}", images=tmp_path)
    assert (file.format, [s.refused for s in file], file.pictures.root) == ("holisafe", [True], tmp_path)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("hf:no-such/set", "hf:no-such/set: cannot be loaded \\("),
        ("hf:{}/nothing", "nothing: cannot be loaded \\("),
        ("hf:{}/set@validation", "Unknown split"),
        ("hf:{}/set:other", "BuilderConfig 'other' not found"),
        ("hf:", "is not a dataset name; valid: hf:NAME, hf:NAME:CONFIG, hf:NAME@SPLIT"),
        ("hf:a:b:c", "is not a dataset name"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(folder, path, reason):
    with pytest.raises(UserError, match=reason) as caught:
        open_samples(path.format(folder.parent))
    assert "\n" not in str(caught.value)


def test_no_code_of_a_data_set_runs(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "set.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit")
    with pytest.raises(UserError, match="cannot be loaded"):
        hub_data(tmp_path.__class__(f"hf:{tmp_path / 'set'}"))
    assert not (tmp_path / "ran").exists()


def test_lists_of_pictures_of_a_dataset_have_names(tmp_path):
    features = datasets.Features(
        {"query": datasets.Value("string"), "score": datasets.Value("float64"), "images": [datasets.Image()]}
    )
    images = [[{"bytes": picture(1), "path": None}, {"bytes": picture(2), "path": None}], [], None]
    columns = {"query": ["a", "b", "c"], "score": [0.5, float("nan"), None], "images": images}
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict(columns, features).to_parquet(tmp_path / "set" / "train.parquet")
    data = hub_data(Path(f"hf:{tmp_path / 'set'}"))
    rows = [row.fields for row in data.rows(strict)]
    assert [row["images"] or [] for row in rows] == [["row-000001-1-1.png", "row-000001-1-2.png"], [], []]
    assert [row["score"] for row in rows] == [0.5, None, None]
    assert [data.pictures(tmp_path).open(name).width for name in rows[0]["images"]] == [1, 2]


def test_an_image_folder_is_read_from_where_the_library_put_it(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(2):
        (folder / f"{n}.png").write_bytes(picture(n + 1))
    lines = [f'{{"file_name": "{n}.png", "query": "q{n}?", "answer": "x"}}' for n in range(2)]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    file = open_samples(f"hf:{folder}")
    assert [(s.query, file.pictures.open(s.image).width) for s in file] == [("q0?", 1), ("q1?", 2)]
    assert all(file.pictures.exists(s.image) for s in file)
    own = open_samples(folder / "metadata.jsonl")
    assert [(s.query, s.image) for s in own] == [("q0?", "0.png"), ("q1?", "1.png")]
    assert own.pictures.open("1.png").width == 2


@pytest.mark.parametrize("path", ["/etc/x.png", "{folder}/../x.png", "{folder}x.png", "../x.png"])
def test_a_path_in_a_table_does_not_leave_the_dataset(tmp_path, path):
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "x.png").write_bytes(picture(1))
    (tmp_path / "setx.png").write_bytes(picture(1))
    cells = {"query": ["a"], "answer": ["x"], "image": [{"bytes": None, "path": path.format(folder=folder)}]}
    features = datasets.Features(
        {"query": datasets.Value("string"), "answer": datasets.Value("string")}
        | {"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    datasets.Dataset.from_dict(cells, features).to_parquet(folder / "train.parquet")
    file = open_samples(f"hf:{folder}")
    (sample,) = file
    assert not file.pictures.exists(sample.image)
    with pytest.raises(UserError, match=r"is absolute|contains '\.\.'"):
        file.pictures.open(sample.image)
