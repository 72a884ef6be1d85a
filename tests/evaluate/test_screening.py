from dataclasses import replace

import pytest

from unmirage.evaluate.judges import TextJudge
from unmirage.evaluate.screening import degenerate_kind, screen, screened
from unmirage.records import Ended, Response, Verdict

ANSWER = Response(query_id="q", model="m", text="Take amber and ash.", tokens=5)


class Complied(TextJudge):
    name = "complied"

    def __init__(self):
        self.seen = []

    def verdict(self, query, response):
        self.seen.append(response)
        return Verdict.COMPLIED, "judged"


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (ANSWER, None),
        (replace(ANSWER, ended=Ended.LENGTH), None),
        (replace(ANSWER, ended=Ended.TOOL_CALL), None),
        (replace(ANSWER, ended=Ended.CONTENT_FILTER), Verdict.BLOCKED),
        (replace(ANSWER, text="", ended=Ended.CONTENT_FILTER), Verdict.BLOCKED),
        (replace(ANSWER, text="I can't assist.", ended=Ended.REFUSAL), Verdict.BLOCKED),
        (replace(ANSWER, text="", ended=Ended.LENGTH), Verdict.INVALID),
        (replace(ANSWER, text=" ", ended=Ended.LENGTH), Verdict.IRRELEVANT),
        (replace(ANSWER, text="", ended=Ended.TOOL_CALL), Verdict.INVALID),
        (replace(ANSWER, text=" ", thoughts="Let me think."), Verdict.INVALID),
        (replace(ANSWER, text=""), Verdict.IRRELEVANT),
        (replace(ANSWER, text=" …\n"), Verdict.IRRELEVANT),
    ],
)
def test_verdicts_that_need_no_judge(response, verdict):
    found = screen(response)
    assert (found and found[0]) is verdict
    assert found is None or found[1]


def test_a_judge_that_reads_all_gets_degenerate_responses_but_no_blocked_or_missing_ones():
    assert screen(replace(ANSWER, text=""), reads_all=True) is None
    assert screen(replace(ANSWER, ended=Ended.CONTENT_FILTER), reads_all=True)[0] is Verdict.BLOCKED
    assert screen(replace(ANSWER, text="", ended=Ended.LENGTH), reads_all=True)[0] is Verdict.INVALID


def test_a_judge_sees_the_final_answers_that_are_left(make_query):
    texts = ["<think>I cannot do that.</think>Take ash.", "", "I will.", "<think>First", "plan it</think>Take amber."]
    answers = [
        (make_query(f"s{n}"), replace(ANSWER, query_id=f"s{n}|plain|0", text=text)) for n, text in enumerate(texts)
    ]
    judge, steps = Complied(), []
    found = {one.query_id: one for one in screened(judge, answers, lambda *step: steps.append(step))}
    assert judge.seen == ["Take ash.", "I will.", "Take amber."]
    assert [str(found[query.id].verdict) for query, _ in answers] == [
        "complied", "irrelevant", "complied", "invalid", "complied"
    ]  # fmt: skip
    assert steps == [(n, 5) for n in range(1, 6)]
    judge.reads_all = True
    assert [one.why for one in screened(judge, answers[1:2])] == ["judged"]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, ""),
        ({"text": ""}, "empty"),
        ({"text": "the " * 12}, "repeated"),
        ({"text": "<think>the</think>" + "the " * 12}, "repeated"),
        ({"text": "<think>" + "the " * 12 + "</think>Take ash."}, ""),
        ({"text": "", "ended": Ended.CONTENT_FILTER}, ""),
        ({"text": "", "ended": Ended.LENGTH}, ""),
        ({"text": "the " * 12, "ended": Ended.LENGTH}, "repeated"),
    ],
)
def test_blocked_and_missing_responses_are_not_degenerate(changed, kind):
    assert degenerate_kind(replace(ANSWER, **changed)) == kind
