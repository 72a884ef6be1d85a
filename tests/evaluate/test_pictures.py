"""Where the pictures of a run are, and that pages show what there is without asking for more."""

import io

import pytest
from PIL import Image

from unmirage.errors import UserError
from unmirage.evaluate.pictures import pictures_at_hand, pictures_of
from unmirage.run import open_run
from unmirage.run.fingerprint import sha256_of

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def png(width):
    file = io.BytesIO()
    Image.new("RGB", (width, 4)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def made(tmp_path):
    """Return a function that makes a run of this configuration, whose folder `pictures` holds a.png."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(png(3))

    def make(**config):
        with open_run(tmp_path / "run", {"seed": 0, "images": str(tmp_path / "pictures")} | config) as run:
            return run

    return make


@pytest.fixture
def table(tmp_path):
    """Return a Parquet file of two pictures, whose other column is called as none of ours."""
    path = tmp_path / "table.parquet"
    cells = pa.array([{"bytes": png(5), "path": "x"}, {"bytes": png(6), "path": "x"}])
    pq.write_table(pa.table({"was_gefragt_wird": ["?", "?"], "image": cells}), path)
    return path


@pytest.mark.parametrize("of", [pictures_of, pictures_at_hand])
def test_pictures_are_those_of_the_folder_that_the_run_names(made, of):
    pictures = of(made(data="test.json"))
    assert pictures.exists("a.png")
    assert not pictures.exists("b.png")


@pytest.mark.parametrize("of", [pictures_of, pictures_at_hand])
def test_pictures_in_the_data_are_found_whatever_its_columns_are_called(made, table, of):
    pictures = of(made(data=str(table)))
    assert [pictures.open(f"row-00000{number}.png").width for number in (1, 2)] == [5, 6]


def test_data_that_has_gone_is_no_error_for_a_page(made, table):
    run = made(data=str(table))
    table.unlink()
    with pytest.raises(UserError, match=r"table\.parquet: no such file"):
        pictures_of(run)
    assert not pictures_at_hand(run).exists("row-000001.png")


def test_data_that_has_changed_is_refused_and_a_page_shows_none_of_its_pictures(made, table):
    run = made(data=str(table), data_sha256=sha256_of(table))
    assert pictures_of(run).open("row-000002.png").width == 6
    pq.write_table(pq.read_table(table).slice(1), table)
    with pytest.raises(UserError, match=r"table\.parquet: the file has changed since the run; valid: the file with"):
        pictures_of(run)
    assert not pictures_at_hand(run).exists("row-000001.png")


@pytest.mark.parametrize("data", ["hf:somebody/something", "gone.parquet"])
def test_a_page_shows_the_pictures_of_the_folder_where_there_is_no_data(made, data):
    assert pictures_at_hand(made(data=data)).exists("a.png")


def test_a_page_asks_no_hub(made, monkeypatch):
    datasets = pytest.importorskip("datasets")
    run = made(data="hf:somebody/something")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked for data on the hub"))
    assert not pictures_at_hand(run).exists("row-000001.png")


@pytest.mark.parametrize("content", ["images: [", "- a", "suite: {}", "suite: {name: vlguard}", "data: [1]"])
def test_a_broken_configuration_is_no_error_for_a_page(made, content):
    run = made()
    run.config_file.write_text(content)
    assert not pictures_at_hand(run).exists("b.png")
