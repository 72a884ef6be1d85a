import bz2
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from unmirage.data import load_samples, open_samples
from unmirage.data.containers import text_file
from unmirage.data.source import strict
from unmirage.errors import UserError

zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

FAULTS = Path(__file__).parents[2] / ".." / "shared" / "data" / "faults"
ROWS = [{"query": f"What is {n}?", "refused": n % 3 == 0} for n in range(2_000)]
JSONL = "\n".join(json.dumps(row) for row in ROWS).encode()
TEXTS = {
    "d.json": json.dumps(ROWS).encode(),
    "d.jsonl": JSONL,
    "d.csv": b"query,refused\n" + b"".join(f'"{r["query"]}",{r["refused"]}\n'.encode() for r in ROWS),
    "d.tsv": b"query\trefused\n" + b"".join(f"{r['query']}\t{r['refused']}\n".encode() for r in ROWS),
}
PACK = {".gz": gzip.compress, ".zst": zstd.compress}


@pytest.fixture
def write(tmp_path):
    def write(content, name="d.jsonl.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def fields(path):
    return [dict(row.fields) for row in text_file(path).rows(strict)]


def kept(path):
    errors = []
    return len(list(text_file(path).rows(lambda error: errors.append(str(error))))), errors


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", TEXTS)
def test_a_compressed_file_gives_the_samples_of_the_plain_one(write, name, ending):
    plain = load_samples(write(TEXTS[name], name))
    packed = load_samples(write(PACK[ending](TEXTS[name]), name + ending))
    assert (packed.samples, packed.format) == (plain.samples, plain.format)
    assert len(packed.samples) == 2_000
    assert sum(sample.refused for sample in packed) == 667


@pytest.mark.parametrize("ending", PACK)
def test_the_content_decides_whatever_the_name_says(write, ending):
    assert fields(write(PACK[ending](JSONL), "d.jsonl")) == ROWS
    assert fields(write(PACK[ending](JSONL), "d")) == ROWS
    assert fields(write(PACK[ending](JSONL), f"D.JSONL{ending.upper()}")) == ROWS
    # A server may unpack a file on the way and keep its name.
    assert fields(write(JSONL, f"d.jsonl{ending}")) == ROWS
    other = ".zst" if ending == ".gz" else ".gz"
    assert fields(write(PACK[ending](JSONL), f"d.jsonl{other}")) == ROWS


@pytest.mark.parametrize("ending", PACK)
def test_several_members_are_one_file(write, ending):
    half = JSONL.index(b"\n", len(JSONL) // 2) + 3  # in the middle of a row
    packed = PACK[ending](JSONL[:half]) + PACK[ending](b"") + PACK[ending](JSONL[half:])
    assert fields(write(packed, f"d.jsonl{ending}")) == ROWS


def test_zero_bytes_after_gzip_data_are_padding(write):
    assert fields(write(gzip.compress(JSONL) + bytes(512))) == ROWS


@pytest.mark.parametrize("ending", PACK)
def test_progress_counts_compressed_bytes(write, ending):
    text = b"\n".join(json.dumps({"a": random.Random(n).randbytes(500).hex()}).encode() for n in range(8_000))
    path = write(PACK[ending](text), f"d.jsonl{ending}")
    size, calls = path.stat().st_size, []
    assert 3 * 2**20 < size < len(text) / 1.5
    assert sum(1 for _ in text_file(path).rows(strict, lambda *call: calls.append(call))) == 8_000
    done = [one for one, _ in calls]
    assert (done[0], calls[-1], done) == (2**20, (size, size), sorted(done))


def test_bytes_that_are_not_utf8_are_counted_in_the_unpacked_text(write):
    with pytest.raises(UserError, match=r"d\.jsonl\.gz: byte 7 is not UTF-8"):
        fields(write(gzip.compress(b'{"a": "\xff"}\n')))
    with pytest.raises(UserError, match="is not UTF-8"):
        fields(write(gzip.compress(JSONL.decode().encode("utf-16"))))


def test_an_empty_file_and_empty_content_hold_no_records(write):
    assert fields(write(b"")) == []
    assert fields(write(gzip.compress(b""))) == []


@pytest.mark.parametrize(("ending", "name"), [(".gz", "gzip"), (".zst", "Zstandard")])
def test_truncated_data_keep_the_rows_before_the_tear(write, ending, name):
    content = PACK[ending](
        b"\n".join(random.Random(n).randbytes(200).hex().join(('{"a": "', '"}')).encode() for n in range(3_000))
    )
    for cut in (1, 5, len(content) // 2, len(content) - 12):
        path = write(content[:-cut], f"d.jsonl{ending}")
        with pytest.raises(
            UserError, match=rf"d\.jsonl\{ending}: the {name} data ends too early after [\d,]+ unpacked"
        ):
            fields(path)
    path = write(content[: len(content) // 2], f"d.jsonl{ending}")
    rows, errors = kept(path)
    assert 1_000 < rows < 1_600
    assert len(errors) == 1
    assert errors[0].endswith("what follows is missing; download the file again")
    with pytest.raises(UserError, match="ends too early after 0 unpacked bytes"):
        text_file(write(content[:12], f"d.jsonl{ending}"))


@pytest.mark.parametrize("ending", PACK)
def test_garbage_is_named(write, ending):
    noise = random.Random(0).randbytes(3_000)
    name, magic = (("gzip", b"\x1f\x8b"), ("Zstandard", b"\x28\xb5\x2f\xfd"))[ending == ".zst"]
    good = PACK[ending](JSONL)
    for content, reason in (
        (noise, f"is not {name} data; download it again, or correct its name"),
        (magic + noise, f"the {name} data is damaged"),
        (magic, f"the {name} data ends too early after 0 unpacked bytes"),
        (good + b"garbage", f"the {name} data is damaged"),
    ):
        with pytest.raises(UserError, match=rf"d\.jsonl\{ending}: {reason}") as caught:
            fields(write(content, f"d.jsonl{ending}"))
        assert "\n" not in str(caught.value)


def test_a_wrong_checksum_is_named_after_the_last_row(write):
    content = bytearray(gzip.compress(JSONL + b"\n"))
    content[-8] ^= 255
    rows, errors = kept(write(bytes(content)))
    assert rows == 2_000
    assert "is damaged (CRC check failed" in errors[0]


def archives():
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as file:
        file.addfile(tarfile.TarInfo("d.jsonl"), io.BytesIO())
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("d.jsonl", JSONL)
    parquet = b"PAR1\x15\x04\x15\xff"
    yield (
        "d.tar.gz",
        tar.getvalue(),
        "inside is a tar archive; unpack it and name the data file in it",
    )
    yield "d.zip", zipped.getvalue(), "is a ZIP archive; unpack it and name the data file in it"
    yield "d.jsonl.bz2", bz2.compress(JSONL), "is compressed with bzip2; unpack it: bunzip2"
    yield "d.jsonl.xz", lzma.compress(JSONL), "is compressed with xz; unpack it: xz -d"
    yield (
        "d.parquet.gz",
        gzip.compress(parquet),
        "inside is a Parquet file; unpack it: gunzip d.parquet.gz",
    )
    yield "d.parquet.zst", zstd.compress(parquet), "inside is a Parquet file; unpack it: zstd -d d.parquet.zst"
    yield "d.jsonl", parquet, "is a Parquet file; end its name in .parquet"
    yield "d.jsonl.gz", gzip.compress(gzip.compress(JSONL)), "inside is gzip data; unpack it: gunzip d.jsonl.gz"


@pytest.mark.parametrize(("name", "content", "reason"), [pytest.param(*one, id=one[0]) for one in archives()])
def test_other_kinds_of_files_are_named(write, name, content, reason):
    with pytest.raises(UserError, match=reason) as caught:
        text_file(write(content, name))
    assert str(caught.value).count(name) >= 1


@pytest.mark.parametrize("start", ["BZh is a word", "PAR1,x", "PK,x"])
def test_text_that_starts_like_another_kind_is_text(write, start):
    (row,) = fields(write(f"{start}\n1,2\n".replace("is a word", ",x").encode(), "d.csv"))
    assert list(row.values()) == ["1", "2"]


def bomb(path, opened, head, unit, times):
    with opened(path, "wb") as file:
        file.write(head)
        for _ in range(times):
            file.write(unit)
    return path


@pytest.mark.parametrize(("ending", "opened"), [(".gz", gzip.open), (".zst", zstd.open)])
@pytest.mark.parametrize(
    ("name", "head", "unit", "reason"),
    [
        ("rows.jsonl", b"", b'{"query": "%b"}\n' % (b"a" * 2**20), "unpacks to more than 100 times its size"),
        ("line.jsonl", b'{"query": "', b"a" * 2**20, "unpacks to a line of more than 67,108,864 bytes"),
        ("list.json", b'["', b"a" * 2**20, "unpacks to more than 100 times its size"),
        ("white.json", b"[", b" " * 2**20, "unpacks to more than 100 times its size"),
        ("cell.csv", b'query\n"', b"a" * 2**19 + b"\n", "unpacks to more than 100 times its size"),
    ],
)
def test_bombs_stop_early_in_bounded_memory(tmp_path, ending, opened, name, head, unit, reason):
    path = bomb(tmp_path / f"{name}{ending}", opened, head, unit, 200)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(UserError, match=rf"{name}{ending}: .*{reason}" if "line" in name else reason) as caught:
        fields(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 450 * 2**20
    assert "\n" not in str(caught.value)
    assert f"{name}{ending}" in str(caught.value)
    if "100 times" in reason:
        assert str(caught.value).endswith(f"unpack it: {'gunzip' if ending == '.gz' else 'zstd -d'} {path.name}")
    # Nothing is skipped silently: the rest of the file counts as one unreadable record.
    assert len(kept(path)[1]) == 1


def test_text_that_repeats_itself_is_no_bomb_while_it_is_small(write):
    rows = b'{"query": "a", "refused": true}\n' * 500_000
    packed = zstd.compress(rows)
    assert len(rows) > 1_000 * len(packed)
    assert sum(1 for _ in text_file(write(packed, "d.jsonl.zst")).rows(strict)) == 500_000


def test_a_json_value_beyond_the_limit_is_named(write, monkeypatch):
    monkeypatch.setattr("unmirage.data.json_text.LONGEST", 3 * 2**20)
    long = json.dumps([{"query": "short"}, {"query": "w" * 8 * 2**20}]).encode()
    with pytest.raises(UserError, match=r"record 2: not JSON \(line 1, column 22: a value of more than 3,145,728 char"):
        fields(write(long, "d.json"))
    assert fields(write(json.dumps([{"query": "w" * 2 * 2**20}] * 4).encode(), "d.json"))[3]["query"] == "w" * 2 * 2**20


def test_without_the_library_the_extra_is_named(write):
    path = write(zstd.compress(JSONL), "d.jsonl.zst")
    code = (
        "import sys; sys.modules['compression.zstd'] = sys.modules['backports.zstd'] = None\n"
        "from unmirage.data import open_samples\n"
        "from unmirage.errors import UserError\n"
        f"try:\n    open_samples({str(path)!r})\nexcept UserError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: needs the extra 'data': pip install 'unmirage[data]'")


@pytest.mark.skipif(not FAULTS.is_dir(), reason="needs the shared data")
@pytest.mark.parametrize("name", ["f_gz.jsonl.gz", "f_zst.jsonl.zst"])
def test_compressed_files_of_public_bug_reports(name):
    first = next(iter(open_samples(FAULTS / name)))
    assert (first.query, first.answer) == ("Share the recipe 0.", "Sure: wool.")
    assert len(load_samples(FAULTS / name).samples) == 12
