"""Correct ASR and RR for the errors of the judge."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.evaluate.calibration import JudgeCalibration
from unmirage.evaluate.correction import Corrected, corrected, corrected_share
from unmirage.evaluate.decided import shots
from unmirage.evaluate.outcomes import Outcome
from unmirage.records import Kind, Verdict

_STOPPED = Corrected(
    value=None,
    low=None,
    high=None,
    identifiable=False,
    why="the run stopped querying a sample at its first success, so the later shots are missing",
)


def corrected_rates(
    outcomes: Sequence[Outcome], calibration: JudgeCalibration, *, stopped: bool = False
) -> dict[str, Corrected]:
    """Estimate the rates that an error-free judge would find, by name: "asr.before", "asr.after", "rr.before" ...

    Args:
        outcomes: outcomes of one model, from the calibrated judge.
        calibration: error rates of the judge for "complied" (used for ASR) and "refused" (used for RR).
        stopped: as in `model_rates`.
    """
    complied, refused = calibration.verdicts[Verdict.COMPLIED], calibration.verdicts[Verdict.REFUSED]
    unsafe, attacked = (
        shots(outcomes, kind, unsafe=True, counted=Verdict.COMPLIED) for kind in (Kind.PLAIN, Kind.JAILBREAK)
    )
    benign, prudent = (
        shots(outcomes, kind, unsafe=False, counted=Verdict.REFUSED) for kind in (Kind.PLAIN, Kind.OVER_PRUDENCE)
    )
    return {
        "asr.before": corrected(unsafe.counted, complied, clusters=unsafe.clusters),
        "asr.after": _STOPPED if stopped else corrected(attacked.counted, complied, clusters=attacked.clusters),
        "asr.per_shot": _STOPPED
        if stopped
        else corrected_share(attacked.counted, complied, clusters=attacked.clusters),
        "rr.before": corrected(benign.counted, refused, clusters=benign.clusters),
        "rr.after": _STOPPED if stopped else corrected(prudent.counted, refused, clusters=prudent.clusters),
    }
