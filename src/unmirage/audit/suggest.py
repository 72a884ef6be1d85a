"""Suggest attack words: openers that are likely to flip a model trained on these data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unmirage.audit.counterfactual import Swaps
from unmirage.audit.findings import MAX_Q_VALUE
from unmirage.audit.probes import Evidence
from unmirage.records import Direction, Finding, Rate

MAX_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackWord:
    """An opener to attack with.

    Attributes:
        word: the opener.
        finding: its association with a label.
        flips: share of the attacked queries whose predicted label flips with this opener.
    """

    word: str
    finding: Finding
    flips: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Openers to attack with, the most promising first."""

    jailbreak: tuple[AttackWord, ...]
    over_prudence: tuple[AttackWord, ...]

    @property
    def words(self) -> dict[str, str]:
        """Return the most promising opener by kind of attack; kinds without one are left out."""
        found = {"jailbreak": self.jailbreak, "over-prudence": self.over_prudence}
        return {kind: words[0].word for kind, words in found.items() if words}


def strong_openers(findings: Iterable[Finding]) -> list[Finding]:
    """Return the openers that are significantly associated with a label after adjustment; the strongest first."""
    tied = [f for f in findings if f.position == "opener" and f.q_value < MAX_Q_VALUE and f.direction != "none"]
    return sorted(tied, key=lambda finding: -finding.tie.strength)


def suggest(findings: Iterable[Finding], evidence: Evidence) -> Suggested:
    """Return up to ten openers for each attack.

    They are ranked by `strength`, because a model learns a shortcut from many consistent examples. The end of the
    interval nearer to 0 grows with both the consistency and the number of examples.
    """
    openers = strong_openers(findings)
    if not openers:
        return Suggested(jailbreak=(), over_prudence=())
    swaps = Swaps(evidence)
    return Suggested(
        jailbreak=_attack(openers, "answer", swaps, refused=True),
        over_prudence=_attack(openers, "refusal", swaps, refused=False),
    )


def _attack(openers: list[Finding], direction: Direction, swaps: Swaps, *, refused: bool) -> tuple[AttackWord, ...]:
    chosen = [finding for finding in openers if finding.direction == direction][:MAX_WORDS]
    return tuple(
        AttackWord(word=one.feature, finding=one, flips=swaps.flips(one.feature, refused=refused)) for one in chosen
    )
