"""Find out which words refusals depend on, in data and in a model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unmirage.api.checks import checked
from unmirage.run.progress import Progress
from unmirage.workflows.arguments import READING, PathLike, local_model

if TYPE_CHECKING:
    from unmirage.attack.documents import Explanation, SearchResult
    from unmirage.attack.rewriters import Rewriter
    from unmirage.audit import AuditResult
    from unmirage.audit.pictures import Encoder
    from unmirage.data import SampleFile
    from unmirage.data.labels import Label
    from unmirage.models import HuggingFaceVLM
    from unmirage.run import Run

log = logging.getLogger(__name__)


@checked
def audit(
    data: PathLike | SampleFile,
    *,
    test: PathLike | SampleFile | None = None,
    compare: PathLike | SampleFile | None = None,
    label: Label | None = None,
    part: str = "query",
    seed: int = 0,
    encoder: PathLike | Encoder | None = None,
    write_balanced: PathLike | None = None,
    write_diversified: PathLike | None = None,
    write_weighted: PathLike | None = None,
    write_twins: PathLike | None = None,
    balanced_size: int | float | None = None,
    balanced_refused: float | None = None,
    balanced_copies: int | None = None,
    weighted_refused: float | None = None,
    weighted_max: float | None = None,
    twins_per_row: int | None = None,
    twins_rewriter: str | Rewriter = "rules",
    progress: Progress | None = None,
    **reading: Any,
) -> AuditResult:
    """Find the surface features of queries and pictures that predict which queries are refused.

    Args:
        data: refused and answered queries.
        test: held-out data to measure predictability on; None cross-validates `data`.
        compare: another version of the data, to compare with; its pictures are in its own folder.
        label: take the label from the "field" or from the "answer" of the data, or state it for all samples,
            "refused" or "answered"; None for the format's default.
        part: text to audit: the "query", or the "reasoning" of the answer.
        seed: seed of folds, draws and rewordings.
        encoder: directory of a vision encoder, or a function, to probe picture embeddings.
        write_balanced: file for a version with queries dropped so that openers do not predict the label.
        write_diversified: file for a version whose queries are reworded so that openers do not predict the label.
        write_weighted: file for a version with a `weight` for each row, under which openers do not predict the label.
        write_twins: file for a version with reworded queries added, so that each opener has both labels.
        balanced_size: rows of the balanced version at most: a number, or as a float a share of all rows.
        balanced_refused: share of refused rows in the balanced version.
        balanced_copies: how often a row may be in the balanced version.
        weighted_refused: share of the weight that refused rows have; None for 0.5.
        weighted_max: greatest weight; None for 10.
        twins_per_row: how often a row is reworded for a twin at most; None for 4.
        twins_rewriter: makes the wordings of twins: "rules", "endpoint:URL#model", or a rewriter.
        progress: called while the audit runs.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.

    Raises:
        UserError: data cannot be read, or a version cannot be written or compared.
    """
    from unmirage.workflows.audit import audit_data

    done = audit_data(
        data,
        test=test,
        compare=compare,
        label=label,
        part=part,
        seed=seed,
        encoder=encoder,
        write={
            "balanced": write_balanced,
            "diversified": write_diversified,
            "weighted": write_weighted,
            "twins": write_twins,
        },
        remedies={
            "balanced_size": balanced_size,
            "balanced_refused": balanced_refused,
            "balanced_copies": balanced_copies,
            "weighted_refused": weighted_refused,
            "weighted_max": weighted_max,
            "twins_per_row": twins_per_row,
        },
        twins_rewriter=twins_rewriter,
        progress=progress,
        **reading,
    )
    for line in done.notes:
        log.warning(line)
    for line in done.unread:
        log.warning("some data could not be read: %s", line)
    if done.error is not None:
        raise done.error
    return done.result


@checked
def search(
    model: PathLike | HuggingFaceVLM,
    data: PathLike | SampleFile,
    *,
    out: PathLike | None = None,
    limit: int | None = None,
    words: PathLike | Sequence[str] | None = None,
    starts: Sequence[str] | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    **settings: Any,
) -> SearchResult:
    """Search for the openers that change a model's probability of refusal the most.

    The search uses one half of the samples; the reported values come from the other half.

    Args:
        model: model with local weights: directory, hub id, or loaded.
        data: unsafe and benign queries.
        out: file to write the result to, for `attack(search_result=...)`.
        limit: maximum number of samples, drawn by label.
        words: candidates, or a file with one per line; None for the whole words of the tokenizer.
        starts: first words of refusals; None for common ones and those in the data.
        dtype, device: as in `load_model`.
        progress: called while the search runs.
        settings: fields of `SearchConfig`, such as `kind="jailbreak"`, `method="white-box"`, `seed=0`; and `format`,
            `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.workflows.understand import search_words

    reading = {name: settings.pop(name) for name in READING if name in settings}
    return search_words(
        local_model(model, dtype, device),
        data,
        settings,
        out=out,
        words=words,
        starts=starts,
        limit=limit,
        progress=progress,
        **reading,
    )[0]


@checked
def explain(
    model: PathLike | HuggingFaceVLM,
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
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    **reading: Any,
) -> Explanation:
    """Leave out each word of a query in turn, and measure the change in the probability of refusal.

    Args:
        model: model with local weights: directory, hub id, or loaded.
        data: its refused queries are explained.
        out: JSON file to write the result to.
        run: run to write the result to, for its report.
        benign: explain the answered queries instead.
        mode: "leave-out" or "mask".
        starts: first words of refusals; None for common ones and those in the data.
        limit, seed: maximum number of queries, and seed of the draw.
        batch_size: queries per batch.
        dtype, device: as in `load_model`.
        progress: called while queries are asked.
        reading: `format`, `columns`, `images` and `skip_bad` of `unmirage.data.open_samples`.
    """
    from unmirage.workflows.understand import explain_refusals

    return explain_refusals(
        local_model(model, dtype, device),
        data,
        out=out,
        run=run,
        benign=benign,
        mode=mode,
        starts=starts,
        limit=limit,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
        **reading,
    )[0]
