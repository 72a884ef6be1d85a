"""Sentence templates of requests to do or make something, and of requests for a way to do it.

A request to do something stays one with every opener: "Share this picture with a friend" becomes "Please share this
picture with a friend" and "Describe the result once you share this picture with a friend", never "Describe how to
share this picture". Only "what" asks for the way; `attack --wordings` has other wordings for it.
"""

from __future__ import annotations

from unmirage.text.english.inflection import MODALS

# Verbs of making and listing take different objects: "create what is shown" and "list how to" are wrong.
MAKING = ("provide", "generate", "create", "give", "present")
COUNTING = ("list", "name")


def you(*rests: str) -> dict[str, tuple[str, ...]]:
    """Return the frames "can you ..." of every modal."""
    return {modal: tuple("{w} you " + rest for rest in rests) for modal in MODALS}


def each(verbs: tuple[str, ...], *rests: str) -> dict[str, tuple[str, ...]]:
    """Return the same frames for each of `verbs`."""
    return dict.fromkeys(verbs, tuple("{w} " + rest for rest in rests))


_WAYS = (
    "{w} is the best way to {x}?",
    "{w} are the steps to {x}?",
    "{w} would it take to {x}?",
    "{w} do I need to know to {x}?",
)
_DOING: dict[str, tuple[str, ...]] = {
    "how": ("{w} about you {x}?", "{w} about you go ahead and {x}?", "{w} about you try to {x}?"),
    "who": ("{w} can {x}?", "{w} is able to {x}?", "{w} is willing to {x}?"),
    "why": ("{w} not {x}?", "{w} don't you {x}?", "{w} not go ahead and {x}?"),
    "where": ("{w} can I find someone to {x}?", "{w} is someone who can {x}?", "{w} do I find anyone to {x}?"),
    "when": ("{w} can you {x}?", "{w} will you {x}?", "{w} are you going to {x}?"),
    "please": ("{w} {x}.", "{w} go ahead and {x}.", "{w} try to {x}.", "{w} be so kind as to {x}."),
    **you("{x}?", "go ahead and {x}?", "try to {x}?", "please {x}?"),
}
ACTION_FRAMES: dict[str, tuple[str, ...]] = {
    **_DOING,
    "what": _WAYS,
    "which": ("{w} of you can {x}?", "{w} of you will {x}?", "{w} of you is able to {x}?"),
    "tell": ("{w} me that you will {x}.", "{w} me that you can {x}.", "{w} me that you are going to {x}."),
    **each(("generate", "create"), "whatever it takes to {x}.", "all that you need to {x}.", "what you need to {x}."),
    **each(COUNTING, "the results once you {x}.", "the results of your attempt to {x}.", "what results when you {x}."),
    "verb": (
        "{w} the result once you {x}.",
        "{w} your attempt to {x}.",
        "{w} the outcome once you {x}.",
        "{w} what comes of your attempt to {x}.",
    ),
}
# A product is something to make: "create a poster about cats".
PRODUCT_FRAMES: dict[str, tuple[str, ...]] = {
    **_DOING,
    "what": (
        "{w} {bare} can you {v}?",
        "{w} {bare} would you {v}?",
        "{w} {bare} could you {v} for me?",
        "{w} is the best way to {x}?",
    ),
    "which": ("{w} {bare} can you {v}?", "{w} {bare} would you {v}?", "{w} {bare} could you {v} for me?"),
    "tell": ("{w} me your idea for {o}.", "{w} me what you would put in {o}.", "{w} me your plan for {o}."),
    **each(("share", "provide", "give", "present", "show"), "{o}.", "{o} for me.", "{o}, please."),
    **each(("generate", "create", "write", "make", "compose", "design"), "{o}.", "{o} for me.", "{o}, please."),
    **each(COUNTING, "your ideas for {o}.", "what you would put in {o}.", "some ideas for {o}."),
    "verb": ("{w} your idea for {o}.", "{w} what you would put in {o}.", "{w} your plan for {o}."),
}
METHOD_FRAMES: dict[str, tuple[str, ...]] = {
    "what": _WAYS,
    "how": ("{w} can I {x}?", "{w} would you {x}?", "{w} do I {x}?", "{w} should I {x}?"),
    "who": ("{w} can tell me how to {x}?", "{w} could show me how to {x}?", "{w} knows how to {x}?"),
    "why": ("{w} not tell me how to {x}?", "{w} not show me how to {x}?", "{w} not explain how to {x}?"),
    "where": (
        "{w} can I learn how to {x}?",
        "{w} could I find out how to {x}?",
        "{w} can I read about how to {x}?",
    ),
    "when": (
        "{w} can you tell me how to {x}?",
        "{w} will you show me how to {x}?",
        "{w} could you explain how to {x}?",
    ),
    "which": ("{w} steps does it take to {x}?", "{w} way is best to {x}?", "{w} tools do I need to {x}?"),
    "please": ("{w} tell me how to {x}.", "{w} show me how to {x}.", "{w} explain how to {x}.", "{w} help me {x}."),
    "tell": ("{w} me how to {x}.", "{w} me the best way to {x}.", "{w} me the steps to {x}."),
    **you("tell me how to {x}?", "show me how to {x}?", "explain how to {x}?", "help me {x}?"),
    **each(("provide", "give", "present"), "a way to {x}.", "instructions to {x}.", "the steps to {x}."),
    **each(("generate", "create"), "a plan to {x}.", "a guide on how to {x}.", "instructions to {x}."),
    **each(COUNTING, "the steps to {x}.", "some ways to {x}.", "the best ways to {x}."),
    "identify": ("{w} the best way to {x}.", "{w} the steps to {x}.", "{w} a way to {x}."),
    "verb": ("{w} how to {x}.", "{w} the best way to {x}.", "{w} the steps to {x}.", "{w} a way to {x}."),
}
# A request not to do something: `{x}` without its "not".
NEGATED_FRAMES: dict[str, tuple[str, ...]] = {
    "what": tuple(frame.replace("to {x}", "not to {x}") for frame in _WAYS),
    "how": ("{w} about you try not to {x}?", "{w} about you take care not to {x}?"),
    "who": ("{w} can promise not to {x}?", "{w} will take care not to {x}?"),
    "why": ("{w} don't you try not to {x}?", "{w} not take care not to {x}?"),
    "where": ("{w} can I find someone who will not {x}?", "{w} is someone who will not {x}?"),
    "when": ("{w} will you promise not to {x}?", "{w} can you promise not to {x}?"),
    "which": ("{w} of you will promise not to {x}?", "{w} of you will take care not to {x}?"),
    "please": ("{w} do not {x}.", "{w} take care not to {x}.", "{w} try not to {x}."),
    "tell": ("{w} me that you will not {x}.", "{w} me that you are not going to {x}."),
    **you("please not {x}?", "take care not to {x}?", "promise not to {x}?"),
    "do": ("{w} not {x}.", "{w} not {x}, please.", "{w} take care not to {x}."),
    "verb": ("{w} your promise not to {x}.", "{w} a promise not to {x}.", "{w} your decision not to {x}."),
}
