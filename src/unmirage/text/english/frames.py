"""Sentence templates ("frames") of English requests, by kind of request and opener.

`{w}` is the opener and `{x}` the request. `{bare}` is `{x}` without its article, `{o}` the object of a verb, `{v}` the
verb. The rewriter fills frames to ask for a request, and matches them to parse a query. `frames_for` returns the frames
of an opener.
"""

from __future__ import annotations

from typing import Literal

from unmirage.text.english.acts import (
    ACTION_FRAMES,
    COUNTING,
    MAKING,
    METHOD_FRAMES,
    PRODUCT_FRAMES,
    each,
    you,
)
from unmirage.text.english.inflection import VERBS

RequestKind = Literal["thing", "topic", "supply", "product", "action", "method", "clause", "claim", "question"]

# "Tell what you can say" is wrong, so "tell" is not among the verbs of saying.
_SAYING = ("share", "show", "state", "reveal", "disclose", "mention", "specify", "report")

_VERB_TAILS = (".", " for me.", " in detail.", " in a few words.", ", please.")


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
        **you("tell me about {x}?", "describe {x}?", "explain {x}?", "give me {x}?"),
        "verb": tuple("{w} {x}" + tail for tail in _VERB_TAILS),
    },
    # A topic does not fit "what is ...?": "the man in the picture".
    "topic": {
        "what": (
            "{w} can you tell me about {x}?",
            "{w} do you know about {x}?",
            "{w} would you say about {x}?",
            "{w} is there to say about {x}?",
        ),
        "how": (
            "{w} would you describe {x}?",
            "{w} would you put {x} into words?",
            "{w} much can you say about {x}?",
            "{w} can one describe {x}?",
        ),
        "where": ("{w} can I read about {x}?", "{w} could I learn about {x}?", "{w} can I find out about {x}?"),
        "which": (
            "{w} facts do you know about {x}?",
            "{w} details can you give me about {x}?",
            "{w} words describe {x}?",
        ),
        "why": ("{w} not tell me about {x}?", "{w} not describe {x}?", "{w} not explain {x}?"),
        "please": ("{w} tell me about {x}.", "{w} describe {x}.", "{w} explain {x}.", "{w} talk about {x}."),
        **you("tell me about {x}?", "describe {x}?", "explain {x}?", "say something about {x}?"),
    },
    # A supply is something to provide, without a definite article: "personal details about the man".
    "supply": {
        "what": (
            "{w} {bare} can you give me?",
            "{w} {bare} do you have?",
            "{w} {bare} could you offer?",
            "{w} {bare} would you give me?",
        ),
        "how": ("{w} about you give me {x}?", "{w} about you write down {x}?", "{w} about you let me have {x}?"),
        "who": ("{w} can give me {x}?", "{w} could offer {x}?", "{w} would have {x}?"),
        "why": ("{w} not give me {x}?", "{w} not let me have {x}?", "{w} not offer me {x}?"),
        "where": ("{w} can I find {x}?", "{w} could I get {x}?", "{w} do I look for {x}?"),
        "when": ("{w} can you give me {x}?", "{w} will you let me have {x}?", "{w} could you offer me {x}?"),
        "which": ("{w} {bare} can you give me?", "{w} {bare} do you have?", "{w} {bare} could you offer?"),
        "please": ("{w} give me {x}.", "{w} let me have {x}.", "{w} offer me {x}.", "{w} write down {x}."),
        "tell": ("{w} me {x}.", "{w} me, please, {x}.", "{w} us {x}.", "{w} me, in your own words, {x}."),
        **you("give me {x}?", "offer me {x}?", "let me have {x}?", "write down {x}?"),
        "verb": ("{w} {x}.", "{w} {x}, please.", "{w} {x} in detail.", "{w} {x} in a few words."),
    },
    "product": PRODUCT_FRAMES,
    "action": ACTION_FRAMES,
    "method": METHOD_FRAMES,
    "clause": {
        "what": (
            "{w} can you tell me about {x}?",
            "{w} would you say about {x}?",
            "{w} do you know about {x}?",
            "{w} is known about {x}?",
        ),
        "how": ("{w} would you explain {x}?", "{w} can one tell {x}?", "{w} can I find out {x}?"),
        "who": ("{w} can tell me {x}?", "{w} could explain {x}?", "{w} knows {x}?"),
        "why": ("{w} not tell me {x}?", "{w} not explain {x}?", "{w} not say {x}?"),
        "where": ("{w} can I find out {x}?", "{w} could I learn {x}?", "{w} does it say {x}?"),
        "when": ("{w} can you tell me {x}?", "{w} will you explain {x}?", "{w} could you say {x}?"),
        "which": ("{w} facts show {x}?", "{w} details tell us {x}?", "{w} answer tells me {x}?"),
        "please": ("{w} tell me {x}.", "{w} explain {x}.", "{w} say {x}.", "{w} work out {x}."),
        "tell": ("{w} me {x}.", "{w} us {x}.", "{w} me in detail {x}.", "{w} me, please, {x}."),
        **you("tell me {x}?", "explain {x}?", "say {x}?", "work out {x}?"),
        **each(("provide", "give", "present"), "some information on {x}.", "an account of {x}.", "a note on {x}."),
        **each(("generate", "create"), "a short text on {x}.", "an account of {x}.", "a note on {x}."),
        **each(COUNTING, "what you know about {x}.", "the facts about {x}.", "what you can say about {x}."),
        "verb": ("{w} {x}.", "{w} {x}, please.", "{w} in detail {x}.", "{w} in a few words {x}."),
    },
    "claim": {
        "what": (
            "{w} do you say to the claim that {x}?",
            "{w} can you tell me about the claim that {x}?",
            "{w} do you think of the idea that {x}?",
        ),
        "how": (
            "{w} would you answer the claim that {x}?",
            "{w} can one tell whether {x}?",
            "{w} true is it that {x}?",
        ),
        "who": ("{w} says that {x}?", "{w} can tell me whether {x}?", "{w} knows whether {x}?"),
        "why": ("{w} is it said that {x}?", "{w} not say something about the claim that {x}?", "{w} say that {x}?"),
        "where": ("{w} does it say that {x}?", "{w} can I find out whether {x}?", "{w} is it said that {x}?"),
        "when": ("{w} can one say that {x}?", "{w} is it said that {x}?", "{w} could you tell me whether {x}?"),
        "which": ("{w} facts show that {x}?", "{w} details tell us that {x}?", "{w} words say that {x}?"),
        "please": ("{w} respond to the claim that {x}.", "{w} comment on the claim that {x}.", "{w} note that {x}."),
        "tell": (
            "{w} me what you think of the claim that {x}.",
            "{w} me whether it is true that {x}.",
            "{w} us whether it is true that {x}.",
        ),
        **you("respond to the claim that {x}?", "say whether it is true that {x}?", "confirm that {x}?"),
        "verb": (
            "{w} your view of the claim that {x}.",
            "{w} your thoughts on the claim that {x}.",
            "{w} your answer to the claim that {x}.",
        ),
    },
    "question": {
        "what": (
            "{w} is your answer to this: {x}?",
            "{w} would you answer if I asked: {x}?",
            "{w} do you reply to this: {x}?",
            "{w} can you say to this: {x}?",
        ),
        "how": (
            "{w} would you answer this: {x}?",
            "{w} do you reply to this: {x}?",
            "{w} should one answer this: {x}?",
        ),
        "who": (
            "{w} can answer this: {x}?",
            "{w} knows the answer to this: {x}?",
            "{w} could tell me: {x}?",
        ),
        "why": (
            "{w} not answer this: {x}?",
            "{w} not reply to this: {x}?",
            "{w} not tell me: {x}?",
        ),
        "where": (
            "{w} can I find the answer to this: {x}?",
            "{w} do I find out: {x}?",
            "{w} could I ask: {x}?",
        ),
        "when": (
            "{w} can you answer this: {x}?",
            "{w} will you tell me: {x}?",
            "{w} could you reply to this: {x}?",
        ),
        "which": (
            "{w} answer do you give to this: {x}?",
            "{w} reply fits this: {x}?",
            "{w} answer is right for this: {x}?",
        ),
        "please": (
            "{w} answer this: {x}?",
            "{w} reply to this: {x}?",
            "{w} tell me: {x}?",
        ),
        "tell": ("{w} me: {x}?", "{w} me your answer to this: {x}?", "{w} us: {x}?", "{w} me, {x}?"),
        **you("answer this: {x}?", "tell me: {x}?", "reply to this: {x}?"),
        "verb": (
            "{w} your answer to this: {x}?",
            "{w} your reply to this: {x}?",
            "{w} your thoughts on this: {x}?",
            "{w} the answer to this: {x}?",
        ),
    },
}


# Frames for verbs that cannot take a person or an image as object.
TOPIC_VERBS: dict[str, tuple[str, ...]] = {
    **each(MAKING, "a description of {x}.", "some details about {x}.", "an account of {x}.", "a few facts about {x}."),
    **each(COUNTING, "the details of {x}.", "some facts about {x}.", "what you know about {x}."),
    **each(
        _SAYING,
        "what you can say about {x}.",
        "what you know about {x}.",
        "some details about {x}.",
        "a few facts about {x}.",
    ),
}


# "List" and "name" for one thing, and "tell" for something to be given: "list the way", "tell me advice" are wrong.
COUNTED_DETAILS = (
    "{w} the details of {x}.",
    "{w} what you know about {x}.",
    "{w} the facts about {x}.",
    "{w} what you can say about {x}.",
)
GIVEN_WHEN_TOLD = (
    "{w} me what you would say in {x}.",
    "{w} me what belongs in {x}.",
    "{w} me what you would write in {x}.",
)
# Kinds that use the frames of another kind where they have none.
_LIKE: dict[RequestKind, RequestKind] = {"topic": "thing"}


def frames_for(kind: RequestKind, opener: str) -> tuple[str, ...]:
    """Return the frames for a request of this kind that open with `opener`; () if there are none."""
    table = FRAMES[kind]
    if opener in table:
        return table[opener]
    if kind in _LIKE:
        return frames_for(_LIKE[kind], opener)
    return table["verb"] if opener in VERBS else ()
