"""Search for the words that change a model's refusals, and explain refusals word by word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import draw_stratified
from unmirage.documents import Result
from unmirage.errors import UserError, unknown
from unmirage.run.files import check_targets, naming
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import PathLike, found_run, log_reading, opened, silent
from unmirage.workflows.settings import resolve

if TYPE_CHECKING:
    from unmirage.attack.documents import Explanation
    from unmirage.attack.search import SearchResult
    from unmirage.data import Pictures, SampleFile
    from unmirage.models import HuggingFaceVLM
    from unmirage.records import Sample
    from unmirage.run import Run

log = logging.getLogger(__name__)
Load = Callable[[], "HuggingFaceVLM"]


def search_words(
    load: Load,
    data: PathLike | SampleFile,
    settings: Mapping[str, Any],
    *,
    out: PathLike | None = None,
    words: PathLike | Sequence[str] | None = None,
    starts: Sequence[str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> tuple[SearchResult, list[str]]:
    """Search for words; the arguments are those of `unmirage.search`.

    Args:
        load: loads the model; called after the data are read.
        settings: fields of `SearchConfig`; None values were not given.

    Returns:
        The result, and a reason for each sample that was left out.
    """
    from unmirage.attack.search import SearchConfig, search
    from unmirage.run.fingerprint import sha256_of
    from unmirage.text.vocabulary import read_words

    from_file, target = isinstance(words, str | Path), None if out is None else Path(out)
    check_targets({"--out": target}, [str(data), str(words) if from_file else ""])
    config = resolve(SearchConfig, None, settings, None)
    choice = read_words(Path(words)) if isinstance(words, str | Path) else words
    file = opened(data, reading)
    samples, unread = readable(draw_stratified(with_unique_ids(file), limit, config.seed), file.pictures)
    log_reading(file)
    told = progress or silent
    result = search(load(), samples, file.pictures, config, words=choice, starts=starts, progress=told)
    result = replace(result, data=str(file.source), data_sha256=sha256_of(file.source), limit=limit)
    _save(result, target)
    return result, unread


def explain_refusals(
    load: Load,
    data: PathLike | SampleFile,
    *,
    out: PathLike | None = None,
    run: PathLike | Run | None = None,
    benign: bool = False,
    mode: str = "leave-out",
    starts: Sequence[str] | None = None,
    limit: int = 100,
    seed: int = 0,
    batch_size: int = 16,
    progress: Progress | None = None,
    **reading: Any,
) -> tuple[Explanation, list[str]]:
    """Explain refusals; the arguments are those of `unmirage.explain`.

    Args:
        load: loads the model; called after the data are read.

    Returns:
        The result, and a reason for each query that was left out.
    """
    from unmirage.attack import plain
    from unmirage.attack.explain import MODES, explain
    from unmirage.text.refusals import starts_for

    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    in_run = None if run is None else found_run(run).path / "explain.json"
    targets = {"--out": None if out is None else Path(out), "--run": in_run}
    check_targets(targets, [str(data)])
    file = opened(data, reading)
    known = with_unique_ids(file)
    log_reading(file)
    chosen = [sample for sample in known if sample.refused is not benign]
    if not chosen:
        raise UserError(f"{file.source}: has no {'answered' if benign else 'refused'} query; at least one is needed")
    samples, unread = readable(draw_stratified(chosen, limit, seed), file.pictures)
    found = explain(
        load(),
        plain(samples),
        file.pictures,
        tuple(starts) if starts else starts_for(known),
        MODES[mode],
        progress or silent,
        batch_size,
    )
    found = replace(found, data=str(file.source))
    _save(found, *targets.values())
    return found, unread


def _save(result: Result, *files: Path | None) -> None:
    for file in filter(None, files):
        with naming(file):
            result.save(file)


def readable(samples: Sequence[Sample], pictures: Pictures) -> tuple[list[Sample], list[str]]:
    """Return the samples whose pictures are readable, and a reason for each of the others."""
    found: list[Sample] = []
    reasons: list[str] = []
    for sample in samples:
        try:
            for path in sample.paths:
                pictures.open(path)
            found.append(sample)
        except UserError as error:
            reasons.append(str(error))
    if not found:
        raise UserError(f"no picture can be read; the first error: {reasons[0]}")
    if reasons:
        log.warning("%d samples are left out; the first: %s", len(reasons), reasons[0])
    return found, reasons
