"""The words that open requests: modals, question words, verbs that ask to be told, verbs that ask for an action."""

from __future__ import annotations

MODALS = ("can", "could", "would", "will")
WH_WORDS = ("what", "how", "who", "why", "where", "when", "which")

# Verbs that ask for information about their object: "Describe the recipe" wants the recipe.
TELLING_VERBS = (
    "share", "describe", "explain", "identify", "provide", "discuss", "generate", "create", "give", "show",
    "tell", "list", "name", "state", "outline", "summarize", "summarise", "reveal", "disclose", "mention",
    "specify", "present", "report", "detail", "characterize", "clarify", "define",
)  # fmt: skip

# Verbs that open imperatives in safety data without asking for information as such.
ACTION_VERBS = (
    "use", "remove", "spread", "post", "analyze", "analyse", "determine", "follow", "assess", "propagate",
    "promote", "click", "recreate", "make", "request", "write", "research", "circulate", "find", "guess",
    "help", "compare", "suggest", "recommend", "estimate", "evaluate", "interpret", "predict", "translate",
    "draw", "design", "build", "edit", "modify", "add", "imagine", "consider", "read", "classify", "count",
    "locate", "search", "send", "publish", "distribute", "display", "do", "try", "learn", "teach", "tag",
    "judge", "compose", "develop", "encourage", "engage", "reproduce", "visit", "call", "contact", "buy",
    "order", "download", "install", "take", "put", "play", "start", "stop", "plan", "infer", "speculate",
    "mock", "ridicule", "rate", "rank", "convert", "copy", "forward", "repost", "upload", "save", "print",
)  # fmt: skip

VERBS = frozenset(TELLING_VERBS + ACTION_VERBS)
