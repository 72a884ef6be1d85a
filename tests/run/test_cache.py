"""The cache of texts: what was put is there, whatever ended the run; a file that cannot be used is named."""

import os
import signal
import subprocess
import sys

import pytest

from unmirage.errors import UserError
from unmirage.run.cache import TextCache


def test_what_was_put_is_there_again(tmp_path):
    path = tmp_path / "new" / "cache.sqlite"
    with TextCache(path) as cache:
        assert cache.get("a") is None
        cache.put("a", "1")
        cache.put("b", "2")
        cache.put("a", "3")
        assert (cache.get("a"), cache.get("b")) == ("3", "2")
    with TextCache(path) as cache:
        assert (cache.get("a"), cache.get("b")) == ("3", "2")


@pytest.mark.parametrize("text", ["", "a\x00b", "שלום", "😀" * 1000, "'; DROP TABLE texts; --"])
def test_any_text_is_kept(tmp_path, text):
    with TextCache(tmp_path / "c") as cache:
        cache.put(text, text)
        assert cache.get(text) == text


def test_a_lone_surrogate_is_kept_as_a_question_mark(tmp_path):
    with TextCache(tmp_path / "c") as cache:
        cache.put("k\ud800", "v\udfff")
        assert cache.get("k\ud800") == "v?"


def test_what_was_put_survives_a_kill(tmp_path):
    path = tmp_path / "cache"
    code = (
        "import sys, time; from pathlib import Path; from unmirage.run.cache import TextCache\n"
        "cache = TextCache(Path(sys.argv[1]))\n"
        "for number in range(20): cache.put(str(number), 'kept')\n"
        "print('done', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"done\n"
        os.kill(process.pid, signal.SIGKILL)
    with TextCache(path) as cache:
        assert {cache.get(str(number)) for number in range(20)} == {"kept"}


def test_two_may_share_a_file(tmp_path):
    with TextCache(tmp_path / "c") as one, TextCache(tmp_path / "c") as two:
        one.put("a", "1")
        two.put("b", "2")
        assert (one.get("b"), two.get("a")) == ("2", "1")


def test_a_file_that_is_none_of_ours_is_named(tmp_path):
    (tmp_path / "c").write_text("no database " * 100)
    with pytest.raises(UserError, match=r"c: file is not a database"):
        TextCache(tmp_path / "c")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/c: .*(exists|Not a directory)"):
        TextCache(tmp_path / "file" / "c")
    with pytest.raises(UserError, match="unable to open"):
        TextCache(tmp_path)
