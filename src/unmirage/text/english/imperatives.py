"""Parse commands: "explain why he left" requests "why he left"."""

from __future__ import annotations

import re
from dataclasses import replace

from unmirage.text.english.inflection import VERBS, gerund_base, lemmas
from unmirage.text.english.lexicon import (
    ADVERBS,
    AUXILIARIES,
    BASE_VERBS,
    DETERMINERS,
    NUMBERS,
    PERSONS,
    PREPOSITIONS,
    PRONOUNS,
    STRONG_VERBS,
    WEAK_VERBS,
    WH,
    is_adverb,
    is_participle,
)
from unmirage.text.english.meaning import Request
from unmirage.text.english.nouns import DEFINITE, from_noun_phrase, head_noun, identity, is_shared_medium
from unmirage.text.openers import capitalise, words

# Verbs that describe their object, provide it, and identify it.
_DESCRIBING = frozenset(
    "describe explain discuss outline detail characterize characterise clarify define explore "
    "elaborate talk examine depict narrate highlight address introduce".split()
)
_SUPPLYING = frozenset(
    "share provide give show tell list name state reveal disclose mention specify present report suggest recommend "
    "offer supply enumerate add include say deliver send propose cite".split()
)
_FINDING = frozenset("identify confirm determine recognise recognize infer deduce name pinpoint specify".split())
# Nouns for the result of a verb: "analyse the plan" requests "your analysis of the plan".
_OUTCOMES = {
    "analyze": "analysis of", "analyse": "analysis of", "assess": "assessment of", "evaluate": "evaluation of",
    "interpret": "interpretation of", "compare": "comparison of", "estimate": "estimate of",
    "predict": "prediction of", "translate": "translation of", "judge": "judgement of", "critique": "critique of",
    "review": "review of", "classify": "classification of", "categorize": "categorization of",
    "diagnose": "diagnosis of", "guess": "guess at", "speculate": "speculation about", "comment": "comments on",
    "summarize": "summary of", "summarise": "summary of", "imagine": "idea of", "rate": "rating of",
    "rank": "ranking of", "recommend": "recommendation for",
}  # fmt: skip
_ASKING_CLAUSES = frozenset("guess estimate predict check verify decide say see tell know figure find consider".split())
_MAKING = frozenset(
    "create generate write compose draft draw design make craft produce develop invent prepare tell show add".split()
)
# Objects that are texts: "create a poem" requests a text, "create fake IDs" an action.
_TEXTS = re.compile(
    r"(?:[\w'’]+[\s-]+){0,4}?(?:memes?|captions?|poems?|stor(?:y|ies)|essays?|lists?|posters?|texts?|messages?|questions?"
    r"|descriptions?|profiles?|scripts?|letters?|emails?|tweets?|posts?|articles?|jokes?|slogans?|headlines?|titles?"
    r"|dialogues?|speech(?:es)?|songs?|images?|pictures?|advertisements?|ads?|guides?|tutorials?|summar(?:y|ies)"
    r"|reports?|analys[ie]s|narratives?|statements?|paragraphs?|sentences?|codes?|programs?|tables?|recipes?|reviews?"
    r"|instructions?|content|hashtags?|outlines?|plans?|explanations?|overviews?|quiz(?:zes)?|comments?|examples?)\b",
    re.I,
)
_TAILS = re.compile(r"(?:,? please| for me| in detail| in a few words)$", re.I)
_POLITE_TAIL = re.compile(r"(?:,? please| for me)$", re.I)
_OBJECT = r"(?:(?:me|us|everyone|someone)\s+(?!with\b))?"
_ABOUT = r"(?:(?:a bit |a little )?(?:all |more |something |everything )?(?:about|on|upon)\s+)?"
_TOLD = re.compile(rf"^\w+\s+(?P<me>{_OBJECT})(?:with me\s+|to me\s+|me with\s+|us with\s+)?(?P<about>{_ABOUT})", re.I)
_NEXT_VERB = re.compile(r",? (?:and then|and|or|then|but)(?: also)? (?=(?P<verb>[a-z]+)(?P<after> \w+)?)", re.I)
_NOUN_VERBS = WEAK_VERBS | frozenset(
    "share show report detail state present list name address copy display purchase".split()
)
_ASSUMING = re.compile(
    r"make (?:any )?(?P<noun>assumptions|inferences|guesses|comments|judgments|judgements|predictions|speculations|"
    r"an? \w+) (?P<rest>(?:about|on|of|regarding|based)\b.*)",
    re.I,
)
_ABOUT_SOMEONE = re.compile(r"(?P<what>[\w ]+?) (?P<link>about|on|regarding) (?P<whom>.*)", re.I)
_ASIDE = re.compile(r"(?P<verb>[a-z]+), (?P<aside>(?:in|with|for|step|using|as) ?[^,]{2,40}), (?P<x>.+)", re.I)
# Verbs of commands that introduce another one: "look at the picture and ...".
PREPARING = frozenset(
    "look see consider imagine read observe refer watch note notice assume suppose act pretend".split()
)
_AFTER_VERBS = frozenset("a an some any my all each every".split())
# The addressee of an explanation: "explain this to my daughter". "me" is the user, as in "tell me about it".
_RECIPIENT = re.compile(
    r".* (?:to|for) (?:my|our|a|an|him|her|them|your|children|kids|beginners|people)\b(?: \w+){0,3}", re.I
)
_BY_DOING = re.compile(r"(?<!ed )(?<!wn )\bby (?:\w+ly )?\w+ing\b", re.I)
_AVOIDING = re.compile(r"(?:please )?(?:avoid|refrain from|abstain from) (?P<x>\w+ing\b.*)", re.I)
_GERUND = re.compile(r"(?:^|(?<= or )|(?<= and ))\w+ing\b")
_NEGATION = re.compile(r"(?:do not|don['’]t|never|please do not|please don['’]t)\s+(?P<x>\w.*)", re.I)


def is_command(bare: str) -> bool:
    """Return whether the sentence opens with the base form of a verb that is not used as a noun."""
    first = words(bare[:200])[:3]
    if not first or first[0] in AUXILIARIES | WH | PRONOUNS | PREPOSITIONS | DETERMINERS:
        return False
    following = first[1] if len(first) > 1 else ""
    if following in AUXILIARIES or following == "of":
        return False
    if first[0] in VERBS or first[0] in STRONG_VERBS or first[0] in _OUTCOMES:
        return bool(following) or first[0] in VERBS
    behind = following in DETERMINERS | PRONOUNS | PREPOSITIONS | ADVERBS | {"and", "or"}
    if first[0] in WEAK_VERBS:
        return behind or len(first) > 2
    if is_participle(first[0]):  # "considering the price, ..."
        return False
    if following in _AFTER_VERBS or following.isdigit() or following in NUMBERS:
        return first[0] in lemmas(first[0], "VERB")
    return following in ("the", "this", "these", "your", "it", "them") and first[0].isalpha() and first[0].isascii()


def from_command(bare: str, *, sure: bool = False) -> Request | None:
    """Return the request of a command; None if the sentence is not a command.

    Args:
        bare: the sentence without its end mark.
        sure: whether the words before it ("can you ...") make it a command.
    """
    adverb = re.match(r"(?P<adverb>[a-z]+ly),? (?P<x>.+)", bare, re.I)
    if adverb and is_command(adverb["x"]):
        made = from_command(adverb["x"])
        return Request(made.kind, f"{made.body} {adverb['adverb'].lower()}") if made else None
    aside = _ASIDE.fullmatch(bare)
    if aside and is_command(bare):
        made = from_command(f"{aside['verb']} {aside['x']}")
        return replace(made, body=f"{made.body} {aside['aside']}") if made else None
    negated = _NEGATION.match(bare)
    if negated:
        return Request("action", "not " + _POLITE_TAIL.sub("", negated["x"]))
    avoided = _AVOIDING.fullmatch(bare)
    if avoided:
        return Request("action", "not " + _GERUND.sub(lambda one: gerund_base(one[0], BASE_VERBS), avoided["x"]))
    if not sure and not is_command(bare):
        return None
    parts = _parts(bare)
    if len(parts) > 1 and words(parts[0])[0] in PREPARING:
        link = _NEXT_VERB.match(parts[1])
        made = from_command("".join(parts[1:])[link.end() if link else 0 :])
        return replace(made, rest=capitalise(parts[0]) + ".") if made else None
    if len(parts) > 1:
        return _joined(parts) or Request("action", _POLITE_TAIL.sub("", bare))
    return _single(bare)


def _parts(bare: str) -> list[str]:
    """Split "identify the man and explain why he left" into commands; each but the first keeps its conjunction."""
    cuts = [0]
    for match in _NEXT_VERB.finditer(bare):
        verb, after = match["verb"].lower(), (match["after"] or "").strip().lower()
        if verb not in BASE_VERBS | VERBS | _DESCRIBING | _SUPPLYING:
            continue
        behind = after in DETERMINERS | PRONOUNS | WH or after in ("about", "on", "upon", "whether", "if", "how")
        shares = len(bare[cuts[-1] : match.start()].split()) == 1  # "identify and share the name"
        if verb in _NOUN_VERBS and not behind and not shares:
            continue
        if _is_verb_of_clause(bare[cuts[-1] : match.start()]):
            continue
        cuts.append(match.start())
    return [bare[start:end] for start, end in zip(cuts, [*cuts[1:], len(bare)], strict=True)]


def _is_verb_of_clause(before: str) -> bool:
    """Return whether the next verb continues an infinitive, as in "how to make and use"."""
    return bool(re.search(r"\b(?:to|can|could|should|would|will|might|may) \w+(?: \w+){0,4}$", before))


def _joined(parts: list[str]) -> Request | None:
    """Merge several commands to tell something into one request; None if one of them asks for an action."""
    bodies: list[str] = []
    kinds = set()
    for place, part in enumerate(parts):
        link = _NEXT_VERB.match(part) if place else None
        command = part[link.end() :] if link else part
        single = _shared_object(command, parts, place) or _single(command)
        if single.kind not in ("thing", "topic", "supply", "clause", "method"):
            return None
        kinds.add(single.kind)
        body = f"how to {single.body}" if single.kind == "method" else single.body
        body = f"more about {body}" if bodies and body in ("it", "him", "her", "them") else body
        if body:
            bodies.append((part[: link.end()].replace(" then", "") if link and bodies else "") + body)
    body = "".join(bodies)
    about = _ABOUT_SOMEONE.fullmatch(body)
    if len(bodies) == 1 and parts[0].lower() == "identify" and about:
        body = f"{identity(about['whom'])} and {about['what']} {about['link']} them"
    elif len(bodies) == 1 and "supply" in kinds:
        return Request("supply", body)
    return Request("clause" if kinds == {"clause"} else "topic", body)


def _shared_object(command: str, parts: list[str], place: int) -> Request | None:
    """Return an empty topic for a verb that shares the object of the next: "identify and discuss the brand"."""
    alone = len(command.split()) == 1 and place + 1 < len(parts)
    return Request("topic", "") if alone and command.lower() in _DESCRIBING | _SUPPLYING | _FINDING else None


def _single(bare: str) -> Request:
    verb = words(bare[:60])[0]
    core = _POLITE_TAIL.sub("", bare)
    told = _TOLD.match(core)
    rest = core[told.end() :].strip() if told else ""
    if told and told["about"] and verb not in _DESCRIBING | _SUPPLYING | _FINDING | set(_OUTCOMES) | _ASKING_CLAUSES:
        return Request("action", core)  # "click on the button"
    if verb in ("explain", "describe") and _RECIPIENT.fullmatch(core):
        return Request("action", core)
    if not rest or told is None or (_BY_DOING.search(rest) and verb not in _OUTCOMES):
        return Request("action", core)
    if verb in _OUTCOMES:
        return _outcome(verb, rest, core)
    if verb == "count":
        counted = re.sub(r"^(?:all )?(?:of )?the (?!number)", "", rest)
        return Request("thing", counted if counted.startswith("the number") else f"the number of {counted}")
    if verb in _MAKING:
        made = _made(verb, rest, addressed=bool(told["me"]), about=bool(told["about"]))
        if made:
            return made
    assuming = _ASSUMING.fullmatch(core)
    if assuming:
        return Request("supply", f"{assuming['noun']} {assuming['rest']}")
    if verb in ("find", "figure", "work") and re.match(r"(?:out )?(?:if|whether|what|who|how|why|where|when)\b", rest):
        return from_noun_phrase(re.sub(r"^out ", "", rest))
    if verb in _ASKING_CLAUSES and words(rest)[0] in WH | {"if", "whether"}:
        return from_noun_phrase(rest)
    if verb in ("confirm", "verify", "check") and words(rest)[0] == "that":
        return Request("clause", "whether" + rest[len("that") :])
    if verb in _FINDING:
        return _found(rest, core)
    if verb in _DESCRIBING or told["about"]:
        return _detailed(from_noun_phrase(rest, describes=True), core)
    if verb in _SUPPLYING or verb in ("generate", "create"):
        return _supplied(verb, rest, core)
    if words(rest)[:1] in (["whether"], ["if"]) and verb in BASE_VERBS:
        return from_noun_phrase(rest)
    return Request("action", core)


def _outcome(verb: str, rest: str, core: str) -> Request:
    rest = re.sub(r"^(?:about|on|upon|at) ", "", rest)
    first = (words(rest) or [""])[0]
    if first in WH or first in ("if", "whether"):
        return from_noun_phrase(rest)
    if verb == "imagine" or first in PREPOSITIONS | {"that"}:
        return Request("action", core)
    return Request("thing", f"your {_OUTCOMES[verb]} {rest}")


def _made(verb: str, rest: str, *, addressed: bool, about: bool) -> Request | None:
    first = words(rest)[0]
    if about or first in DEFINITE or first in WH or first in ("if", "whether", "it", "them", "him", "her", "that"):
        return None
    if verb in ("tell", "show") and first not in ("a", "an", "some"):
        return None
    if verb not in ("generate", "write", "compose", "draft", "tell", "show") and not _TEXTS.match(rest):
        return None
    return Request("product", f"{verb} {'me ' if addressed else ''}{rest}")


def _found(rest: str, core: str) -> Request:
    if re.match(r"(?:and|or)\b", rest):
        return Request("action", core)
    named = from_noun_phrase(identity(rest))
    if named.kind == "supply" and (words(core[:60])[0] == "name" or _counted(rest)):
        return named
    return Request("topic", named.body) if named.kind == "supply" else _detailed(named, core)


def _counted(noun_phrase: str) -> bool:
    """Return whether the phrase is a number of things to find: "five common symptoms", but not "two people"."""
    first = words(noun_phrase[:60])[0]
    return (first in NUMBERS or first.isdigit()) and head_noun(noun_phrase) not in PERSONS


def _supplied(verb: str, rest: str, core: str) -> Request:
    if is_adverb(words(rest)[0]) and words(rest)[0] not in ("more", "most"):
        return Request("action", core)
    shown = verb == "show" and " to " in rest  # "show this picture to discourage smoking"
    if (shown or verb in ("share", "send", "generate", "create", "present")) and is_shared_medium(rest):
        return Request("action", core)
    if verb in ("send", "add", "include", "deliver") and words(rest)[0] not in WH:
        return Request("action", core)
    if verb in ("generate", "create") and words(rest)[0] not in DEFINITE:
        return Request("action", core)
    if re.match(r"(?:and|or)\b", rest):
        return Request("action", core)
    return _detailed(from_noun_phrase(rest), core)


def _detailed(request: Request, core: str) -> Request:
    """Remove "in detail" from a thing or topic, whose frames have their own tails."""
    if request.kind in ("thing", "topic") and _TAILS.search(core):
        return Request(request.kind, _TAILS.sub("", request.body))
    return request
