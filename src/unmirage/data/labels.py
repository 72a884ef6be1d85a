"""A label as people write it in a table, and the column's name, in; whether the query is refused, out."""

from __future__ import annotations

_YES = frozenset({"true", "1", "yes", "y", "t"})
_NO = frozenset({"false", "0", "no", "n", "f"})
_REFUSED = frozenset({"refused", "refuse", "refusal", "unsafe", "harmful"})
_ANSWERED = frozenset({"answered", "answer", "complied", "safe", "harmless"})
# In these columns "yes" means that the query is to be answered.
_INVERTED = frozenset({"safe", "is_safe", "answered"})

VALID = "true, false, 1, 0, yes, no, refused, answered, unsafe, safe"


def parse_label(value: object, column: str) -> bool | None:
    """Return whether the label says that the query is refused; None if it cannot be read.

    Args:
        value: true or false, 1 or 0, or a word of `VALID` in any case.
        column: the name of the column it stands in; "safe" turns yes and no around.
    """
    if isinstance(value, bool):
        return value != (column.casefold() in _INVERTED)
    word = str(value).strip().casefold()
    if word in _REFUSED or word in _ANSWERED:
        return word in _REFUSED
    if word in _YES or word in _NO:
        return (word in _YES) != (column.casefold() in _INVERTED)
    return None
