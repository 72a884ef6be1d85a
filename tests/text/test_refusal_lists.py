"""The lists of phrases are well-formed, and the texts that are searched first change no verdict."""

import re

import pytest

from unmirage.text.refusals.lists import english

HINTED = [name for name, group in english().items() if group.hints]


def after(nodes, ends, hints):
    """Return possible endings of texts that match a parsed pattern after texts with these endings.

    An end is a text's last characters, those that are not known as NUL; None stands for all texts with a hint.
    """
    for kind, what in nodes:
        name = str(kind)
        if name == "LITERAL":
            ends = {longer(end, chr(what), hints) for end in ends}
        elif name in ("IN", "ANY", "NOT_LITERAL"):
            ends = {longer(end, "\0", hints) for end in ends}
        elif name == "SUBPATTERN":
            ends = after(what[-1], ends, hints)
        elif name == "BRANCH":
            ends = set().union(*(after(branch, ends, hints) for branch in what[1]))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            ends = repeated(*what, ends, hints)
        else:
            assert name in ("AT", "ASSERT", "ASSERT_NOT"), name  # these match no text of their own
    return ends


def repeated(least, most, nodes, ends, hints):
    for _ in range(least):
        ends = after(nodes, ends, hints)
    for _ in range(most - least):
        more = ends | after(nodes, ends, hints)
        if more == ends:
            break
        ends = more
    return ends


def longer(end, character, hints):
    if end is None or any((end + character).endswith(hint) for hint in hints):
        return None
    return (end + character)[-max(map(len, hints)) :]


@pytest.mark.parametrize("name", HINTED)
def test_every_text_that_a_phrase_matches_holds_a_hint(name):
    group = english()[name]
    assert after(re._parser.parse(group.pattern.pattern), {""}, group.hints) == {None}


def test_a_phrase_without_a_hint_would_be_found_out():
    found = after(re._parser.parse("i (?:cannot|can ?t) help"), {""}, ("not",))
    assert found == {None, "elp"}
