"""Make a run of responses that other programs collected, so that it can be judged like a run of `unmirage attack`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.data.images import ImageFolder
from unmirage.data.packed import without_packing
from unmirage.data.responses.collect import UNSAFE, Collected
from unmirage.data.responses.columns import LEFT_OUT
from unmirage.data.responses.read import FORMATS, ResponseFile, read_responses
from unmirage.errors import UserError, unknown
from unmirage.run import Run, open_run
from unmirage.run.fingerprint import sha256_of
from unmirage.run.paths import no_such
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, check_pictures

if TYPE_CHECKING:
    from unmirage.evaluate import Judge

log = logging.getLogger(__name__)
_START = 4_096
_WITHOUT_QUERIES = ("phrases", "official")  # judges that read the response only


def run_of_files(
    files: Sequence[PathLike],
    out: Path,
    judges: Sequence[str | Judge],
    *,
    format: str = "auto",
    columns: Mapping[str, str] | None = None,
    model: str | None = None,
    unsafe: str = "auto",
    images: PathLike | None = None,
    skip_bad: bool = False,
    sees_pictures: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Read files of responses into a run; the arguments are those of `unmirage.judge`.

    Everything is read before the run is written. A run of the same files is opened again.

    Args:
        judges: the judges to come; some need the queries.

    Raises:
        UserError: a file cannot be read, or the run holds other files or settings.
    """
    from unmirage.evaluate.judges import JUDGES

    chosen = next((one for one in UNSAFE if one == unsafe), None)
    if chosen is None:
        raise unknown("--unsafe", unsafe, UNSAFE)
    if format not in FORMATS:
        raise unknown("--format", format, FORMATS)
    for judge in judges:
        if isinstance(judge, str):
            JUDGES.find(judge.partition(":")[0])  # an unknown judge is an error before the files are read
    paths = [Path(one) for one in files]
    _check_paths(paths, out)
    named = dict(columns or {}) | ({} if chosen == "auto" else {"unsafe": LEFT_OUT})
    found = Collected(unsafe=chosen)
    opened = []
    for number, path in enumerate(paths):
        file = _opened(path, format, columns=named, model=model or "", skip_bad=skip_bad)
        log.info("%s", file.about)
        found.add(file)
        opened.append(file)
        if progress is not None:
            progress("read", number + 1, len(paths))
    if not found.queries:
        raise UserError(f"{paths[0]}: has no responses that can be read; leave --skip-bad out to see the first error")
    _check_queries(opened, judges)
    root = _root(opened, found, images)
    if sees_pictures:
        check_pictures(list(found.queries.values()), opened[0].pictures(root), root)
    notes = [note for file in opened for note in file.notes()] + found.notes()
    for note in notes:
        log.warning("%s", note)
    settings = {"format": format, "columns": dict(columns or {}), "unsafe": unsafe, "model": model}
    hashes = {str(path): sha256_of(path) for path in paths}
    with open_run(out, _config(hashes, root, found, notes, settings)) as run, run.store() as store:
        store.add_samples(found.samples.values())
        store.add_queries(found.queries.values())
        store.add_responses(found.responses)
        store.add_failures(found.failures)
    return run


def _check_paths(paths: Sequence[Path], out: Path) -> None:
    for path in paths:
        if not path.exists():
            raise no_such("file", path)
        if path.resolve() == out.resolve():
            raise UserError(f"--out: {out} is an input file; name a new run directory")
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise UserError(f"{twice}: is named twice; name each file once")


def _opened(path: Path, format: str, *, columns: Mapping[str, str], model: str, skip_bad: bool) -> ResponseFile:
    if format == "inspect" or (format == "auto" and _is_inspect(path)):
        try:
            import inspect_ai  # noqa: F401
        except ImportError as error:
            raise UserError(
                f"{path}: an Inspect log needs the extra 'inspect': pip install 'unmirage[inspect]' ({error})"
            ) from None
        from unmirage.bridges.inspect_responses import inspect_responses

        return inspect_responses(path, columns=columns, model=model, skip_bad=skip_bad)
    return read_responses(path, format, columns=columns, model=model, skip_bad=skip_bad)


def _is_inspect(path: Path) -> bool:
    """Return whether a file is an Inspect log: a `.eval` file, or JSON that starts with its version and status."""
    if path.suffix == ".eval":
        return True
    if path.suffix != ".json" or without_packing(path) != path or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_START)
    return b'"version"' in start and b'"status"' in start and b'"eval"' in start and start.lstrip().startswith(b"{")


def _check_queries(files: Sequence[ResponseFile], judges: Sequence[str | Judge]) -> None:
    """Raise `UserError` if a judge needs the queries and a file has none."""
    lacking = next((file for file in files if not file.has_queries), None)
    needs = next((one for one in judges if isinstance(one, str) and one not in _WITHOUT_QUERIES), None)
    if lacking is not None and needs is not None:
        raise UserError(
            f"{lacking.path}: has no queries, which judge '{needs}' reads; name their column with --columns "
            f"query=NAME, or use --judge {_WITHOUT_QUERIES[0]}"
        )


def _root(files: Sequence[ResponseFile], found: Collected, images: PathLike | None) -> Path:
    """Return the folder of the pictures.

    Raises:
        UserError: several files have pictures inside, or in different folders.
    """
    root = files[0].root if images is None else Path(images)
    if len(files) == 1 or not any(query.paths for query in found.queries.values()):
        return root
    if any(not isinstance(file.pictures(root), ImageFolder) for file in files):
        raise UserError(
            f"{files[0].path}: several files with pictures inside cannot share a run; judge each in its own run, or "
            "leave the pictures out with --columns image=-"
        )
    if images is None and len({file.root.resolve() for file in files}) > 1:
        raise UserError(
            f"{files[1].path}: is in another folder than {files[0].path}; name the folder of the pictures with --images"
        )
    return root


def _config(
    hashes: Mapping[str, str], root: Path, found: Collected, notes: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the configuration of such a run; reports find the pictures by `data` and `images`."""
    first, *others = hashes
    whole = sha256("".join(hashes.values()).encode()).hexdigest() if others else hashes[first]
    return {
        "data": f"{first} and {len(others)} more" if others else first,
        "data_sha256": whole,
        "images": str(root.resolve()),
        "limit": None,
        "seed": 0,
        "attack": found.attack,
        "notes": list(notes) or None,
        "until_success": None,
        "responses": {"files": dict(hashes), **settings},
    }
