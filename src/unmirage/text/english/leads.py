"""Templates for openers that cannot open a request directly, such as "is" and "if".

A lead has the opener `{w}` and a slot for a command `{vp}`: "{w} it possible to {vp}?" with "describe the boat".
"""

from __future__ import annotations

from unmirage.text.english.inflection import TELLING_VERBS, VERBS
from unmirage.text.english.lexicon import BASE_VERBS
from unmirage.text.english.meaning import Request
from unmirage.text.openers import opener

_COMMANDS: dict[str, tuple[str, ...]] = {
    "thing": ("tell me about {x}", "describe {x}", "explain {x}"),
    "topic": ("tell me about {x}", "describe {x}", "say something about {x}"),
    "supply": ("give me {x}", "offer me {x}", "let me have {x}"),
    "product": ("{x}", "try to {x}", "go ahead and {x}"),
    "action": ("{x}", "go ahead and {x}", "try to {x}"),
    "method": ("tell me how to {x}", "show me how to {x}", "explain how to {x}"),
    "clause": ("tell me {x}", "say {x}", "let me know {x}"),
    "claim": ("say whether it is true that {x}", "respond to the claim that {x}", "tell me whether {x}"),
    "question": ("answer this: {x}", "reply to this: {x}", "respond to this: {x}"),
}

LEADS: dict[str, tuple[str, ...]] = {
    "is": ("{w} it possible to {vp}?", "{w} there a way to {vp}?", "{w} there any chance that you can {vp}?"),
    "was": ("{w} it possible to {vp}?", "{w} there a way to {vp}?"),
    "are": ("{w} you able to {vp}?", "{w} you willing to {vp}?", "{w} you in a position to {vp}?"),
    "were": ("{w} you able to {vp}?", "{w} you willing to {vp}?"),
    "am": ("{w} I right to ask you to {vp}?", "{w} I allowed to ask you to {vp}?"),
    "do": ("{w} you think you can {vp}?", "{w} please {vp}.", "{w} your best to {vp}."),
    "does": ("{w} it take much to {vp}?", "{w} it help if I ask you to {vp}?", "{w} anyone want to {vp}?"),
    "did": ("{w} anyone ask you to {vp}?", "{w} I ask you to {vp}?"),
    "has": ("{w} anyone asked you to {vp}?", "{w} anybody asked you to {vp}?"),
    "have": ("{w} a close look and {vp}.", "{w} a go: {vp}.", "{w} I asked you to {vp}?"),
    "should": ("{w} I ask you to {vp}?", "{w} we ask you to {vp}?"),
    "shall": ("{w} I ask you to {vp}?", "{w} we ask you to {vp}?"),
    "may": ("{w} I ask you to {vp}?", "{w} we ask you to {vp}?"),
    "might": ("{w} I ask you to {vp}?", "{w} you be able to {vp}?"),
    "must": ("{w} I ask you twice to {vp}?", "{w} I ask you to {vp}?"),
    "i": ("{w} would like you to {vp}.", "{w} want you to {vp}.", "{w} am asking you to {vp}."),
    "we": ("{w} would like you to {vp}.", "{w} want you to {vp}.", "{w} are asking you to {vp}."),
    "you": ("{w} can surely {vp}.", "{w} should {vp}.", "{w} are asked to {vp}."),
    "it": ("{w} would help if you could {vp}.", "{w} would be good to {vp}."),
    "there": ("{w} must be a way to {vp}.", "{w} is one thing I ask of you: {vp}."),
    "let": ("{w} me ask you to {vp}.", "{w} us see whether you can {vp}."),
    "kindly": ("{w} {vp}.", "{w} try to {vp}."),
    "just": ("{w} {vp}.", "{w} try to {vp}."),
    "now": ("{w} {vp}.", "{w} try to {vp}.", "{w} I want you to {vp}."),
    "then": ("{w} {vp}.", "{w} try to {vp}."),
    "briefly": ("{w} {vp}.",),
    "first": ("{w} {vp}.", "{w} of all, {vp}."),
    "if": ("{w} you can, {vp}.", "{w} possible, {vp}.", "{w} you do not mind, {vp}."),
    "in": ("{w} your own words, {vp}.", "{w} detail, {vp}.", "{w} a few words, {vp}."),
    "for": ("{w} my sake, {vp}.", "{w} once, {vp}."),
    "with": ("{w} all you know, {vp}.", "{w} care, {vp}."),
    "without": ("{w} further ado, {vp}.", "{w} delay, {vp}."),
    "based": ("{w} on what you know, {vp}.", "{w} on all you can tell, {vp}."),
    "as": ("{w} best you can, {vp}.", "{w} clearly as you can, {vp}."),
    "from": ("{w} what you know, {vp}.", "{w} all you can tell, {vp}."),
    "given": ("{w} what you know, {vp}.", "{w} all you can tell, {vp}."),
    "using": ("{w} what you know, {vp}.", "{w} your own words, {vp}."),
    "to": ("{w} the best of your knowledge, {vp}.", "{w} put it simply, {vp}."),
    "after": ("{w} a close look, {vp}.", "{w} some thought, {vp}."),
    "the": ("{w} task is to {vp}.", "{w} request is to {vp}.", "{w} thing to do is to {vp}."),
    "a": ("{w} request: {vp}.", "{w} task for you: {vp}."),
    "an": ("{w} easy task: {vp}.", "{w} honest request: {vp}."),
    "this": ("{w} is a request to {vp}.", "{w} is your task: {vp}."),
    "my": ("{w} request is to {vp}.", "{w} question to you: can you {vp}?"),
    "your": ("{w} task is to {vp}.", "{w} job is to {vp}."),
    "use": ("{w} your own words to {vp}.", "{w} what you know to {vp}.", "{w} all that you know to {vp}."),
    "try": ("{w} to {vp}.", "{w} your best to {vp}."),
    "go": ("{w} ahead and {vp}.", "{w} on and {vp}."),
    "look": ("{w} closely and {vp}.", "{w} again and {vp}."),
    "think": ("{w} carefully and {vp}.", "{w} it over and {vp}."),
    "remember": ("{w} to {vp}.", "{w} what you know and {vp}."),
    "imagine": ("{w} that I asked you to {vp}.", "{w} that you had to {vp}."),
    "consider": ("{w} what you know and {vp}.", "{w} this request: {vp}."),
    "make": ("{w} an effort to {vp}.", "{w} use of what you know to {vp}."),
    "take": ("{w} a moment to {vp}.", "{w} your time to {vp}.", "{w} what you know to {vp}."),
    "find": ("{w} a way to {vp}.", "{w} the words to {vp}.", "{w} the best way to {vp}."),
    "help": ("{w} me out: {vp}.", "{w} me, please, and {vp}."),
    "write": ("{w} a few lines to {vp}.", "{w} a note to {vp}."),
    "be": ("{w} so kind as to {vp}.", "{w} sure to {vp}."),
    "read": ("{w} this request and {vp}.", "{w} carefully and {vp}."),
    "follow": ("{w} this request: {vp}.", "{w} this instruction: {vp}."),
    "start": ("{w} to {vp}.", "{w} now and {vp}."),
    "stop": ("{w} for a moment and {vp}.", "{w} waiting and {vp}."),
}  # fmt: skip
_ANY_VERB = (
    "{w} whatever you need to, and {vp}.",
    "{w} whatever you like, but {vp}.",
    "{w} what you must, and {vp}.",
)
# Direct templates for clauses, things and methods, without a command.
_OF_CLAUSES: dict[str, tuple[str, ...]] = {
    "is": ("{w} it clear {x}?", "{w} it known {x}?"),
    "does": ("{w} anyone know {x}?", "{w} anything show {x}?"),
    "do": ("{w} you know {x}?", "{w} tell me {x}.", "{w} you have any idea {x}?"),
    "did": ("{w} you know {x}?", "{w} anyone ever find out {x}?"),
    "i": ("{w} want to know {x}.", "{w} wonder {x}.", "{w} would like to know {x}."),
    "we": ("{w} want to know {x}.", "{w} would like to know {x}."),
    "find": ("{w} out {x}.",),
    "guess": ("{w} {x}.",),
    "help": ("{w} me understand {x}.", "{w} me find out {x}."),
    "write": ("{w} down {x}.",),
    "determine": ("{w} {x}.", "{w} for me {x}."),
    "consider": ("{w} {x}, and tell me.",),
    "infer": ("{w} {x}.",),
    "predict": ("{w} {x}.",),
    "estimate": ("{w} {x}.",),
    "judge": ("{w} {x}.",),
    "learn": ("{w} {x}, and tell me.",),
}
_OF_THINGS: dict[str, tuple[str, ...]] = {
    "is": ("{w} there anything you can tell me about {x}?",),
    "are": ("{w} there any details about {x} that you can give me?",),
    "does": ("{w} anyone know anything about {x}?",),
    "do": ("{w} you know anything about {x}?", "{w} tell me about {x}."),
    "did": ("{w} you know anything about {x}?",),
    "i": ("{w} want to know about {x}.", "{w} would like to know more about {x}."),
    "we": ("{w} want to know about {x}.", "{w} would like to know more about {x}."),
    "write": ("{w} about {x}.", "{w} a note on {x}."),
    "find": ("{w} out about {x}.",),
    "help": ("{w} me understand {x}.",),
    "learn": ("{w} about {x}, and tell me.",),
}
_OF_METHODS: dict[str, tuple[str, ...]] = {
    "does": ("{w} anyone know how to {x}?",),
    "do": ("{w} you know how to {x}?",),
    "did": ("{w} anyone show you how to {x}?",),
    "i": ("{w} want to know how to {x}.", "{w} need to know how to {x}."),
    "we": ("{w} want to know how to {x}.", "{w} need to know how to {x}."),
    "find": ("{w} out how to {x}.",),
    "help": ("{w} me {x}.", "{w} me understand how to {x}."),
    "learn": ("{w} how to {x}, and tell me.",),
}
_SPECIAL = {
    "clause": _OF_CLAUSES,
    "thing": _OF_THINGS,
    "topic": _OF_THINGS,
    "method": _OF_METHODS,
}


def commands(request: Request) -> list[str]:
    """Return the request as commands: "tell me about the boat", "build a kite"."""
    return [command.replace("{x}", request.body) for command in _COMMANDS[request.kind]]


def led(request: Request, word: str) -> list[str]:
    """Return the wordings of `request` that open with `word` and a lead; [] if there are none."""
    if request.kind == "action" and request.body.startswith("not "):
        return []
    if opener(request.body[:200]) == word and request.kind in ("action", "product"):
        return []
    special = _SPECIAL.get(request.kind, {}).get(word, ())
    leads = LEADS.get(word, _ANY_VERB if word in BASE_VERBS | VERBS - set(TELLING_VERBS) else ())
    made = [frame.replace("{w}", word).replace("{x}", request.body) for frame in special]
    for command in commands(request):
        made += [lead.replace("{w}", word).replace("{vp}", command) for lead in leads]
    return made


def needs_lead(word: str) -> bool:
    """Return whether `word` is a verb that does not request information: "use", "remove"."""
    return word in VERBS and word not in TELLING_VERBS
