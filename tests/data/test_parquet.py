import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from unmirage.data import load_samples, open_samples
from unmirage.data.parquet import parquet_files
from unmirage.data.source import strict
from unmirage.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FAULTS = Path(__file__).parents[2] / ".." / "shared" / "data" / "faults"
PATHS = ["../../etc/passwd", "same.png", "same.png", None]


def picture(number, kind="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", (number + 1, 2)).save(file, kind)
    return file.getvalue()


def cells(count, start=0):
    return [{"bytes": picture(start + n), "path": PATHS[n % 4]} for n in range(count)]


@pytest.fixture
def write(tmp_path):
    def write(columns, name="d.parquet", **kwargs):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), path, **kwargs)
        return path

    return write


def test_a_flat_table(write):
    data = load_samples(write({"query": ["a", "b"], "refused": [True, False], "image": ["1.png", None]}))
    assert data.format == "parquet"
    assert [(s.id, s.query, s.refused, s.image) for s in data] == [("1", "a", True, "1.png"), ("2", "b", False, None)]
    assert data.image_root == data.source.parent


def test_columns_can_be_named_and_formats_are_told(write):
    path = write({"q": ["a"], "ok": [1]})
    assert load_samples(path, columns={"query": "q", "refused": "ok"}).samples[0].refused
    spa_vl = {"question": ["a"], "chosen": ["I cannot help with this."], "rejected": ["b"], "class1": ["c"]}
    assert load_samples(write(spa_vl)).format == "spa-vl"
    vlguard = {"safe": [False], "instr-resp": [[{"instruction": "a", "response": "b"}]]}
    assert load_samples(write(vlguard)).samples[0].refused


def test_a_broken_row_is_named_or_set_aside(write):
    path = write({"query": ["a", None, "c"], "label": [1, 0, 0]})
    with pytest.raises(UserError, match=r"d\.parquet: row 2: field 'query' is null"):
        load_samples(path)
    assert [s.id for s in load_samples(path, skip_bad=True)] == ["1", "3"]


def test_pictures_in_the_table_are_named_after_their_row_and_can_be_opened(write):
    images = cells(700)
    images[2] = None
    path = write({"query": ["a"] * 700, "label": [0] * 700, "image": images}, row_group_size=90)
    file = open_samples(path)
    for _ in range(2):
        names = [s.image for s in file]
        assert names[:4] == ["row-000001.png", "row-000002.png", None, "row-000004.png"]
        assert len(set(names)) == 700
    for number in (1, 90, 91, 700, 4):
        assert file.pictures.open(f"row-{number:06d}.png").size == (number, 2)
    facts, image = file.pictures.inspect("row-000300.png")
    assert (facts.width, facts.format, image.size) == (300, "JPEG", (256, 2))
    there = {name: file.pictures.exists(name) for name in ("row-000700.png", "row-000003.png", "row-000701.png", "x")}
    assert [name for name, exists in there.items() if exists] == ["row-000700.png"]
    with pytest.raises(UserError, match=r"'row-000003\.png' is not in .*d\.parquet; valid: row-000001\.png"):
        file.pictures.check("row-000003.png")


def test_bad_pictures_in_the_table_are_refused_as_those_in_files(write):
    images = [{"bytes": b"<svg/>", "path": None}, {"bytes": picture(63)[:400], "path": None}]
    pictures = open_samples(write({"query": ["a"] * 2, "label": [0] * 2, "image": images})).pictures
    with pytest.raises(UserError, match=r"'row-000001\.png' is not a readable picture; valid: JPEG, PNG, WEBP"):
        pictures.check("row-000001.png")
    with pytest.raises(UserError, match=r"'row-000002\.png' is (damaged or truncated|not a readable picture)"):
        pictures.open("row-000002.png")


def test_two_columns_of_pictures_and_bare_bytes(write):
    table = {"query": ["a", "b"], "label": [0, 0], "image": [picture(4), None], "img": cells(2)}
    file = open_samples(write(table))
    assert [s.image for s in file] == ["row-000001.png", None]
    second = open_samples(file.source, columns={"image": "img"})
    assert [s.image for s in second] == ["row-000001-2.png", "row-000002-2.png"]
    assert file.pictures.open("row-000001.png").width == 5
    assert second.pictures.open("row-000002-2.png").width == 2
    assert not second.pictures.exists("row-000002-3.png")


def test_a_folder_is_read_in_the_order_of_its_files(write):
    for part, name in enumerate("cab"):
        query = {"query": [name] * 2, "label": [0] * 2, "image": cells(2, start=2 * part)}
        folder = write(query, f"data/{name}.parquet").parent
    file = open_samples(folder)
    assert [(s.id, s.query) for s in file] == [(str(n), "aabbcc"[n - 1]) for n in range(1, 7)]
    assert [file.pictures.open(s.image).width for s in file] == [3, 4, 5, 6, 1, 2]
    assert file.image_root == folder
    write({"other": [1]}, "data/d.parquet")
    with pytest.raises(UserError, match=r"d\.parquet: its columns differ from those of a\.parquet"):
        open_samples(folder)


def test_progress_counts_rows(write):
    calls = []
    list(open_samples(write({"query": ["a"] * 600, "label": [0] * 600}), progress=lambda *call: calls.append(call)))
    assert calls == [(256, 600), (512, 600), (600, 600), (600, 600)]


def test_what_is_no_parquet_is_named(tmp_path, write):
    with pytest.raises(UserError, match=r"x\.parquet: no such file"):
        open_samples(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(UserError, match=r"x\.parquet: is not a Parquet file \(") as caught:
        open_samples(tmp_path / "x.parquet")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="contains no records"):
        open_samples(write({"query": pa.array([], pa.string())}))


def test_a_damaged_page_is_named(write):
    path = write({"query": ["w" * 9_000] * 50, "label": [0] * 50}, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[40:60] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"d\.parquet: is damaged or truncated \("):
        open_samples(path)


@pytest.mark.parametrize(("path", "library"), [("d.parquet", "pyarrow"), ("hf:some/name", "datasets")])
def test_without_the_library_the_extra_is_named(path, library):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from unmirage.data import open_samples\n"
        "from unmirage.errors import UserError\n"
        f"try:\n    open_samples({path!r})\nexcept UserError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: needs the extra 'data': pip install 'unmirage[data]'")


def test_reading_text_files_imports_no_optional_library():
    code = "import sys, unmirage.data\nassert not {'pyarrow', 'datasets', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pictures_of_many_row_groups_are_opened_by_several_threads(write):
    images = [{"bytes": picture(number, "PNG"), "path": None} for number in range(120)]
    file = open_samples(write({"query": ["a"] * 120, "refused": [True] * 120, "image": images}, row_group_size=3))
    names = [sample.image for sample in file]
    with ThreadPoolExecutor(4) as pool:
        widths = list(pool.map(lambda name: file.pictures.inspect(name)[0].width, names * 5))
    assert widths == [*range(1, 121)] * 5


def rows_of(path):
    return [dict(row.fields) for row in parquet_files(path).rows(strict)]


def test_lists_of_pictures_are_lists_of_names(write):
    images = [cells(2), [], None, [cells(1)[0], None, cells(1, start=8)[0]]] * 10
    path = write({"query": ["a"] * 40, "images": images}, row_group_size=7)
    names = [row["images"] for row in rows_of(path)]
    assert names[:4] == [
        ["row-000001-1-1.png", "row-000001-1-2.png"],
        [],
        None,
        ["row-000004-1-1.png", None, "row-000004-1-2.png"],
    ]
    assert names[36:40] == [
        ["row-000037-1-1.png", "row-000037-1-2.png"],
        [],
        None,
        ["row-000040-1-1.png", None, "row-000040-1-2.png"],
    ]
    pictures = parquet_files(path).pictures(path.parent)
    found = [pictures.open(f"row-0000{name}.png").width for name in ("01-1-1", "01-1-2", "40-1-1", "40-1-2")]
    assert found == [1, 2, 1, 9]
    for missing in ("02-1-1", "01-1-3", "01-1-0", "01", "01-1", "01-2-1"):
        assert not pictures.exists(f"row-0000{missing}.png")


@pytest.mark.parametrize("kind", ["list<bytes>", "large_list", "fixed_size_list"])
def test_lists_of_every_arrow_kind(write, kind):
    types = {
        "list<bytes>": pa.list_(pa.binary()),
        "large_list": pa.large_list(pa.struct({"bytes": pa.large_binary(), "path": pa.string()})),
        "fixed_size_list": pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}), 2),
    }
    images = [[picture(1), picture(4)], [picture(2), picture(3)]]
    if kind != "list<bytes>":
        images = [[{"bytes": one, "path": None} for one in row] for row in images]
    path = write({"query": ["a", "b"], "images": pa.array(images, types[kind])})
    assert [row["images"] for row in rows_of(path)] == [[f"row-00000{n}-1-{k}.png" for k in (1, 2)] for n in (1, 2)]
    pictures = parquet_files(path).pictures(path.parent)
    assert [pictures.open(name).width for row in rows_of(path) for name in row["images"]] == [2, 5, 3, 4]


def test_pictures_inside_messages_have_names_in_their_places(write):
    def turn(role, *parts):
        return {"role": role, "content": [{"type": k, "text": t, "image": i} for k, t, i in parts]}

    shown = [{"bytes": picture(n), "path": "x.png"} for n in range(4)]
    first = [
        turn("user", ("image", None, shown[1]), ("text", "What?", None), ("image", None, shown[2])),
        turn("assistant", ("text", "A cat.", None)),
        turn("user", ("image", None, shown[3])),
    ]
    table = {"image": [picture(6), None], "messages": [first, [turn("user", ("text", "Hi", None))]], "n": [1, 2]}
    path = write(table)
    one, two = rows_of(path)
    assert (one["image"], one["n"], two["image"]) == ("row-000001.png", 1, None)
    named = [f"row-000001-2-{number}.png" for number in (1, 2, 3)]
    expected = [
        turn("user", ("image", None, named[0]), ("text", "What?", None), ("image", None, named[1])),
        turn("assistant", ("text", "A cat.", None)),
        turn("user", ("image", None, named[2])),
    ]
    assert one["messages"] == expected
    assert two["messages"] == [turn("user", ("text", "Hi", None))]
    pictures = parquet_files(path).pictures(path.parent)
    assert [pictures.open(name).width for name in ("row-000001.png", *named)] == [7, 2, 3, 4]
    assert not pictures.exists("row-000002-2-1.png")


def test_bytes_of_lists_are_not_read_for_the_rows(write, monkeypatch):
    path = write({"query": ["a"], "images": [cells(2)], "more": [{"bytes": picture(1), "path": "x"}]})
    data, asked = parquet_files(path), []
    original = pq.ParquetFile.iter_batches

    def recorded(file, size, columns):
        asked.extend(columns)
        return original(file, size, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", recorded)
    assert [row.fields["more"] for row in data.rows(strict)] == ["row-000001-2.png"]
    assert asked == ["query", "images.list.element.path", "more.path"]


def test_a_cell_with_a_path_only_and_a_path_column_are_files_below_the_image_folder(write, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(picture(6, "PNG"))
    table = {
        "query": ["a", "b", "c"],
        "image": [{"bytes": None, "path": "sub/a.png"}, {"bytes": picture(2), "path": "sub/a.png"}, None],
        "file": ["sub/a.png", "../a.png", None],
    }
    path = write(table)
    pictures = parquet_files(path).pictures(tmp_path)
    assert [pictures.open(name).width for name in ("row-000001.png", "row-000002.png", "sub/a.png")] == [7, 3, 7]
    assert not pictures.exists("../a.png")
    with pytest.raises(UserError, match=r"contains '\.\.'"):
        pictures.open("../a.png")


def test_nan_is_an_empty_cell_in_every_column(write):
    nan = float("nan")
    table = {
        "query": ["a", "b", "c"],
        "refused": [1.0, nan, 0.0],
        "image": pa.array([nan] * 3, pa.float32()),
        "scores": [[0.5, nan], None, []],
        "more": [{"x": nan, "y": 1}, None, {"x": 2.0, "y": 2}],
    }
    found = rows_of(write(table))
    assert [row["refused"] for row in found] == [1.0, None, 0.0]
    assert [row["image"] for row in found] == [None] * 3
    assert [row["scores"] for row in found] == [[0.5, None], None, []]
    assert [row["more"] for row in found] == [{"x": None, "y": 1}, None, {"x": 2.0, "y": 2}]


def test_missing_text_of_pandas_is_an_empty_cell(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"query": ["a", "b"], "answer": ["c", float("nan")], "image": [float("nan")] * 2})
    frame.to_parquet(tmp_path / "d.parquet")
    assert rows_of(tmp_path / "d.parquet") == [
        {"query": "a", "answer": "c", "image": None},
        {"query": "b", "answer": None, "image": None},
    ]


@pytest.mark.skipif(not FAULTS.is_dir(), reason="needs the shared data")
def test_a_list_of_pictures_of_a_public_bug_report():
    data = parquet_files(FAULTS / "f_images_list.parquet")
    names = [row.fields["images"] for row in data.rows(strict)]
    assert names == [[f"row-{n:06d}-1-1.png"] for n in range(1, 13)]
    assert data.pictures(FAULTS).open(names[11][0]).size == (64, 48)
