"""Guard models as judges, local or on a server. To add one, add a module with its `GUARDS` and list it here."""

from unmirage.evaluate.judges.guards import (
    guardreasoner_vl,
    harmbench,
    llama_guard,
    qwen3guard,
    shieldgemma2,
    wildguard,
)
from unmirage.evaluate.judges.guards.base import Guard, Labels, Prompt
from unmirage.evaluate.judges.guards.judge import GuardJudge

_FAMILIES = (qwen3guard, llama_guard, wildguard, harmbench, shieldgemma2, guardreasoner_vl)
GUARDS = {guard.name: guard for family in _FAMILIES for guard in family.GUARDS}

__all__ = ["GUARDS", "Guard", "GuardJudge", "Labels", "Prompt"]
