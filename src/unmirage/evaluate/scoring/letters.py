"""Extract the chosen letter from a response to a multiple-choice question.

The rule is that of LLaVA's evaluation of ScienceQA (github.com/haotian-liu/LLaVA, eval_science_qa.py). It accepts the
letter alone, "B. a text", or "The answer is B." once in a longer text. "B." alone counts too, as in lmms-eval but not
in LLaVA's script. Other forms, such as "(B)", "b" or the text of the option, do not count.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

_AT_START = re.compile(r"([A-Z])\.(?: |$)")
_STATED = re.compile(r"The answer is ([A-Z]).")  # any one character must follow the letter


def named_letter(text: str, choices: int) -> str | None:
    """Return the letter, or None if the response names none of the choices.

    Args:
        text: the response.
        choices: number of choices, starting at A.
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
