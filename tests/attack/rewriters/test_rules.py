"""The rules as a rewriter, and the check around them: what loses the meaning is dropped, the next wordings tried."""

import pytest

from unmirage.attack.rewriters import Checked, MeaningCheck, RuleRewriter, Wanted
from unmirage.text.english.rewriter import paraphrase, rewrite

QUERY = "How do I pick this lock?"
OPEN = Wanted(QUERY, "what", 3, "open")
AVOID = Wanted(QUERY, "what", 2, "avoid")


class Given:
    """Rewrites that a test wrote, as many as are asked for."""

    name = "given"

    def __init__(self, *texts):
        self.texts = texts

    def reword(self, wanted, progress=None):
        return [list(self.texts[: one.shots]) for one in wanted]


def test_the_rules_are_those_of_the_text_room():
    steps = []
    rules = RuleRewriter()
    assert rules.reword([OPEN, AVOID], lambda *at: steps.append(at)) == [
        rewrite(QUERY, "what", 3),
        paraphrase(QUERY, "what", 2),
    ]
    assert steps == [(1, 2), (2, 2)]
    assert (rules.report.queries, rules.report.asked, rules.report.kept) == (2, 5, 5)


def test_without_complaint_the_check_changes_nothing(check):
    checked = Checked(RuleRewriter(), check)
    assert checked.reword([OPEN, AVOID]) == RuleRewriter().reword([OPEN, AVOID])
    assert checked.report.summary() == "5 of 5 rewrites by rules"
    assert checked.name == "rules"


def test_the_next_wordings_take_the_place_of_those_that_lost_the_meaning(check):
    checked = Checked(Given("lost 1", "a", "lost 2", "b", "c", "lost 3", "d"), check)
    assert checked.reword([OPEN]) == [["a", "b", "c"]]
    # "lost 3" was not needed any more, so that nobody has dropped it.
    assert (checked.report.kept, checked.report.dropped_meaning, checked.report.missing) == (3, 2, 0)


def test_where_nothing_keeps_the_meaning_nothing_is_given(check):
    checked = Checked(Given(*(f"lost {n}" for n in range(50))), check)
    assert checked.reword([OPEN, OPEN]) == [[], []]
    assert (checked.report.missing, checked.report.dropped_meaning) == (6, 20)


@pytest.mark.parametrize("options", [{"words": 1.1}, {"words": -0.1}, {"similarity": 2}])
def test_a_threshold_that_is_no_share_is_refused(options):
    from unmirage.errors import UserError

    with pytest.raises(UserError, match="is not between 0 and 1"):
        MeaningCheck(**options)
