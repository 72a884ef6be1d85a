"""Patterns of polite and indirect requests: "I would like you to open the door", "help me open the door"."""

from __future__ import annotations

import re

_SOMEBODY = r"(?:you|u|someone|anyone|somebody|anybody|one of you)"
_POLITE = r"(?:(?:please|kindly|possibly|perhaps|also|just|maybe),? )*"
_WANT = (
    r"(?:i|we)(?:(?: would|['’]d)?(?: really| just| also)? (?:want|need)"
    r"|(?: would|['’]d)(?: really| also)? (?:like|love|wish))"
)
_GERUND = r"(?:\w+ly )?\w+ing .+"
_HELP = r"(?:some |your |a little )?(?:help|assistance|guidance)"
# "I want this removed" and "I need it" ask for no noun phrase.
_NOT_WANTED = r"(?:to|you|it|him|her|them|this|that|these|those|for|help|assistance|everyone|people|my|nothing|not)\b"
# Who helps with an action shows how to do it: "help me fix the boat".
_HELPING: tuple[tuple[str, str], ...] = (
    (rf"{_POLITE}(?:help|assist) (?:me|us) (?:with |in |on )(?P<x>{_GERUND})", "helped"),
    (rf"{_POLITE}help (?:me|us)(?: to| and)? (?P<x>(?!with\b|in\b|on\b|out\b).+)", "helped base"),
    (rf"{_POLITE}(?:assist|help) in (?P<x>{_GERUND})", "gerund"),
    (rf"{_POLITE}(?:assist|help) (?:me|us) (?:with|on|regarding) (?P<x>.+)", "topic"),
    (rf"{_POLITE}(?:guide|walk|instruct|advise|teach|coach) (?:me|us)(?: on| in| through) (?P<x>{_GERUND})", "helped"),
    (rf"{_POLITE}(?:guide|instruct|advise|teach|show) (?:me|us)(?: on)?(?: how)? to (?P<x>.+)", "method"),
)  # fmt: skip
# Patterns of polite and indirect requests, and the type of their inner part `x`.
_WRAPPED: tuple[tuple[str, str], ...] = (
    (r"would you (?:say|think|agree)(?: that)? (?P<x>.+)", "whether"),
    (rf"(?:can|could|would|will|won['’]t|can['’]t) {_SOMEBODY} {_POLITE}"
     rf"(?:be (?:so )?(?:kind|able)(?: enough)?(?: as)? to )?{_POLITE}(?P<x>.+)", "command"),
    (rf"(?:are|were) you able to {_POLITE}(?P<x>.+)", "command"),
    (rf"(?:is|would) it (?:be )?possible (?:for you )?to {_POLITE}(?P<x>.+)", "command"),
    (rf"(?:i|we) (?:ask|expect) you to {_POLITE}(?P<x>.+)", "command"),
    (rf"{_WANT} (?:for )?you to {_POLITE}(?P<x>.+)", "command"),
    (rf"{_WANT}(?: to)? (?:know|learn|find out|understand|hear)(?: more)?(?: about)? (?P<x>.+)", "asked"),
    (rf"{_WANT} {_HELP} (?:with |in )?(?P<x>{_GERUND})", "helped"),
    (rf"{_WANT} {_HELP} (?:to|and) (?P<x>.+)", "helped base"),
    (rf"{_WANT} {_HELP} (?:with|on|regarding|about) (?P<x>.+)", "topic"),
    (rf"{_WANT} to (?P<x>.+)", "method"),
    (r"(?:i|we)(?: am|['’]m| are|['’]re)? (?:plan|planning|trying|hoping) to (?P<x>.+)", "method"),
    (rf"{_WANT} (?P<x>(?!{_NOT_WANTED})\w.+)", "wanted"),
    (r"you (?:should|must|need to|have to|ought to|are to) (?P<x>.+)", "command"),
    (r"how about (?:you|we) (?:go ahead and |try to )?(?P<x>.+)", "command"),
    (rf"how about (?P<x>{_GERUND})", "gerund"),
    (r"(?:i|we)(?: am|['’]m| are|['’]re)? (?:wonder|wondering|curious)(?: about| to know)? (?P<x>.+)", "asked"),
    (r"(?:do you (?:know|have any idea|happen to know)|any idea|you know)(?: about)? (?P<x>.+)", "asked"),
    (r"(?:can|could|may|might) (?:i|we) (?:ask|know|learn)(?: you)?(?: about)? (?P<x>.+)", "asked"),
    (r"(?:let me|let us) (?:know|ask)(?: about)? (?P<x>.+)", "asked"),
    (r"(?:can|could|may) (?:i|we) (?:have|get|see) (?P<x>(?:a|an|some|the|your) .+)", "asked"),
    (rf"(?:would|do) you mind (?P<x>{_GERUND})", "gerund"),
    (r"(?:is there|are there) (?:a|any|some) (?:way|ways) (?:for \w+ )?to (?P<x>.+)", "method"),
    (r"(?:please )?(?:answer|respond to|reply to) (?:the|this|my|these)(?: following)? questions?[:,]? "
     r"(?P<x>.+)", "request"),
    (r"how to (?P<x>.+)", "method"),
    (r"how (?:do|can|could|should|would|might) (?:i|we|you|one|someone|somebody)(?: \w+ly)? "
     r"(?P<x>(?!(?:know|feel|think|like|see|mean|look|believe|say|have)\b).+)", "method"),
    (r"why (?:not|don['’]t you|don['’]t we) (?P<x>.+)", "command"),
    (r"(?:what|how) about (?P<x>.+)", "topic"),
)  # fmt: skip
HELPING = tuple((re.compile(pattern, re.I), kind) for pattern, kind in _HELPING)
WRAPPED = HELPING + tuple((re.compile(pattern, re.I), kind) for pattern, kind in _WRAPPED)
