"""One-word attacks: turn samples into attack queries and their controls."""

from unmirage.attack.frozen import frozen_queries, frozen_samples
from unmirage.attack.one_word import plain
from unmirage.attack.plan import ATTACKS, DEFAULT_KINDS, AttackConfig, plan_queries, short_of_shots

__all__ = [
    "ATTACKS",
    "DEFAULT_KINDS",
    "AttackConfig",
    "frozen_queries",
    "frozen_samples",
    "plain",
    "plan_queries",
    "short_of_shots",
]
