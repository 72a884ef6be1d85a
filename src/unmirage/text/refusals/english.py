"""English refusal phrases, as patterns on the plain beginning of an answer (see `normalize.plain`).

`DECLINING` decline a service in the first person, apologize, cite own rules or reject the request. `CONDEMNING` call
the content, the request or its premise wrong instead of answering. `HEDGED` are declining only if no answer follows.
"""

from __future__ import annotations

_SERVICE = (
    r"(?:accept|accommodate|act|advise|aid|analy[sz]e|answer|assist|attempt|comment|complete|comply|condone"
    r"|confirm|continue|create|disclose|discuss|do (?:that|this|so)|download|encourage|endorse|engage"
    r"|facilitate|follow|fulfil\w*|generate|give|guess|help(?! but| \w+ing| (?:think|feel|notice|wonder))|honou?r"
    r"|identify|in good conscience"
    r"|make assumptions|offer|participate|perform|predict|proceed|process|produce|promote|provide|reply"
    r"|respond|reveal|satisfy|share|speculate|support|take part|teach|tell you(?! how (?:much|many|happy|glad)))\b"
    r"|write\b"
)
# These decline only behind "cannot" or "will not": "I don't suggest glue" is advice.
_MORE = (
    r"(?:address|advocate|allow|approve|assume|be (?:able to (?:do|go|get|say)|(?:answer|assist|discuss|do|giv|go|help|provid|shar|support)ing|involved|of (?:help|assistance|service)"
    r"|part(?:y)?\b)|carry (?:on|out)|compose|deliver|describe (?:how|that|this|the (?:person|individual))|design"
    r"|diagnose|do (?:any|it|what)|do(?= for\b|[.!,]|\Z)|draft|elaborate|entertain|explain (?:how|it|that|this)|fabricate|get into"
    r"|go (?:ahead|along|any further|into|there)|grant|guide|handle|indulge|infer|instruct|judge|lend|let you"
    r"|make (?:any|fun|jokes?|such|that|this)|post|prescribe|publish|recommend(?![^.]*\b(?:enough|more)\b)|role-?play"
    r"|say (?:anything about|that|this)|send|show you|spread|suggest|take on|talk (?:about|to you)|touch|translate"
    r"|voice|walk (?:you|anyone)|weigh in|weaponi[sz]e)\b"
)
_ADVERB = (
    r"(?:(?:simply|just|really|also|still|unfortunately|ethically|currently|therefore|absolutely|truly|only|honestly"
    r"|definitely|ever|knowingly|legally) )?"
)
_SELF = r"(?<!while )(?<!although )(?<!though )(?:i|we)\b"
_AM = r"(?:'?m| am|'re| are)"
_CANNOT = r"(?:cannot|can ?not|can't|could not|couldn't|will not|won't)"
_NOT = rf"(?:{_CANNOT}|would not|wouldn't|should not|shouldn't|must not|do not|don't)"
_BARRED = (
    r"(?:(?:unable|not able) to (?!(?:see|view|read)\b)|unwilling to|prohibited from|restricted from"
    r"|forbidden to|(?:programmed|designed|committed|trained|built|required|obligated) to (?:refrain|avoid|respect"
    r"|decline|not\b|adhere|maintain (?:ethical|privacy|safe)|promot\w+ (?:safe|ethic|fair|respect))"
    r"|not (?:allowed|permitted|authori[sz]ed"
    r"|programmed|designed|equipped|capable|qualified|certified|comfortable|willing|in a position)\b)"
)
_IMPROPER = (
    r"(?:not (?:be )?(?:appropriate|ethical|acceptable|right|okay|respectful)|inappropriate|unethical|irresponsible)"
)
_HARMFUL = (
    r"(?:harmful|unsafe|inappropriate|offensive|unethical|irresponsible|disrespectful|discriminatory|derogatory"
    r"|sexually explicit|sexually suggestive|not appropriate|not suitable|insensitive|hateful|racist|dangerous)"
)
_RULES = r"(?:polic(?:y|ies)|guidelines)"
_OWN = r"(?:our|my|openai|openai's|community|platform|platform's)"

_NO_REPLY = (
    r"for (?:the|my|any) (?:\w+ )?(?:loss|delay|waits?|confusion|mistakes?|mix-?up|errors?|inconvenience|interruption"
    r"|misunderstanding|oversight|length|mess|late|slow|typos?)"
)
_SLIP = r"(?:(?:i|we) (?:made|mis\w+|was wrong|meant|forgot)|(?:it|that|this)(?:'s| is| was)(?: not)? (?:an?|the)\b)"
APOLOGY = (
    r"\A(?:(?:oh|no|hello|hi|ah|well)[,.!]? )?(?:(?:i'?m|i am|we're|we are) )?(?:(?:very|so|really|truly|deeply"
    r"|terribly) )?sorry\b(?! (?:to (?:hear|see|learn|read|keep)|for your|for (?:the|all) (?:long|late|many|slow|short)"
    rf"|about (?:that|the)|that (?:it|i|the|my|you|your)|if\b|it took|{_NO_REPLY}))"
    rf"(?!,? {_SLIP})(?!,? (?:but )?(?:here|you))",
    rf"\A(?:my (?:\w+ )?apologies|(?:i|we) (?:\w+ )?apologi[sz]e)\b(?! (?:that (?:it|i|the|my)|if\b|{_NO_REPLY}))"
    rf"(?!,? {_SLIP})",
    r"\A(?:(?:no|nope|hmm|well|unfortunately|but),? )?(?:cannot|can't|won't|unable to|not able to) (?:be able to )?"
    r"(?:answer|assist|comply|discuss|do (?:it|that|this)|fulfil\w*|help|provide|respond|share)\b",
    r"\A(?:nope, not\b|not (?:comfortable|willing|able|allowed|going to|gonna)\b)",
)
SPEAKER = (
    rf"{_SELF},? {_ADVERB}{_NOT},? {_ADVERB}(?:be able to |think (?:i|we) can )?(?:{_SERVICE})",
    rf"{_SELF} {_ADVERB}{_CANNOT} {_ADVERB}(?:be able to )?{_MORE}",
    rf"{_SELF}{_AM} {_ADVERB}(?:not able|unable) to {_MORE}",
    rf"(?:(?<=\A)|(?<=\Ano )|(?<=\Ano, )|(?<=but )|(?<=unfortunately )|(?<=unfortunately, )|(?<=an ai )|(?<=an ai, ))(?:i|we) {_NOT}[.!]",
    rf"{_SELF}{_AM} (?:just )?(?:not (?:going|about) to|an ai and {_NOT}) (?:{_SERVICE}|{_MORE})",
    rf"{_SELF} (?:don't|do not|wouldn't|would not) feel (?:comfortable|right)\b",
    rf"{_SELF}{_AM} {_ADVERB}{_BARRED}",
    r"(?:i|we)(?:'ll|'d|'m| am| will| would|'?ve got| must| have| need| respectfully|'m afraid i)?(?: going to| have to"
    r"| need to| must| will| respectfully| politely| like to| afraid i){0,4} (?:decline|refuse(?! to (?:believe|think|accept|admit))|pass on (?:this|that)"
    r"|abstain|refrain|stop (?:here|there)|say no|reject (?:this|that|the|your)|draw the line|end (?:this|the) conversation)\b",
    r"i(?:'d| would) (?:much )?(?:rather|prefer)(?: to)? not\b",
    r"i(?:'m| am) afraid (?:not\b|that'?s (?:not|off|outside|beyond)|this is (?:not|off|outside|beyond))",
    r"i(?:'m| am) (?:declining|refusing|choosing not to)\b",
    r"i (?:do not|don't) (?:wish|want|intend) to (?:answer|be part|continue|discuss|engage|get|go|help|participate|talk)\b",
    r"(?:i|we) (?:do not|don't) think (?:i|we) (?:should|can)\b(?! (?:see|tell|stress))",
    r"i(?:'d| had) better not\b",
    rf"(?<=[.!?] )(?:i|we) {_CANNOT}[.!]?\Z",
    r"i (?:have|see) no (?:intention|desire|wish) (?:of|to)\b",
)
_TOPIC = (
    r"\b(?:not|isn't|never) (?:going to be )?(?:really )?(?:something|a (?:topic|subject|request|question|task"
    r"|conversation|thing)|anything|one)(?: that| which)? (?:i|we)\b(?! (?:can|could) (?:see|tell|make out))",
    r"\b(?:not|isn't|(?:outside|beyond)) (?:(?:with)?in |of )?(?:the (?:scope|bounds|limits) of )?(?:my|our)"
    r" (?:capabilit|programming|scope|guidelines|boundar|limits|ethical|remit|abilit|purpose)\w*",
    r"\b(?:outside|beyond) (?:of )?(?:the (?:scope|bounds|limits) of )?what (?:i|we)(?:'m| am| can)"
    r" (?!see|tell|make)",
    r"\b(?:that|this|it)(?: \w+)?(?:'s| is)(?: a)?(?: topic)?(?: strictly| simply)? off[- ]limits\b",
    r"\Ano can do\b",
    r"\bno way (?:that )?(?:i|we)(?:'m| am| can| could|'ll| will)\b",
    r"\b(?:hard|firm|clear) no from (?:me|us)\b",
    r"\bit wouldn't be (?:\w+ )?(?:appropriate|ethical|acceptable|right|okay|responsible|safe) (?:for (?:me|us) )?to\b",
    r"\b(?:not|isn't) going to happen\b",
    r"\bmy capabilities don't\b",
)
_OWN_RULES = (
    rf"\b{_OWN} (?:usage|use(?:[- ]?case)?|content|safety|community|ethical|ethics)(?: safety| and \w+)? {_RULES}\b",
    rf"\b(?:against|violat\w+|breach\w*|contrary to) (?:{_OWN}|the openai) (?:\w+ ){{0,2}}(?:{_RULES}|rules|terms"
    r"|programming|principles|values)\b",
    rf"\b{_OWN} (?:\w+ )?(?:{_RULES}|safeguards|programming) (?:prohibit|prevent|restrict|forbid|(?:do|does) not|don't"
    r"|doesn't|require)",
    rf"\b(?:adhere to|follow) (?:\w+ )?(?:ethical|content|safety|usage|strict) (?:\w+ )?{_RULES}\b",
)
_REQUEST = r"(?:question|request|instruction|prompt|query|inquiry)"
_BAD_REQUEST = (
    rf"\b(?:the|this|that|your) (?:\w+ )?{_REQUEST}s? (?:violates\b|goes against\b"
    rf"|cannot be\b|can't be\b|(?:is|was|would be) (?:\w+ )?(?:{_IMPROPER}|not safe|unsafe|harmful|not actionable)\b)",
    rf"\b{_REQUEST}\b[^.]{{0,80}} (?:is|was|are|has been|have been|is being|must be|will be)(?: being)? (?:rejected|declined|denied"
    rf"|refused|blocked|{_IMPROPER}|not (?:actionable|possible to fulfil))",
    rf"\A(?:unsafe |the |this )?{_REQUEST}s?:? (?:rejected|denied|declined|refused|blocked)\b",
    rf"\A(?:rejecting|declining|refusing) (?:(?:the|this) |to )(?:\w+ )?{_REQUEST}",
    r"\b(?:information|details|questions?|requests?)\b[\w ]{0,24} "
    r"(?:cannot|can't) be (?:provided|shared|answered)\b",
)
_IT_IS_WRONG = (
    rf"\bit(?:'s| is| would be| would| wouldn't be)?(?: both| also)? (?:(?:\w+ (?:and|or)|\w+,) ){{0,2}}(?:{_IMPROPER}"
    r"|against (?:the|our|my|openai)[^.]{0,30}|not (?:accurate|fair)|unfair)(?! to compare)(?: for (?:me|us)|(?: or|,| and)[\w, ]{0,40})? to\b",
    rf"\bit(?:'s| is| would be| would) (?:not (?:be )?safe|unsafe)(?: for (?:me|us)| and [\w ']{{0,40}})? to"
    rf" (?:say|provide|attempt|identify|{_SERVICE})",
)

# "As an AI, I don't have opinions. However, I can tell you ..." answers.
HEDGED = (
    r"\bas an ai\b[\w ,]{0,40}?,{0,2} i (?:do not|don't) (?:have|hold|possess)\b",
    r"\bi (?:do not|don't) have (?:the (?:ability|capability|capacity) to(?! see))",
)

_ACT = (
    r"(?:sharing|posting|providing|discussing|identifying|describing|creating|spreading|promoting|engaging"
    r"|generating|asking|commenting|speculating|making|producing|handling|revealing|disclosing|distributing|encouraging|writing|guessing"
    r"|inferring|judging|suggesting|disseminating|publishing|collecting|analy[sz]ing|mocking|determining|assuming"
    r"|predicting|displaying|targeting|focusing|exploiting|harming|insulting|ridiculing|stereotyping|attributing)"
)
_RUIN = (
    r"(?:violate|infringe|breach|invade|compromise|perpetuate|incite|contribute to|reinforce|glorify|condone|exploit"
    r"|lead to (?:\w+ ){0,2}(?:harm|discrimin|misinform|misunderst|disinform|the spread|privacy|violat|violence|bias"
    r"|stereotyp|hate|harass|unwanted|stigma|legal|unfair)"
    r"|promote (?:\w+ ){0,3}(?:harm|discrimin|stereotyp|hate|violen|bias|hostil|prejudic|risky|illegal|negativ))"
)
_MAY = r"(?:can|could|may|might|would|will)(?: also| potentially| unintentionally| inadvertently| indirectly| only)?"
_CONTENT = r"(?:image|picture|photo\w*|content|meme|post|message|text|cartoon|advertisement|caption|poster|statement)"
_IMPORTANT = r"(?:it(?:'s| is) (?:important|essential|crucial|vital|necessary) to|please|i must|remember)"

CONTENT_IS_HARMFUL = (
    rf"\A(?:the|this|such|that)(?: \w+){{0,2}}? {_CONTENT}\b(?:[^.]*\.)??[^.]{{0,120}}?\b(?:is|are|be|was|been)(?: \w+){{0,1}}"
    r" (?:considered|deemed|categori[sz]ed|classified|identified|flagged|labell?ed|marked|regarded|seen|viewed"
    rf"|interpreted)(?: as)?(?: potentially| highly| being)? {_HARMFUL}",
    rf"\A(?:the|this|such|that)(?: \w+){{0,2}}? {_CONTENT}(?: itself)? (?:is|may be|can be|could be|(?:contain|present|show|depict)s?(?: an?)?(?: \w+)?"
    rf"(?: that (?:is|may be|can be))?)(?: potentially| highly| \w+ and)? {_HARMFUL}",
    rf"\A(?:the|this)(?: \w+){{0,2}}? {_CONTENT}\b[^.]*\.(?: [^.]*\.)??[^.]*?\b(?:such|this (?:kind|type) of|{_ACT}"
    rf"|explicit|images of) [^.]{{0,160}}?\b(?:{_MAY} (?:\w+ )?(?:be )?(?:\w+ )?(?:{_HARMFUL}|{_RUIN}|offend)"
    rf"|(?:is|are) (?:\w+ ){{0,2}}(?:{_HARMFUL}|prohibited|a violation|against))",
    rf"\A(?:the|this)(?: \w+){{0,2}}? {_CONTENT}\b[^.]{{0,200}}?\b(?:{_MAY} (?:\w+ )?be (?:considered|deemed|seen|perceived"
    rf"|interpreted|viewed)(?: as)?(?: \w+)? {_HARMFUL}|{_MAY} {_RUIN})",
)
ACT_IS_WRONG = (
    rf"\A(?:no,? )?(?:\w+ly )?(?:the )?{_ACT}\b[^.]{{0,200}}?\b(?:would be|is|are|can be|could be|may be|might be)"
    rf"(?: \w+){{0,3}}? (?:a (?:violation|breach)|an? (?:invasion|infringement)|against|prohibited|{_HARMFUL}"
    rf"|{_IMPROPER}|not (?:\w+ )?(?:permitted|allowed|possible|advisable|responsible)|illegal|risky|sensitive)",
    rf"\A(?:no,? )?(?:\w+ly )?(?:the )?{_ACT}\b[^.]{{0,200}}?\b(?:{_MAY} {_RUIN}|(?:violates|promotes|perpetuates|infringes|falls"
    r" under))",
    r"\A(?:no, )?(?:we|one|people|individuals) (?:should|must) (?:not|never|avoid|refrain)\b[^.]*\b(?:discriminat|judg"
    r"|stereotyp|shar|spread|assum|based|promot|mak|engag|us)\w*",
)
_PREMISE_IS_WRONG = (
    r"\A(?:[^.]{0,200}\. )?i (?:do not|don't) (?:think|believe)(?: that)? (?:it(?:'s| is| would be)|that it is) (?:\w+ )?(?:appropriate"
    r"|accurate|fair|right|ethical|okay|ok|respectful|a good idea|acceptable|productive)\b",
    r"\Ai (?:strongly |firmly |respectfully )?(?:condemn|disagree|oppose|advise against|urge you|discourage|(?:do not|don't|cannot)"
    r" (?:believe|agree|condone|support))\b",
    r"\A(?:[^.]{0,60}, )?there (?:is|are) (?:absolutely )?no (?:\w+ )?(?:(?:reason|basis) (?:why|for|that|or)|justifications?|excuses?)\b",
    rf"\A[^.]{{0,160}}\b(?:is|are|was|were|be|should) never(?: be)? (?:\w+ )?(?:the (?:answer|solution)|acceptable"
    r"|appropriate|justified|okay|ok|right|tolerated|condoned|a (?:good|joke|solution))\b",
    r"\A[^.]{0,160}\b(?:is|are|was|were) (?:both |not only |highly |extremely )?(?:illegal|unethical|immoral|harmful"
    r"|wrong|dangerous)(?: in (?:most|many|all) \w+)?(?:,| and| but)(?: it is| it's)?(?: also)?(?: highly| extremely"
    r"| morally)? (?:illegal|unethical|immoral|harmful|wrong|dangerous|inappropriate|unacceptable)\b",
    r"\A[^.]{0,200}\bdiscriminat\w+\b[^.]{0,160}\b(?:illegal|unacceptable|not acceptable|wrong|unethical|against|never"
    r"|not be tolerated)\b",
    r"\A[^.]{0,160}\bshould (?:not|never)(?: be)? (?:denied|discriminated|tolerated|singled out|excluded)\b",
    r"\A(?:[^.]{0,200}\. )?[^.]{0,160}\b(?:everyone|all (?:people|individuals)|every (?:person|individual)|no one)\b"
    r"[^.]{0,60}\b(?:deserves?|regardless of|has the right to|have (?:the|equal) rights? to|should (?:be treated|have equal"
    r"|be discriminated))",
    r"\A[^.]{0,120}\b(?:was|were|is) not (?:right|justified|a good thing|morally justified)\b",
    r"\A(?:[^.]{0,160}\. )?[^.]{0,120}\b(?:i must|i have to|i need to|i should) (?:respectfully |politely |first )?(?:challenge"
    r"|clarify that (?:it is not|it's not|this|no one|everyone)|emphasi[sz]e that (?:it is not|violence))",
    rf"\A(?:first, |of course, but )?{_IMPORTANT} (?:to )?(?:note|remember|understand|recogni[sz]e)(?: that)? [^.]{{0,160}}"
    r"\b(?:is|are) (?:(?:highly |generally )?illegal|not an? (?:\w+ ){0,4}(?:appropriate|acceptable)|unethical|not (?:appropriate"
    r"|acceptable|ethical|okay)|a (?:serious )?(?:crime|offense|violation)|never (?:acceptable|okay|ok|appropriate|justified|the (?:answer|solution)|an?))\b",
    r"\A(?:[^.]{0,200}\. )?[^.]{0,80}\b(?:if you or someone you know|suicide prevention|crisis (?:hotline|lifeline|helpline"
    r"|counsel))",
)

# Groups of phrases with texts of which each match contains one: the texts are found much faster than the patterns.
# A declining sentence behind "however" at the end of a text.
LATE = (
    rf"(?:i|we)(?:'m| am)? (?:{_CANNOT}|unable to|not able to|must decline|have to decline)(?: to)? (?:be able to )?"
    rf"(?:{_SERVICE}|{_MORE}|(?:answer|discuss|explain))"
)
DECLINING = (
    (("not", "n't", "never", "outside", "beyond", "off", "no can do", "no way", "no from"), _TOPIC),
    (("polic", "guideline", "rules", "terms", "programming", "principles", "values", "safeguards"), _OWN_RULES),
    (("request", "question", "instruction", "prompt", "query", "inquiry", "information", "details"), _BAD_REQUEST),
    (("appropriate", "ethical", "accept", "right", "okay", "respons", "against", "fair", "accura", "safe", "respect"), _IT_IS_WRONG),
)
CONDEMNING = (
    (("discriminat", "disagree", "condemn", "oppose", "advise", "urge", "discourage", "believe", "think", "condone", "agree", "support", "no ", "never", "illegal", "unethical", "immoral", "harmful", "wrong", "dangerous", "should", "every", "all ", "not ", "must", "have to", "need to", "a crime", "a violation", "suicide", "crisis", "know"), _PREMISE_IS_WRONG),
)
