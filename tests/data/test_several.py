import io

import pytest
from PIL import Image

from unmirage.data import ImageFolder, open_samples
from unmirage.data.several import SeveralPictures, together
from unmirage.errors import UserError
from unmirage.records import Placed, Sample, Turn
from unmirage.workflows.align import AlignFiles


def sample(**fields):
    return Sample(id="a", record="a", query="What?", answer="A.", refused=False, label_source="field", **fields)


def save(folder, name, width):
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (width, 1)).save(folder / name)
    return ImageFolder(folder)


def test_one_folder_keeps_the_names(tmp_path):
    folder = save(tmp_path / "a", "1.png", 3)
    lists, pictures = together([([sample(image="1.png")], folder), ([sample()], ImageFolder(tmp_path / "a"))])
    assert ([one.image for one in lists[0]], pictures) == (["1.png"], folder)


def test_pictures_of_several_folders_are_told_apart(tmp_path):
    parts = [save(tmp_path / name, "1.png", width) for name, width in (("a", 3), ("b", 5))]
    turn = Turn("user", "See?", (Placed("1.png", 4),))
    own = sample(image="1.png", images=(Placed("1.png", 2),), context=(turn,))
    lists, pictures = together([([sample(image="1.png")], parts[0]), ([own, sample()], parts[1])])
    assert [[one.image for one in part] for part in lists] == [["0/1.png"], ["1/1.png", None]]
    assert lists[1][0].paths == ("1/1.png", "1/1.png")
    assert [pictures.open(f"{n}/1.png").width for n in (0, 1)] == [3, 5]
    assert pictures.exists("1/1.png")
    assert not any(pictures.exists(name) for name in ("1.png", "2/1.png", "1/2.png", "-1/1.png"))
    with pytest.raises(UserError, match=r"image '2/1.png' does not name its data file; valid: 0/NAME to 1/NAME"):
        pictures.open("2/1.png")
    assert isinstance(pictures, SeveralPictures)


def test_training_data_may_hold_their_pictures(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, width in (("forget", 3), ("retain", 5)):
        buffer = io.BytesIO()
        Image.new("RGB", (width, 1)).save(buffer, "PNG")
        cells = [{"bytes": buffer.getvalue(), "path": "x.png"}] * 2
        table = {"query": ["a", "b"], "answer": ["c", "d"], "image": cells}
        parquet.write_table(pyarrow.table(table), tmp_path / f"{name}.parquet")
    data = AlignFiles(retain=[tmp_path / "retain.parquet"], forget=[tmp_path / "forget.parquet"]).read()
    for samples, width in ((data.retain, 5), (data.forget, 3)):
        assert [data.images.open(one.image).width for one in samples] == [width, width]
    assert len(list(open_samples(tmp_path / "retain.parquet"))) == 2
