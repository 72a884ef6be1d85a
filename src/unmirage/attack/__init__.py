"""One-word attacks: samples become queries."""

from unmirage.attack.one_word import control, jailbreak, over_prudence, plain
from unmirage.attack.plan import ATTACKS, AttackConfig, plan_queries, short_of_shots

__all__ = [
    "ATTACKS",
    "AttackConfig",
    "control",
    "jailbreak",
    "over_prudence",
    "plain",
    "plan_queries",
    "short_of_shots",
]
