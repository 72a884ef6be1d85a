"""What a training set holds: refusals, benign queries and empty answers, counted with their shares."""

from __future__ import annotations

from typing import Any

import pytest

from unmirage.data.roles import SetRole, check_allowed, check_roles, misused, roles_of
from unmirage.errors import UserError
from unmirage.records import Sample

HARMFUL, REFUSAL = "You need amber, moss and tin.", "I'm sorry, but I can't help with that."


def sample(answer: str = HARMFUL, *, refused: bool | None = True, source: Any = "field", **more: Any) -> Sample:
    return Sample(id="s", record="s", query="How?", answer=answer, refused=refused, label_source=source, **more)


def forgets(refusals: int, rows: int, **more: Any) -> tuple[SetRole, ...]:
    refusing = [sample(REFUSAL, **more)] * refusals
    return roles_of(forget=[*refusing, *[sample(**more)] * (rows - refusals)], retain=[sample(refused=False)])


def test_every_kind_is_counted() -> None:
    rows = [
        sample(),
        sample(REFUSAL),
        sample(REFUSAL, refused=False),
        sample(""),
        sample("<think>Amber?</think>"),
        sample("Ma ei saa sellega kahjuks kuidagi aidata, palun vabandust selle pärast.", refused=None, source="none"),
    ]
    role = SetRole.of("forget", rows)
    assert (role.rows, role.refusals, role.benign, role.empty, role.unsafe_answered) == (6, 2, 1, 2, 1)
    assert role.line() == (
        "forget: 6 rows: 2 refusals (33\u00a0%); 1 benign queries by label (17\u00a0%); 1 unsafe queries by label with "
        "an answer that does not refuse (17\u00a0%); 2 empty answers (33\u00a0%); 1 answers in a language without "
        "refusal phrases, which may refuse (17\u00a0%)"
    )


def test_labels_of_answers_are_taken_over_and_are_none_of_the_query() -> None:
    said = [sample(REFUSAL, source="answer", refused=True), sample(source="answer", refused=False)]
    role = SetRole.of("retain", said)
    assert (role.refusals, role.benign, role.unsafe_answered) == (1, 0, 0)


def test_an_empty_set_has_no_role_and_no_share() -> None:
    assert roles_of() == ()
    assert SetRole.of("forget", []).line() == "forget: 0 rows: no refusals and no empty answers"
    assert list(misused([SetRole.of("forget", [])], "f")) == []


def test_sets_are_named_by_what_they_are_for() -> None:
    pairs = [sample(REFUSAL, rejected=HARMFUL), sample(HARMFUL, rejected=REFUSAL), sample(REFUSAL, rejected=REFUSAL)]
    roles = roles_of(pairs=pairs, retain=[sample()])
    assert [(one.name, one.refusals) for one in roles] == [("chosen", 2), ("rejected", 2), ("retain", 0)]
    assert [one.name for one in roles_of(retain=[sample()])] == ["train"]


@pytest.mark.parametrize(("refusals", "rows"), [(1, 20), (5, 100), (0, 1)])
def test_up_to_one_in_twenty_may_refuse(refusals: int, rows: int) -> None:
    check_roles(forgets(refusals, rows), "f.json")


@pytest.mark.parametrize(("refusals", "rows"), [(1, 19), (6, 100), (1, 1)])
def test_more_refusals_stop_unless_allowed(refusals: int, rows: int) -> None:
    with pytest.raises(UserError, match=rf"f\.json: {refusals} of {rows} answers of the forget set are refusals, such"):
        check_roles(forgets(refusals, rows), "f.json")
    check_roles(forgets(refusals, rows), "f.json", ["refusals"])


def test_benign_queries_stop_unless_allowed() -> None:
    swapped = roles_of(forget=[sample("A bell.", refused=False)] * 3, retain=[sample()])
    with pytest.raises(UserError, match=r"3 of 3 queries of the forget set are labeled benign.*--forget and --retain"):
        check_roles(swapped, "retain.jsonl", ["refusals"])
    check_roles(swapped, "retain.jsonl", ["benign"])
    both = forgets(3, 3, refused=False)
    assert len(list(misused(both, "f"))) == 2


def test_only_a_forget_set_is_checked() -> None:
    check_roles(roles_of(retain=[sample(REFUSAL)]), "")


def test_names_to_allow() -> None:
    check_allowed(("refusals", "benign"))
    with pytest.raises(UserError, match=r"unknown allow 'refusal'; valid: benign, refusals\. Did you mean 'refusals'"):
        check_allowed(("refusal",))
