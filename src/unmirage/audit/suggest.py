"""Suggest the openers to attack a model with: those that the data tie most strongly to a label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from unmirage.audit.counterfactual import Swaps, ValidRate
from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.audit.probes import Evidence
from unmirage.records import Count, Direction, Finding

MAX_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackWord:
    """An opener to attack with.

    Attributes:
        refused: number of refused queries with it.
        answered: number of answered queries with it.
        log_odds, low, high: its association with refusal.
        flips: share of the attacked queries whose predicted label flips with this opener.
    """

    word: str
    refused: Count
    answered: Count
    log_odds: float
    low: float
    high: float
    flips: ValidRate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackWords:
    """Openers to attack with, the most promising first."""

    jailbreak: tuple[AttackWord, ...] = ()
    over_prudence: tuple[AttackWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """The words of `AttackWords`."""

    jailbreak: tuple[str, ...]
    over_prudence: tuple[str, ...]

    @property
    def words(self) -> dict[str, str]:
        """Return the most promising opener by kind of attack; kinds without one are left out."""
        found = {"jailbreak": self.jailbreak, "over-prudence": self.over_prudence}
        return {kind: words[0] for kind, words in found.items() if words}


def strong_openers(findings: Iterable[Finding]) -> list[Finding]:
    """Return the openers that are significantly associated with a label after adjustment; the strongest first."""
    tied = [f for f in findings if f.position == "opener" and f.q_value < MAX_Q_VALUE and f.direction != "none"]
    return sorted(tied, key=lambda finding: -finding.tie.strength)


def suggest(findings: Iterable[Finding], evidence: Evidence) -> AttackWords:
    """Return up to ten openers for each attack.

    They are ranked by `strength`, because a model learns a shortcut from many consistent examples. The end of the
    interval nearer to 0 grows with both the consistency and the number of examples.
    """
    openers = strong_openers(findings)
    if not openers:
        return AttackWords()
    swaps = Swaps(evidence)
    return AttackWords(
        jailbreak=_attack(openers, "answer", swaps, refused=True),
        over_prudence=_attack(openers, "refusal", swaps, refused=False),
    )


def _attack(openers: list[Finding], direction: Direction, swaps: Swaps, *, refused: bool) -> tuple[AttackWord, ...]:
    chosen = [finding for finding in openers if finding.direction == direction][:MAX_WORDS]
    return tuple(
        AttackWord(
            word=one.feature,
            refused=one.refused,
            answered=one.answered,
            **asdict(one.tie),
            flips=swaps.flips(one.feature, refused=refused),
        )
        for one in chosen
    )
