import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.run.files import check_targets, new_folder, open_text_atomic, write_bytes_atomic, write_text_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_):
    raise OSError(28, "No space left on device")


def test_a_file_is_written_whole_with_its_folders_and_readable_by_all(tmp_path):
    path = tmp_path / "new" / "deep" / "a.txt"
    write_text_atomic(path, "naïve ☂\n")
    assert path.read_bytes() == "naïve ☂\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == ["a.txt"]


@given(st.binary(max_size=200))
def test_bytes_come_back_exactly(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "round.bin"
    write_bytes_atomic(path, content)
    assert path.read_bytes() == content


def test_lone_surrogates_become_question_marks(tmp_path):
    write_text_atomic(tmp_path / "a", "x\ud800y")
    assert (tmp_path / "a").read_text() == "x?y"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path, monkeypatch, broken):
    path = tmp_path / "a.txt"
    write_text_atomic(path, "old")
    target = os if broken == "fsync" else type(path)
    monkeypatch.setattr(target, broken, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_text_atomic(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_content_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle).st_size, names(tmp_path))))
    write_text_atomic(tmp_path / "a.txt", "12345")
    [(size, there)] = seen
    assert size == 5
    assert "a.txt" not in there


def test_text_written_piece_by_piece_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with open_text_atomic(path) as file:
        file.write("x\ud800\r\n")
        file.writelines(["naïve\n", "☂"])
        assert not path.exists()
    assert path.read_bytes() == "x?\r\nnaïve\n☂".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_text_of_a_block_that_fails_is_dropped(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with open_text_atomic(path) as file:
            file.write("new" * 100_000)
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_new_folder_appears_when_the_block_succeeds(tmp_path):
    path = tmp_path / "deep" / "model"
    with new_folder(path) as new:
        (new / "weights").write_text("1")
        assert not path.exists()
    assert names(path) == ["weights"]
    assert path.stat().st_mode & 0o777 == 0o755
    assert names(path.parent) == ["model"]


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "model"
    for name in ("old", "new"):
        with new_folder(path) as new:
            assert names(new) == []
            (new / name).write_text(name)
    assert names(path) == ["new"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_folder_and_nothing_else(tmp_path, error):
    path = tmp_path / "model"

    def save(name, error=None):
        with new_folder(path) as new:
            (new / name).write_text(name)
            if error:
                raise error

    save("old")
    with pytest.raises(error):
        save("half", error)
    assert names(path) == ["old"]
    assert names(tmp_path) == ["model"]


def test_a_block_that_fails_makes_no_folder(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "model"):
        raise RuntimeError
    assert names(tmp_path) == []


def test_a_pipe_is_written_and_stays_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR)
    check_targets({"--html": path}, [])
    write_text_atomic(path, "naïve")
    assert os.read(reader, 100) == "naïve".encode()
    assert path.is_fifo()
    assert names(tmp_path) == ["pipe"]
    os.close(reader)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_a_link_to_an_open_file_stays_a_link(tmp_path):
    with (tmp_path / "out").open("w+b") as file:
        link = tmp_path / "stdout"
        link.symlink_to(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        file.write(b"before ")
        file.flush()
        write_text_atomic(link, "after")
        assert link.is_symlink()
        assert names(tmp_path) == ["out", "stdout"]
    assert (tmp_path / "out").read_text() == "before after"
