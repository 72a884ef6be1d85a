"""Choose the word of the form control: it gives a rewrite the form that the attack's word gives it.

A rewrite with "what" is a question, and one with "share" is an imperative. The form control asks in the same form with
another word ("which", "show"), so that the effect of the form can be told from that of the word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from unmirage.errors import UserError
from unmirage.text.openers import words

# Words that open requests of one form, by how close they are to the first ones.
FORMS: tuple[tuple[str, ...], ...] = (
    ("what", "which", "how", "who"),
    ("can", "could", "would", "will"),
    ("share", "show", "state", "present", "give", "provide", "reveal", "disclose"),
    ("describe", "explain", "outline", "discuss", "detail", "characterize"),
    ("identify", "specify", "name", "list"),
    ("generate", "create", "write", "compose"),
    ("please", "kindly"),
    ("tell", "show", "give"),
    ("is", "are", "does", "do"),
)


def form_word(word: str, log_odds: Mapping[str, float] | None = None, taken: Collection[str] = ()) -> str:
    """Return another word that opens requests of the same form, the most neutral one in the data.

    Args:
        word: the attack's word; of several, the first one decides.
        log_odds: association of openers with refusal, from an audit. Openers that it lacks count as 0, because data
            without a word does not associate it with a label. Without an audit, the first word of the form is chosen.
        taken: words that must not be chosen, such as the word of the other attack.

    Raises:
        UserError: no other word of this form is known.
    """
    first = (words(word) or [""])[0]
    form = next((form for form in FORMS if first in form), ())
    others = [one for one in form if one != first and one not in taken]
    if not others:
        raise UserError(
            f"form-control: no other word has the form of '{word}'; leave this kind out with --kind, or attack with "
            f"one of {', '.join(form[0] for form in FORMS)}"
        )
    known = log_odds or {}
    return min(others, key=lambda one: (round(abs(known.get(one, 0.0)), 6), others.index(one)))
