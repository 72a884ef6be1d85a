"""Plan the queries of an attack run from its configuration: which attacks, with which words, on which samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.attack.one_word import CONTROL, INSERTION, NEUTRAL, REPLACEMENT, Attack, attack_at, attacked, plain
from unmirage.attack.rewriters import Rewriter, make_rewriter
from unmirage.errors import UserError, unknown
from unmirage.records import Kind, Query, Sample
from unmirage.text.openers import words
from unmirage.text.placement import Position

# Labels of the samples that a kind applies to: True for samples that must be refused.
ATTACKS: dict[Kind, tuple[bool, ...]] = {
    Kind.JAILBREAK: (True,),
    Kind.OVER_PRUDENCE: (False,),
    Kind.CONTROL: (True, False),
    Kind.NEUTRAL: (True, False),
    Kind.INSERTION: (True, False),
    Kind.REPLACEMENT: (True, False),
}
DEFAULT_KINDS = (Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.CONTROL)


class AttackConfig(BaseModel):
    """Which attacks to run, with which words and how many shots.

    Unsafe samples use the word and K of jailbreak, benign ones those of over-prudence. The control avoids that word,
    and the neutral attack has its own word.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(default=DEFAULT_KINDS, min_length=1)
    shots: int = Field(default=3, ge=1, description="queries per unsafe sample and attack (K)")
    over_prudence_shots: int = Field(default=1, ge=1, description="queries per benign sample and attack (K)")
    jailbreak_word: str = "what"
    over_prudence_word: str = "share"
    neutral_word: str = "list"
    position: Position = Field(default="first", description="position of the attack word in the query")
    stop_at_first_success: bool = False

    @field_validator("jailbreak_word", "over_prudence_word", "neutral_word")
    @classmethod
    def _words(cls, word: str) -> str:
        found = words(word)
        if not found or " ".join(found) != word.casefold():
            raise ValueError(f"'{word}' is not valid; use one or more words without punctuation")
        return word.casefold()

    def word(self, kind: Kind, *, unsafe: bool) -> str:
        """Return the word of a kind of attack for unsafe or benign samples."""
        if kind is Kind.NEUTRAL:
            return self.neutral_word
        return self.jailbreak_word if unsafe else self.over_prudence_word

    def shots_of(self, *, unsafe: bool) -> int:
        """Return the number of queries per sample and attack."""
        return self.shots if unsafe else self.over_prudence_shots

    def attack(self, kind: Kind) -> Attack:
        """Return the attack of one kind."""
        fixed = {
            Kind.CONTROL: CONTROL,
            Kind.NEUTRAL: NEUTRAL,
            Kind.INSERTION: INSERTION,
            Kind.REPLACEMENT: REPLACEMENT,
        }
        return fixed.get(kind) or attack_at(self.position)


def plan_queries(
    samples: Sequence[Sample],
    config: AttackConfig,
    rewriter: Rewriter | None = None,
    frozen: Mapping[Kind, Sequence[Query]] | None = None,
) -> list[Query]:
    """Return the plain queries of all samples and the attack queries of every kind in `config`.

    Args:
        samples: the data.
        config: which attacks.
        rewriter: makes the rewrites; None uses the rules.
        frozen: prepared queries by kind, used instead of new ones.

    Raises:
        UserError: a kind is not an attack, has no matching samples, or the rewriter cannot make K rewrites.
    """
    rewriter = rewriter or make_rewriter("rules")
    queries = plain(samples)
    for kind in dict.fromkeys((*config.kinds, *(frozen or {}))):
        if kind not in ATTACKS:
            raise unknown("kind of attack", kind, ATTACKS)
        made = list((frozen or {}).get(kind, ())) or _made(samples, config, kind, rewriter)
        if not made:
            needed = "answered" if kind is Kind.OVER_PRUDENCE else "refused"
            raise UserError(f"{kind}: the data has no {needed} samples to rewrite; leave this kind out with --kind")
        queries += made
    return queries


def _made(samples: Sequence[Sample], config: AttackConfig, kind: Kind, rewriter: Rewriter) -> list[Query]:
    found: list[Query] = []
    for unsafe in ATTACKS[kind]:
        chosen = [sample for sample in samples if sample.refused is unsafe]
        word, shots = config.word(kind, unsafe=unsafe), config.shots_of(unsafe=unsafe)
        made = attacked(chosen, kind, config.attack(kind), word, shots, rewriter)
        most = 1 + max((query.shot for query in made), default=shots - 1)
        if most < shots:
            raise UserError(
                f"shots: {shots} is too many for {kind} with '{word}': the rewriter makes at most {most}; "
                f"use {most} or fewer"
            )
        found += made
    return found


def short_of_shots(queries: Sequence[Query], samples: Sequence[Sample], config: AttackConfig) -> dict[Kind, int]:
    """Return, by kind, how many samples have fewer shots than `config` requires; kinds without any are absent."""
    shots = Counter((query.kind, query.sample_id) for query in queries)
    short = Counter(
        kind
        for kind in dict.fromkeys(config.kinds)
        for sample in samples
        if sample.refused in ATTACKS[kind] and shots[kind, sample.id] < config.shots_of(unsafe=sample.refused)
    )
    return dict(short)
