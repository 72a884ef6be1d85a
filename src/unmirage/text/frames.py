"""Sentence frames: how English asks for a thing, an action, or the answer to a question, by opener.

A frame is a template with two slots: `{w}` is the opener, `{x}` what is asked for. The same table is read in
both directions: the rewriter fills frames, and finds the request inside a query by matching them.
"""

from __future__ import annotations

from typing import Literal

RequestKind = Literal["thing", "action", "clause", "question"]

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

# Verbs whose object is made or handed over: one cannot "create what is shown here".
_MAKING_VERBS = ("provide", "generate", "create", "give", "present")

_VERB_TAILS = (".", " for me.", " in detail.", " in a few words.", ", please.")


def _you(*rests: str) -> dict[str, tuple[str, ...]]:
    return {modal: tuple("{w} you " + rest for rest in rests) for modal in MODALS}


FRAMES: dict[RequestKind, dict[str, tuple[str, ...]]] = {
    "thing": {
        "what": (
            "{w} {be} {x}?",
            "{w} can you tell me about {x}?",
            "{w} would you say about {x}?",
            "{w} do you know about {x}?",
        ),
        "how": (
            "{w} would you describe {x}?",
            "{w} do you explain {x}?",
            "{w} much can you say about {x}?",
            "{w} would you put {x} into words?",
        ),
        "who": (
            "{w} can tell me about {x}?",
            "{w} could explain {x}?",
            "{w} knows about {x}?",
            "{w} would describe {x}?",
        ),
        "why": (
            "{w} not tell me about {x}?",
            "{w} not describe {x}?",
            "{w} not explain {x}?",
            "{w} not give me {x}?",
        ),
        "where": (
            "{w} can I read about {x}?",
            "{w} could I learn about {x}?",
            "{w} do I look for {x}?",
            "{w} is {x} explained?",
        ),
        "when": (
            "{w} can you tell me about {x}?",
            "{w} will you describe {x}?",
            "{w} will you explain {x}?",
            "{w} could you give me {x}?",
        ),
        "which": (
            "{w} facts do you know about {x}?",
            "{w} details can you give me about {x}?",
            "{w} words describe {x}?",
            "{w} answer describes {x}?",
        ),
        "please": (
            "{w} tell me about {x}.",
            "{w} describe {x}.",
            "{w} explain {x}.",
            "{w} give me {x}.",
        ),
        "tell": (
            "{w} me about {x}.",
            "{w} me about {x} in detail.",
            "{w} me all about {x}.",
            "{w} us about {x}.",
        ),
        **_you("tell me about {x}?", "describe {x}?", "explain {x}?", "give me {x}?"),
        "verb": tuple("{w} {x}" + tail for tail in _VERB_TAILS),
    },
    "action": {
        "what": (
            "{w} is the best way to {x}?",
            "{w} would it take to {x}?",
            "{w} do I need to know to {x}?",
            "{w} steps does it take to {x}?",
        ),
        "how": ("{w} can I {x}?", "{w} would you {x}?", "{w} do I {x}?", "{w} should I {x}?"),
        "who": ("{w} can help me {x}?", "{w} could show me how to {x}?", "{w} would {x} for me?"),
        "why": ("{w} not {x}?", "{w} not help me {x}?", "{w} not show me how to {x}?"),
        "where": ("{w} can I {x}?", "{w} could I {x}?", "{w} do I learn how to {x}?"),
        "when": ("{w} can I {x}?", "{w} should I {x}?", "{w} will you help me {x}?"),
        "which": (
            "{w} steps does it take to {x}?",
            "{w} way is best to {x}?",
            "{w} tools do I need to {x}?",
        ),
        "please": ("{w} {x}.", "{w} help me {x}.", "{w} show me how to {x}.", "{w} {x} for me."),
        "tell": ("{w} me how to {x}.", "{w} me the best way to {x}.", "{w} me the steps to {x}."),
        **_you("{x}?", "help me {x}?", "show me how to {x}?", "{x} for me?"),
        "verb": ("{w} how to {x}.", "{w} the best way to {x}.", "{w} the steps to {x}.", "{w} a way to {x}."),
    },
    "clause": {
        "what": ("{w} can you tell me about {x}?", "{w} would you say about {x}?", "{w} do you know about {x}?"),
        "how": ("{w} would you explain {x}?", "{w} can one tell {x}?", "{w} do you know {x}?"),
        "who": ("{w} can tell me {x}?", "{w} could explain {x}?", "{w} knows {x}?"),
        "why": ("{w} not tell me {x}?", "{w} not explain {x}?", "{w} not say {x}?"),
        "where": ("{w} can I find out {x}?", "{w} could I learn {x}?", "{w} is it said {x}?"),
        "when": ("{w} can you tell me {x}?", "{w} will you explain {x}?", "{w} could you say {x}?"),
        "which": ("{w} words say {x}?", "{w} facts show {x}?", "{w} answer tells me {x}?"),
        "please": ("{w} tell me {x}.", "{w} explain {x}.", "{w} say {x}.", "{w} work out {x}."),
        "tell": ("{w} me {x}.", "{w} us {x}.", "{w} me in detail {x}.", "{w} me, please, {x}."),
        **_you("tell me {x}?", "explain {x}?", "say {x}?", "work out {x}?"),
        **dict.fromkeys(_MAKING_VERBS, ("{w} a description of {x}.", "{w} an account of {x}.", "{w} a note on {x}.")),
        "verb": ("{w} {x}.", "{w} {x}, please.", "{w} in detail {x}.", "{w} in a few words {x}."),
    },
    "question": {
        "what": (
            "{w} is your answer to this question: {x}?",
            "{w} would you answer if I asked: {x}?",
            "{w} do you reply to this question: {x}?",
            "{w} can you say to this question: {x}?",
        ),
        "how": (
            "{w} would you answer this question: {x}?",
            "{w} do you reply to this question: {x}?",
            "{w} should one answer this question: {x}?",
        ),
        "who": (
            "{w} can answer this question: {x}?",
            "{w} knows the answer to this question: {x}?",
            "{w} could tell me: {x}?",
        ),
        "why": (
            "{w} not answer this question: {x}?",
            "{w} not reply to this question: {x}?",
            "{w} not tell me: {x}?",
        ),
        "where": (
            "{w} can I find the answer to this question: {x}?",
            "{w} do I find out: {x}?",
            "{w} could I ask: {x}?",
        ),
        "when": (
            "{w} can you answer this question: {x}?",
            "{w} will you tell me: {x}?",
            "{w} could you reply to this question: {x}?",
        ),
        "which": (
            "{w} answer do you give to this question: {x}?",
            "{w} reply fits this question: {x}?",
            "{w} answer is right for this question: {x}?",
        ),
        "please": (
            "{w} answer this question: {x}?",
            "{w} reply to this question: {x}?",
            "{w} tell me: {x}?",
        ),
        "tell": ("{w} me: {x}?", "{w} me your answer to this question: {x}?", "{w} us: {x}?", "{w} me, {x}?"),
        **_you("answer this question: {x}?", "tell me: {x}?", "reply to this question: {x}?"),
        "verb": (
            "{w} your answer to this question: {x}?",
            "{w} your reply to this question: {x}?",
            "{w} your thoughts on this question: {x}?",
            "{w} the answer to this question: {x}?",
        ),
    },
}


def frames_for(kind: RequestKind, opener: str) -> tuple[str, ...]:
    """Return the frames in which `opener` can ask for a request of this kind; () if it cannot open one."""
    table = FRAMES[kind]
    if opener in table:
        return table[opener]
    return table["verb"] if opener in VERBS else ()
