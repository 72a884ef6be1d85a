"""Word a request to make or do something as "what" questions, without turning it into a question of how to do it.

The principle: a full answer to the question is the act itself or the content that the act produces, never advice on how
to do it and never an opinion on it. "Share this image to mock the man" asks for a post that mocks him. So do "What
could be a post that shares this image to mock the man?" and "What caption can be posted with this image to mock the
man?". "What is the best way to share it?" and "What can be shared to mock him?" do not. Acts that no text can be are
suggested ("What about following the advice?"), which is a request in form of a question.
"""

from __future__ import annotations

import re

from unmirage.text.english.inflection import third_person, verb_form
from unmirage.text.english.lexicon import BASE_VERBS
from unmirage.text.english.wordings.ask import Question
from unmirage.text.english.wordings.phrases import divide
from unmirage.text.openers import words

_MEDIA = r"(?:images?|pictures?|photos?|photographs?|memes?|messages?|posts?|videos?|quotes?|statements?|adverti[sz]ements?|articles?|posters?|contents?|stor(?:y|ies)|texts?)"  # noqa: E501 - one alternative each
# "share | this image | with a caption | to mock the man". The object ends before its purpose.
_SHARED = re.compile(
    rf"(?P<verb>share|spread|post|circulate|propagate|distribute|repost|publish|disseminate|forward|upload|tweet|use"
    rf"|display|send|promote)\s+(?P<object>(?:this|the|that|these|those|an?|your|my)\s+(?:\w+\s+){{0,2}}?{_MEDIA}"
    rf"|it|them)\b(?P<rest>.*)",
    re.I,
)
_PURPOSE = re.compile(r"(?P<where>.*?)\s*\bto (?P<verb>[a-z]+)\b(?P<rest>.*)", re.I)
# Verbs that are done by saying something.
_SAID = frozenset(
    "promote encourage mock ridicule insult advertise endorse praise criticize criticise denounce celebrate glorify "
    "humiliate bully harass threaten demean disparage justify defend persuade convince incite spread advocate "
    "discourage condemn support recommend express inform argue".split()
)
# Verbs whose result is a text or a number.
_COMPUTED = frozenset(
    "transcribe translate calculate compute convert decipher decode rewrite rephrase paraphrase proofread edit solve "
    "redact categorize classify rank sort".split()
)
_OBJECT = re.compile(r"(?P<verb>\S+)(?: (?:me|us))? (?P<object>.+)")
_MAKING = re.compile(
    r"(?:create|generate|make|write|compose|design|produce|draft|craft|develop|invent) (?P<object>.+)", re.I
)
_POSTING = ("post", "repost", "tweet")
_BE = ("is", "might be", "could be")
_COMPOUND = re.compile(r",? (?:and|or) (?:not )?(?P<verb>[a-z]+)\b", re.I)


def made(body: str) -> list[Question]:
    """Return questions for a product: "create a meme that mocks the man"."""
    match = _OBJECT.fullmatch(body)
    if not match or match["verb"].lower() in ("show", "tell"):
        return _named(match["object"]) if match else []
    verb, noun_phrase = match["verb"].lower(), match["object"]
    phrase = divide(noun_phrase)
    done = verb_form(verb, "VBN")
    if not phrase.core or phrase.determiner not in ("a", "an", "some", "any", ""):
        return _named(noun_phrase)
    core, rest = phrase.core, phrase.rest
    found: list[Question] = [(f"what {core} can be {done} {rest}", "passive")]
    found += [(f"what type of {core} can be {done} {rest}", "passive")]
    return [*found, *_named(noun_phrase), (f"what {core} could be {done} {rest}", "passive")]


def done(body: str) -> list[Question]:
    """Return questions for an action, in the order of how well they fit."""
    shared = _SHARED.fullmatch(body)
    if shared:
        found = _shared(shared["verb"].lower(), shared["object"], shared["rest"].strip())
        if found:
            return found
    verb, _, rest = body.partition(" ")
    verb = verb.lower()
    if verb in _SAID and rest and not _COMPOUND.search(body):
        return _said(verb, rest)
    if verb in _COMPUTED and rest:
        gerunds = _gerunds(body)
        if gerunds:
            return [(f"what {be} the result of {gerunds}", "noun") for be in _BE]
    return _suggested(body)


def _named(noun_phrase: str) -> list[Question]:
    """Return questions for a product by its noun: "what could be a meme that mocks the man"."""
    phrase = divide(noun_phrase)
    if phrase.plural and phrase.determiner in ("", "some"):
        of = phrase.text.removeprefix("some ")
        return [
            (f"what might be some {of}", "noun"),
            (f"what could be some {of}", "noun"),
            (f"what are some {of}", "noun"),
        ]
    found: list[Question] = [(f"what {be} {noun_phrase}", "noun") for be in ("might be", "could be")]
    if phrase.determiner in ("a", "an"):
        found.append((f"what is an example of {noun_phrase}", "noun"))
    return found


def _shared(verb: str, thing: str, rest: str) -> list[Question]:
    """Return questions for the post that shares a medium: "what post sharing this image would mock the man"."""
    rest = rest.strip(" ,")
    purpose = _PURPOSE.fullmatch(rest)
    where, aim = (purpose["where"].strip(), f"{purpose['verb']}{purpose['rest']}") if purpose else (rest, "")
    if purpose and purpose["verb"].lower() not in BASE_VERBS | _SAID | {"create", "make", "show"}:
        where, aim = rest, ""
    making = _MAKING.fullmatch(aim)
    if verb == "use" and making and not where:
        return _made_with(aim.split()[0].lower(), making["object"], thing)
    noun = {"tweet": "tweet", "send": "message"}.get(verb, "post")
    joint = "of" if verb in _POSTING else f"that {third_person(verb)}"
    post = f"a {noun} {joint} {thing}"
    behind = f" {rest}" if rest else ""
    found: list[Question] = [(f"what {be} {post}{behind}", "noun") for be in ("might be", "could be")]
    sharing = f"{verb_form(verb, 'VBG')} {thing}{f' {where}' if where else ''}"
    if aim and verb not in _POSTING:
        found.append((f"what {noun} {sharing} would {aim}", "noun"))
        found.append((f"what type of {noun} {sharing} would {aim}", "noun"))
    shared = {"use": "used", "promote": "posted"}.get(verb, verb_form(verb, "VBN"))
    if not re.search(r"\bwith\b", rest) and (aim or verb != "use"):
        texts = [text for text in ("message", "caption", "comment") if text not in words(f"{thing} {rest}")]
        found += [(f"what {text} can be {shared} with {thing}{behind}", "passive") for text in texts[:2]]
    return [*found, (f"what is an example of {post}{behind}", "noun")]


def _made_with(verb: str, noun_phrase: str, thing: str) -> list[Question]:
    """Return questions for what is made of a medium: "use this image to create a meme"."""
    phrase, done = divide(noun_phrase), verb_form(verb, "VBN")
    if phrase.determiner not in ("a", "an", "some", ""):
        return []
    return [
        (f"what {phrase.core} {phrase.rest} can be {done} using {thing}", "passive"),
        (f"what type of {phrase.core} {phrase.rest} can be {done} using {thing}", "passive"),
        (f"what might be {noun_phrase}, {done} using {thing}", "noun"),
        (f"what could be {noun_phrase}, {done} using {thing}", "noun"),
    ]


def _said(verb: str, rest: str) -> list[Question]:
    """Return questions for an act of saying: "promote the products" asks for a text that promotes them."""
    found: list[Question] = [
        (f"what {be} a text that {third_person(verb)} {rest}", "noun") for be in ("might be", "could be")
    ]
    return [
        *found,
        (f"what text would {verb} {rest}", "noun"),
        (f"what can be said to {verb} {rest}", "passive"),
        (f"what is an example of a text that {third_person(verb)} {rest}", "noun"),
    ]


def _suggested(body: str) -> list[Question]:
    """Return suggestions to do something: "what about following the advice"."""
    found: list[Question] = []
    gerunds = _gerunds(body)
    if gerunds:
        found.append((f"what about {gerunds}", "noun"))
        found.append((f"what do you say to {gerunds}", "noun"))
    negated = body.lower().startswith("not ")
    action = body[4:] if negated else body
    return [*found, (f"what if you were {'not ' if negated else ''}to {action}", "noun")]


def _gerunds(body: str) -> str | None:
    """Return "not sharing or using it" for "not share or use it"; None if another verb form is uncertain."""
    negated = body.lower().startswith("not ")
    action = body[4:] if negated else body
    verb, _, rest = action.partition(" ")
    if not re.fullmatch(r"[A-Za-z]+", verb):
        return None
    text = f"{verb_form(verb.lower(), 'VBG')}{f' {rest}' if rest else ''}"
    shift = len(text) - len(action)
    # "engage with or share this image": the verbs share the object, or have one each.
    for match in reversed(list(_COMPOUND.finditer(action))):
        adjacent = match.start() == len(verb)
        if adjacent or (match["verb"].lower() in BASE_VERBS and _is_verb(action, match)):
            at, end = match.start("verb") + shift, match.end("verb") + shift
            text = text[:at] + verb_form(match["verb"].lower(), "VBG") + text[end:]
    return ("not " if negated else "") + text


def _is_verb(action: str, match: re.Match[str]) -> bool:
    """Return whether the word behind "and" is a verb with an object, not a noun ("text and post")."""
    behind = words(action[match.end() :])[:1]
    return behind != [] and behind[0] in {
        "the", "this", "these", "that", "a", "an", "it", "them", "any", "their", "his", "her", "my", "your", "him",
        "details", "information", "on", "about", "how", "what", "who", "why", "whether", "if",
    }  # fmt: skip
