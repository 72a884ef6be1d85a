"""The closed-class words of English: what is left of a sentence when its content is masked."""

from __future__ import annotations

FUNCTION_WORDS = frozenset(
    (
        # determiners and quantifiers
        "a an the this that these those each every either neither some any no all both half many much more most few "
        "less several other another such "
        # pronouns
        "i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our "
        "ours they them their theirs themselves one ones someone anyone everyone something anything everything "
        # question words
        "what which who whom whose when where why how whether "
        # prepositions
        "of in on at by for with about against between into through during before after above below to from up down "
        "out off over under behind beside near around across along toward towards within without upon like as than "
        "per via "
        # conjunctions
        "and or but nor so yet if because while although though unless until since "
        # auxiliaries and modals
        "am is are was were be been being do does did doing have has had having can could will would shall should may "
        "might must isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't hasn't "
        "haven't hadn't cannot "
        # adverbs of degree, place and negation; the polite word
        "not never also only just very too then there here now again please"
    ).split()
)
