"""One-word attacks: turn samples into attack queries and their controls."""

from unmirage.attack.plan import (
    ATTACKS,
    DEFAULT_KINDS,
    AttackConfig,
    Short,
    frozen_samples,
    plain,
    plan_queries,
    prebuilt_queries,
    short_of_shots,
)

__all__ = [
    "ATTACKS",
    "DEFAULT_KINDS",
    "AttackConfig",
    "Short",
    "frozen_samples",
    "plain",
    "plan_queries",
    "prebuilt_queries",
    "short_of_shots",
]
