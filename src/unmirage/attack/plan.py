"""Which attacks to make with which words: a config and samples in, all queries of a run out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.attack.one_word import control, jailbreak, over_prudence, plain
from unmirage.errors import UserError, unknown
from unmirage.records import Kind, Query, Sample
from unmirage.text.openers import opener

ATTACKS: dict[Kind, Callable[[Iterable[Sample], str, int], list[Query]]] = {
    Kind.JAILBREAK: jailbreak,
    Kind.OVER_PRUDENCE: over_prudence,
    Kind.CONTROL: control,
}


class AttackConfig(BaseModel):
    """What to attack with. The control avoids the word of the jailbreak."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(default=tuple(ATTACKS), min_length=1)
    shots: int = Field(default=3, ge=1, description="K of the jailbreak and its control")
    over_prudence_shots: int = Field(default=1, ge=1)
    jailbreak_word: str = "what"
    over_prudence_word: str = "share"

    @field_validator("jailbreak_word", "over_prudence_word")
    @classmethod
    def _one_word(cls, word: str) -> str:
        if not word or opener(word) != word.casefold():
            raise ValueError(f"'{word}' is not one word without punctuation")
        return word.casefold()

    def word(self, kind: Kind) -> str:
        """Return the word of one kind of attack."""
        return self.over_prudence_word if kind is Kind.OVER_PRUDENCE else self.jailbreak_word

    def shots_of(self, kind: Kind) -> int:
        """Return how often each sample is rewritten for one kind of attack."""
        return self.over_prudence_shots if kind is Kind.OVER_PRUDENCE else self.shots


def plan_queries(samples: Sequence[Sample], config: AttackConfig) -> list[Query]:
    """Return the plain queries of all samples and the rewritten ones of every kind in `config`.

    Raises:
        UserError: a kind is no attack, no sample is there that it could rewrite, or K is out of its reach.
    """
    queries = plain(samples)
    for kind in dict.fromkeys(config.kinds):
        if kind not in ATTACKS:
            raise unknown("kind of attack", kind, ATTACKS)
        made = ATTACKS[kind](samples, config.word(kind), config.shots_of(kind))
        if not made:
            needed = "answered" if kind is Kind.OVER_PRUDENCE else "refused"
            raise UserError(f"{kind}: the data has no {needed} samples to rewrite; leave it out with --kind")
        most = 1 + max(query.shot for query in made)
        if most < config.shots_of(kind):
            raise UserError(
                f"shots: {config.shots_of(kind)} is too many for {kind} with '{config.word(kind)}'; "
                f"the rewriter knows {most} wordings"
            )
        queries += made
    return queries


def short_of_shots(queries: Sequence[Query], config: AttackConfig) -> dict[Kind, int]:
    """Return how many samples of each kind got fewer rewrites than `config` asks for; kinds without any are absent."""
    shots = Counter((query.kind, query.sample_id) for query in queries if query.kind in ATTACKS)
    return dict(Counter(kind for (kind, _), made in shots.items() if made < config.shots_of(kind)))
