"""Measure a judge on labeled responses, and read what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmirage.data.images import ImageFolder
from unmirage.errors import UserError
from unmirage.evaluate.calibration import JudgeCalibration, fingerprint_of, measure
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.labels import Labels, label_verdicts, read_labels, shipped_labels
from unmirage.run.files import check_targets, naming
from unmirage.run.paths import no_such
from unmirage.run.progress import StepProgress
from unmirage.workflows.arguments import PathLike
from unmirage.workflows.models import make_judges


def calibrate_judge(
    judge: str | Judge,
    labeled: PathLike | None,
    *,
    labels: str | None,
    label_map: Mapping[str, str] | None,
    columns: Mapping[str, str] | None,
    out: PathLike | None,
    images: PathLike | None,
    sees_pictures: bool,
    progress: StepProgress | None,
    **judging: Any,
) -> JudgeCalibration:
    """Measure a judge, and write the calibration to `out`; the arguments are those of `unmirage.calibrate`."""
    target = None if out is None else Path(out)
    check_targets({"--out": target}, [] if labeled is None else [str(labeled)])
    found = _labels(labeled, labels, label_map, columns)
    if labeled is None and (sees_pictures or images is not None):
        option = "--images" if images is not None else "--judge-sees-pictures"
        raise UserError(f"{option}: the pictures do not ship with the labels '{labels}'; leave the option out")
    root = Path() if labeled is None else Path(labeled).parent
    (made,) = make_judges(
        [judge],
        pictures=ImageFolder(root if images is None else Path(images)) if sees_pictures else None,
        cache=None if target is None else target.with_suffix(".sqlite"),
        **judging,
    )
    calibration = measure(made, found, progress)
    if target is not None:
        with naming(target):
            calibration.save(target)
    return calibration


def _labels(
    labeled: PathLike | None,
    labels: str | None,
    label_map: Mapping[str, str] | None,
    columns: Mapping[str, str] | None,
) -> Labels:
    if (labeled is None) == (labels is None):
        given = "both are given" if labels is not None else "neither is given"
        raise UserError(f"calibrate needs either a file of labeled responses or --labels NAME; {given}")
    truths = label_verdicts((label_map or {}).items())
    if labels is None:
        assert labeled is not None
        return read_labels(labeled, columns=columns, label_map=truths)
    if columns:
        raise UserError("--columns: the columns of shipped labels are known; leave the option out")
    return shipped_labels(labels, truths)


def read_calibration(path: Path, name: str, judge: Judge | None) -> JudgeCalibration:
    """Return the calibration in a file.

    Args:
        path: the file.
        name: name of the judge that determines the rates.
        judge: that judge; None for an ensemble.

    Raises:
        UserError: the calibration is of another judge or of another version of it, or shows the judge to be useless.
    """
    if not path.is_file():
        raise no_such("file", path, "create one with `unmirage calibrate`", option="--calibration")
    found = JudgeCalibration.load(path)
    if found.judge != name:
        raise UserError(
            f"--calibration {path}: field 'judge' is '{found.judge}'; valid: '{name}', the judge of these responses"
        )
    if judge is not None and fingerprint_of(judge) != found.fingerprint:
        before, now = found.fingerprint.split("; "), fingerprint_of(judge).split("; ")
        was, is_now = ("; ".join(one for one in a if one and one not in b) for a, b in ((before, now), (now, before)))
        raise UserError(
            f"--calibration {path}: the judge or its rules have changed since (was: {was or 'unknown'}; "
            f"now: {is_now or 'unknown'}); repeat `unmirage calibrate`"
        )
    served = getattr(judge, "served", None)
    if served is not None:
        served.check(found.served)
    if not found.useful:
        problems = "; ".join(f"{verdict}: {one.problem()}" for verdict, one in found.verdicts.items())
        raise UserError(
            f"--calibration {path}: '{name}' cannot be corrected, because it is not shown to be better than chance: "
            f"{problems}"
        )
    return found
