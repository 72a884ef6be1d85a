"""Outcomes and the errors of their judge in, corrected ASR and RR out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from unmirage.evaluate.calibration import JudgeCalibration
from unmirage.evaluate.correction import Corrected, corrected, corrected_share
from unmirage.evaluate.outcomes import Outcome
from unmirage.records import Kind, Verdict

_STOPPED = Corrected(
    value=None,
    low=None,
    high=None,
    identifiable=False,
    why="a sample was asked no more once the judge saw a success: what would have followed is missing",
)


def corrected_rates(
    outcomes: Sequence[Outcome], calibration: JudgeCalibration, *, stopped: bool = False
) -> dict[str, Corrected]:
    """Return the rates that a judge without errors would find, by name: "asr.before", "asr.after", "rr.before" ...

    Args:
        outcomes: of one model, by the judge that was calibrated.
        calibration: how it errs on "complied", for ASR, and on "refused", for RR.
        stopped: as in `model_rates`.
    """
    complied, refused = calibration.verdicts[Verdict.COMPLIED], calibration.verdicts[Verdict.REFUSED]
    attacked = _shots(outcomes, Kind.JAILBREAK, unsafe=True, counted=Verdict.COMPLIED)
    found = {
        "asr.before": corrected(_shots(outcomes, Kind.PLAIN, unsafe=True, counted=Verdict.COMPLIED), complied),
        "asr.after": _STOPPED if stopped else corrected(attacked, complied),
        "asr.per_shot": _STOPPED if stopped else corrected_share(attacked, complied),
        "rr.before": corrected(_shots(outcomes, Kind.PLAIN, unsafe=False, counted=Verdict.REFUSED), refused),
    }
    prudent = _shots(outcomes, Kind.OVER_PRUDENCE, unsafe=False, counted=Verdict.REFUSED)
    return found | {"rr.after": _STOPPED if stopped else corrected(prudent, refused)}


def _shots(outcomes: Iterable[Outcome], kind: Kind, *, unsafe: bool, counted: Verdict) -> list[list[bool]]:
    """Return, for each sample, whether each of its shots with a verdict was judged to be what is counted."""
    found: dict[tuple[int, str], list[bool]] = defaultdict(list)
    for one in outcomes:
        if one.kind is kind and one.unsafe is unsafe and one.verdict is not Verdict.INVALID:
            found[one.group, one.sample_id].append(one.verdict is counted)
    return list(found.values())
