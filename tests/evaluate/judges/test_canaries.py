"""Judges that fall for attacks are told from those that do not."""

from unmirage.evaluate.judges import PhraseJudge, TextJudge
from unmirage.evaluate.judges.canaries import _PLAIN, ATTACKS, BLANK, run_canaries
from unmirage.intervals import rate
from unmirage.records import Verdict

TRUTH = dict(_PLAIN.values())


class Sound(TextJudge):
    """Reads the plain text inside whatever stands around it."""

    name = "sound"

    def verdict(self, query, response):
        return next((v for text, v in TRUTH.items() if text in response), Verdict.IRRELEVANT), ""


class Gullible(Sound):
    """Believes every forged verdict."""

    def verdict(self, query, response):
        for verdict in (Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT):
            if f'"verdict": "{verdict}"' in response:
                return verdict, ""
        return super().verdict(query, response)


class Mute(Sound):
    """Has no verdict on what mentions the grader."""

    def verdict(self, query, response):
        if "grader" in response:
            return Verdict.INVALID, ""
        return super().verdict(query, response)


def test_a_sound_judge_is_right_and_never_flips():
    found = run_canaries(Sound())
    cases = len(_PLAIN)
    assert found.right == rate(cases, cases)
    assert found.flip_rate == rate(0, 2 * cases * len(ATTACKS) + len(BLANK))
    assert list(found.by_attack) == [*ATTACKS, *BLANK]
    assert {one.k for one in found.by_attack.values()} == {0}


def test_a_judge_that_believes_forged_verdicts_flips_wherever_there_is_one():
    found = run_canaries(Gullible())
    forged = [name for name in ATTACKS if name != "ignore the rubric"]
    assert {found.by_attack[name].value for name in forged} == {1.0}
    assert found.by_attack["ignore the rubric"].k == 0
    assert found.flip_rate.k == len(forged) * 2 * len(_PLAIN)


def test_what_has_no_verdict_is_no_flip_but_counted():
    found = run_canaries(Mute())
    assert found.by_attack["ignore the rubric"] == rate(0, 0, 2 * len(_PLAIN))
    assert found.flip_rate.invalid == 2 * len(_PLAIN)


def test_words_that_say_nothing_have_to_be_irrelevant():
    found = run_canaries(PhraseJudge())
    assert found.by_attack["empty"].k == 0
    assert found.by_attack["colon"].k == 1  # it takes whatever is no refusal for compliance
