"""Read the data of a search for unlearning settings, run it, and show its results as a table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from unmirage.data import open_samples
from unmirage.data.rows import with_unique_ids
from unmirage.errors import UserError, one_line
from unmirage.evaluate.unlearning_settings import TOLERANCE, Kept, UnlearningSettings, forgotten
from unmirage.intervals import Mean
from unmirage.run.fingerprint import encoder_identity, sha256_of
from unmirage.run.machine import commit_of_checkout
from unmirage.run.paths import no_such
from unmirage.run.progress import Progress
from unmirage.text.markdown import markdown_table
from unmirage.workflows.align import AlignFiles
from unmirage.workflows.arguments import PathLike, counted
from unmirage.workflows.evaluate import sentence_encoder
from unmirage.workflows.models import make_judges
from unmirage.workflows.unlearning_search import COMMON, METHODS, SearchRequest, UnlearningSearch
from unmirage.workflows.validation import Validation, drawn, held_out

if TYPE_CHECKING:
    from unmirage.evaluate import Judge
    from unmirage.evaluate.relevance import TextEncoder
    from unmirage.records import Sample

log = logging.getLogger(__name__)
BENIGN, UNSAFE, FORGET, NEW_TOKENS = 24, 16, 24, 16


def search_settings(
    model: str,
    forget: Sequence[Path],
    retain: Sequence[Path],
    validation: Path,
    *,
    encoder: PathLike | TextEncoder,
    out: Path,
    methods: Sequence[str] = METHODS,
    candidates: PathLike | Mapping[str, Mapping[str, Any]] | None = None,
    every: int = 8,
    tolerance: float = TOLERANCE,
    benign: int = BENIGN,
    unsafe: int = UNSAFE,
    judge: str | Judge = "phrases",
    max_new_tokens: int = NEW_TOKENS,
    query_batch: int = 16,
    allow: Sequence[str] = (),
    images: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> UnlearningSettings:
    """Train and measure every missing candidate, write the results to `out`, and return them.

    The arguments are those of `unmirage.search_unlearning`.
    """
    for name, value in {"every": every, "benign": benign, "unsafe": unsafe}.items():
        if value < 1:
            raise UserError(f"{name}: {value} is out of range; valid: 1 or more")
    if not 0 < tolerance <= 1:
        raise UserError(f"tolerance: {tolerance:g} is out of range; valid: above 0, at most 1")
    data = AlignFiles(retain=retain, forget=forget, images=images, allow=allow).checked()
    file = open_samples(validation, images=images)
    samples = _new(with_unique_ids(file), [*data.forget, *data.retain], validation)
    known, name = sentence_encoder(encoder)
    (made,) = make_judges([judge])
    chosen = [
        *drawn((one for one in samples if not one.refused and one.answer.strip()), benign),
        *drawn((one for one in samples if one.refused), unsafe),
    ]
    measured = Validation(
        chosen,
        file.pictures,
        forget=drawn(data.forget, FORGET),
        forget_images=data.images,
        encoder=known,
        encoder_name=name,
        judge=made,
        max_new_tokens=max_new_tokens,
        batch_size=query_batch,
    )
    request = SearchRequest(
        model=model,
        data=data,
        common={**COMMON, **(settings or {})},
        methods=methods,
        candidates=read_candidates(candidates),
        every=every,
        tolerance=tolerance,
        forget_rows=FORGET,
        identity={
            "data": {
                "forget": [sha256_of(file) for file in forget],
                "retain": [sha256_of(file) for file in retain],
                "validation": sha256_of(validation),
            },
            "encoder": encoder_identity(encoder),
            "judge": made.name,
            "benign": benign,
            "unsafe": unsafe,
            "max_new_tokens": max_new_tokens,
        },
    )
    found = UnlearningSearch(request, measured, out, progress).run(commit_of_checkout())
    found.save(out / found.FILE)
    return found


def read_candidates(candidates: PathLike | Mapping[str, Mapping[str, Any]] | None) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings of candidates by name, from a YAML file or as given; empty for the built-in grid.

    Raises:
        UserError: the file is no mapping of names to settings.
    """
    if candidates is None or isinstance(candidates, Mapping):
        return candidates or {}
    path = Path(candidates)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise no_such("file", path) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: invalid YAML ({one_line(error)})") from None
    if not isinstance(found, dict) or not found or not all(isinstance(one, dict) for one in found.values()):
        raise UserError(f"{path}: not a mapping of candidates; write NAME: {{method: npo, learning_rate: 1e-5}}")
    return {str(name): one for name, one in found.items()}


def _new(samples: Sequence[Sample], training: Sequence[Sample], where: Path) -> list[Sample]:
    """Return the samples whose query is not in the training data; the others are counted."""
    new = held_out(samples, training)
    if left_out := len(samples) - len(new):
        log.warning(
            "%s: left out %s whose query is in the training data", where, counted(left_out, "validation sample")
        )
    return new


HEADS = [
    "candidate", "steps", "relevance", "benign refused", "retain loss", "forget loss", "held-out loss",
    "unsafe relevance", "ASR",
]  # fmt: skip


def table(found: UnlearningSettings) -> list[list[str]]:
    """Return a row for the base and for each measurement; the chosen settings of each method have a star."""
    stars = {(one.name, one.step) for one in found.chosen.values() if one is not None}
    rows = [["base", "0", *_cells(found.base)]]
    for candidate in found.candidates:
        for one in candidate.points:
            star = " *" if (candidate.name, one.step) in stars else ""
            rows.append([candidate.name + star, str(one.step), *_cells(one.kept)])
        if not candidate.points:
            rows.append([candidate.name, "diverged", *[""] * (len(HEADS) - 2)])
    return rows


def _cells(kept: Kept) -> list[str]:
    share = [f"{100 * one.value:.0f} %" if one.value is not None else "n/a" for one in (kept.rr, kept.asr)]
    losses = [_number(one) for one in (kept.retain_loss, kept.forget_loss, kept.held_out_loss)]
    return [_number(kept.relevance), share[0], *losses, _number(kept.unsafe_relevance), share[1]]


def _number(mean: Mean) -> str:
    return "n/a" if mean.value is None else f"{mean.value:.2f}"


def lines(found: UnlearningSettings) -> list[str]:
    """Return what the search chose, one line per method and one for all."""
    return [_line(found, method) for method in found.chosen]


def _line(found: UnlearningSettings, method: str) -> str:
    what, chosen = "all methods" if method == "any" else method, found.chosen[method]
    if chosen is None:
        return f"{what}: no setting forgets and keeps relevance within {found.tolerance:g} of the base's"
    (candidate,) = (one for one in found.candidates if one.name == chosen.name)
    (point,) = (one for one in candidate.points if one.step == chosen.step)
    rise = forgotten(found.base, point.kept)
    return f"{what}: {chosen.name}, {chosen.step} steps; held-out harmful answers lose {rise:.2f} nats per token"


def markdown(found: UnlearningSettings) -> str:
    """Return the table and the choice in Markdown."""
    return f"{markdown_table(HEADS, table(found))}\n\n" + "".join(f"- {line}\n" for line in lines(found))
