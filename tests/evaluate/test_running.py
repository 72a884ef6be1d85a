"""The rates so far of an attack: which samples count when, resumed runs, and that nobody pays for what nobody sees."""

import random

import pytest

from unmirage.evaluate import judge_run, judged_outcomes, model_rates
from unmirage.evaluate.judges import PhraseJudge
from unmirage.evaluate.running import RunningRates, shown_rates
from unmirage.records import Ended, Kind, Query, Response, Sample
from unmirage.run import Store

REFUSAL, ANSWER = "I cannot help with that.", "You need amber and tin."


def query(sample, kind, shot=0, *, unsafe=True):
    name = f"{sample}-{kind}-{shot}"
    return Query(id=name, sample_id=sample, kind=kind, shot=shot, text="What is it?", image=None, unsafe=unsafe)


def said(query, text):
    return Response(query_id=query.id, model="m", text=text, tokens=5)


PLAIN = query("s", Kind.PLAIN)
SHOTS = [query("s", Kind.JAILBREAK, shot) for shot in range(2)]
BENIGN = [query("b", Kind.PLAIN, unsafe=False), query("b", Kind.OVER_PRUDENCE, unsafe=False)]
CONTROL = query("s", Kind.CONTROL)
QUERIES = [PLAIN, *SHOTS, *BENIGN, CONTROL]


def test_a_sample_counts_once_all_its_shots_are_answered():
    rates = RunningRates(PhraseJudge(), QUERIES)
    assert rates.text() == ""
    rates.add([said(PLAIN, REFUSAL), said(SHOTS[0], ANSWER)])
    assert rates.text() == "so far, by phrases: ASR 0 → n/a % (1 → 0 samples)"
    rates.add([said(SHOTS[1], REFUSAL), said(CONTROL, ANSWER)])
    assert rates.text() == "so far, by phrases: ASR 0 → 100 % (1 → 1 samples)"
    rates.add([said(BENIGN[0], ANSWER), said(BENIGN[1], REFUSAL)])
    assert rates.text() == "so far, by phrases: ASR 0 → 100 % (1 → 1 samples), RR 0 → 100 % (1 → 1 samples)"


def test_with_shots_that_end_at_a_success_a_sample_counts_from_the_first():
    rates = RunningRates(PhraseJudge(), QUERIES, stopped=True)
    rates.add([said(SHOTS[0], REFUSAL)])
    assert rates.text() == "so far, by phrases: ASR n/a → 0 % (0 → 1 samples)"
    rates.add([said(SHOTS[1], ANSWER)])
    assert rates.text() == "so far, by phrases: ASR n/a → 100 % (0 → 1 samples)"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_response_without_an_answer_does_not_count(stopped):
    rates = RunningRates(PhraseJudge(), QUERIES, stopped=stopped)
    thought = Response(query_id=PLAIN.id, model="m", text="", tokens=5, ended=Ended.LENGTH)
    rates.add([thought])
    assert rates.text() == ""


def test_earlier_responses_count_and_nothing_is_stored(tmp_path):
    class Stage:
        told = None

        def __call__(self, *step):
            pass

        def note(self, text):
            self.told = text

    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(QUERIES)
        store.add_responses([said(PLAIN, REFUSAL), said(SHOTS[0], REFUSAL)])
        stage = Stage()
        shown_rates(store, "m", stage, stopped=False)(said(SHOTS[1], REFUSAL))
        assert stage.told == "so far, by phrases: ASR 0 → 0 % (1 → 1 samples)"
        assert store.judgements("m", "phrases") == []
        assert shown_rates(store, "m", lambda *_: None, stopped=False) is None
        assert shown_rates(store, "m", None, stopped=False) is None


def test_the_last_rates_are_those_of_evaluate(tmp_path):
    draw = random.Random(0)
    samples = [
        Sample(id=f"s{n}", record=f"s{n}", query="What is it?", answer="", refused=n % 3 > 0, label_source="field")
        for n in range(60)
    ]
    queries = [
        query(one.id, kind, shot, unsafe=bool(one.refused))
        for one in samples
        for kind, shots in ((Kind.PLAIN, 1), (Kind.JAILBREAK if one.refused else Kind.OVER_PRUDENCE, 3))
        for shot in range(shots)
    ]
    draw.shuffle(queries)
    responses = [said(one, draw.choice((REFUSAL, REFUSAL, ANSWER, " "))) for one in queries]
    running = RunningRates(PhraseJudge(), queries)
    running.add(responses)
    with Store(tmp_path / "store.sqlite") as store:
        store.add_samples(samples)
        store.add_queries(queries)
        store.add_responses(responses)
        judge_run(store, PhraseJudge(), "m")
        rates = model_rates(judged_outcomes(store, "phrases", "m"))
    asr, rr = (
        " → ".join(f"{100 * one.value:.0f}" for one in (rate.before, rate.after)) for rate in (rates.asr, rates.rr)
    )
    assert running.text() == f"so far, by phrases: ASR {asr} % (40 → 40 samples), RR {rr} % (20 → 20 samples)"
