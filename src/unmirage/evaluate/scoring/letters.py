"""A response to a question of multiple choice in, the letter that it names out.

The rule is that of LLaVA's evaluation of ScienceQA (github.com/haotian-liu/LLaVA, eval_science_qa.py): the letter
alone, "B. a text", or "The answer is B." once in a longer text. "B." alone counts too, as in lmms-eval, which LLaVA's
script passes over. Nothing else is read: "(B)", "b" or the text of the option name no letter.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

_AT_START = re.compile(r"([A-Z])\.(?: |$)")
_STATED = re.compile(r"The answer is ([A-Z]).")  # any sign may follow the letter, but one has to


def named_letter(text: str, choices: int) -> str | None:
    """Return the letter, or None where the response names none of the choices.

    Args:
        text: the response.
        choices: how many there are, from A on.
    """
    said = text.strip()
    start, stated = _AT_START.match(said), _STATED.findall(said)
    if len(said) == 1:
        letter = said
    elif start:
        letter = start[1]
    elif len(stated) == 1:
        letter = stated[0]
    else:
        return None
    return letter if letter in ascii_uppercase[:choices] else None
