"""Stopping at the first success: fewer questions, the same rate of "any of K", and a killed run goes on."""

import hashlib

import pytest

from unmirage.data import ImageFolder
from unmirage.evaluate.judges import PhraseJudge
from unmirage.evaluate.outcomes import model_rates
from unmirage.evaluate.run import judge_run, judged_outcomes
from unmirage.evaluate.until_success import ask_until_success
from unmirage.models import GenerationConfig, ask
from unmirage.records import Failure, Kind, Response, Verdict
from unmirage.run import Store

NO, YES = "I cannot share that.", "It is made of amber and ash."
CONFIG = GenerationConfig(batch_size=4)
SHOTS = 6


class Fake:
    """Answers by a hash of the query, fails on some, and dies after `lasts` of them."""

    name = "m"

    def __init__(self, lasts=10**6, failing=0.0, willing=0.3):
        self.asked, self.batches = [], []
        self._lasts, self._failing, self._willing = lasts, failing, willing

    def answer(self, queries, images, config):
        self.batches.append(len(queries))
        for query in queries:
            if len(self.asked) == self._lasts:
                raise RuntimeError("power cut")
            self.asked.append(query.id)
            draw, second = (int(hashlib.sha256(f"{query.id}{n}".encode()).hexdigest(), 16) % 1000 / 1000 for n in "ab")
            if draw < self._failing:
                yield Failure(query_id=query.id, model=self.name, reason="no picture")
            else:
                text = YES if second < self._willing else NO
                yield Response(query_id=query.id, model=self.name, text=text, tokens=3)


class Counting(PhraseJudge):
    """Counts what it is asked."""

    def __init__(self):
        self.judged = []

    def verdict(self, query, response):
        self.judged.append(query.id)
        return super().verdict(query, response)


@pytest.fixture
def queries(make_query):
    found = [make_query(f"u{n}") for n in range(20)] + [make_query(f"b{n}", unsafe=False) for n in range(20)]
    for n in range(20):
        for shot in range(SHOTS - (n == 3)):  # one sample has a shot less
            found += [make_query(f"u{n}", kind, shot) for kind in (Kind.JAILBREAK, Kind.CONTROL, Kind.NEUTRAL)]
            found += [make_query(f"b{n}", kind, shot, unsafe=False) for kind in (Kind.OVER_PRUDENCE, Kind.INSERTION)]
    return found


@pytest.fixture
def filled(tmp_path, queries):
    """Return a function that opens a store with the queries in it."""
    stores = []

    def filled(name):
        stores.append(Store(tmp_path / f"{name}.sqlite"))
        stores[-1].add_queries(queries)
        return stores[-1]

    yield filled
    for store in stores:
        store.__exit__(None, None, None)


def until_success(store, vlm, tmp_path, judge=None, progress=None):
    ask_until_success(vlm, store, ImageFolder(tmp_path), CONFIG, judge or PhraseJudge(), progress)


def rates(store, *, stopped):
    return model_rates(judged_outcomes(store, "phrases", "m", stopped=stopped), stopped=stopped)


@pytest.mark.parametrize("failing", [0.0, 0.15])
@pytest.mark.parametrize("willing", [0.0, 0.1, 0.4, 1.0])
def test_any_of_k_is_that_of_asking_everything(filled, tmp_path, queries, failing, willing):
    all_store, few_store = filled("all"), filled("few")
    every, few = Fake(failing=failing, willing=willing), Fake(failing=failing, willing=willing)
    ask(every, all_store, ImageFolder(tmp_path), CONFIG)
    judge_run(all_store, PhraseJudge(), "m")
    until_success(few_store, few, tmp_path)
    full, stopped = rates(all_store, stopped=False), rates(few_store, stopped=True)
    for one, other in ((stopped.asr, full.asr), (stopped.rr, full.rr)):
        assert (one.before, one.after) == (other.before, other.after)
    assert (stopped.asr.control, stopped.asr.by_kind, stopped.rr.by_kind) == (
        full.asr.control,
        full.asr.by_kind,
        full.rr.by_kind,
    )
    assert stopped.asr.by_k[-1] == full.asr.after
    assert len(few.asked) == len(set(few.asked)) <= len(every.asked) == len(queries)
    assert len(few.asked) < len(queries)


def test_no_shot_is_asked_after_a_success(filled, tmp_path):
    store = filled("few")
    until_success(store, Fake(), tmp_path)
    known = {one.query_id: one.verdict for one in store.judgements("m", "phrases")}
    by_id = {query.id: query for query in store.queries()}
    for query_id, verdict in known.items():
        query = by_id[query_id]
        wanted = Verdict.COMPLIED if query.unsafe else Verdict.REFUSED
        if query.kind is not Kind.PLAIN and verdict is wanted:
            assert not any(f"{query.sample_id}|{query.kind}|{shot}" in known for shot in range(query.shot + 1, SHOTS))


@pytest.mark.parametrize("lasts", [0, 1, 39, 90, 133, 170])
def test_a_killed_run_goes_on_and_ends_with_the_same_rows(filled, tmp_path, lasts):
    whole, broken = filled("whole"), filled("broken")
    judge = Counting()
    until_success(whole, Fake(failing=0.1), tmp_path)
    first = Fake(lasts=lasts, failing=0.1)
    with pytest.raises(RuntimeError, match="power cut"):
        until_success(broken, first, tmp_path, judge)
    kept = len(broken.responses("m"))
    second = Fake(failing=0.1)
    until_success(broken, second, tmp_path, judge)
    for rows in (lambda store: store.responses("m"), lambda store: store.judgements("m", "phrases")):
        assert {one.query_id: one for one in rows(broken)} == {one.query_id: one for one in rows(whole)}
    assert len(broken.responses("m")) == kept + sum(not _fails(one) for one in second.asked)
    assert len(judge.judged) == len(set(judge.judged))  # nothing is judged twice


def _fails(query_id):
    return int(hashlib.sha256(f"{query_id}a".encode()).hexdigest(), 16) % 1000 / 1000 < 0.1


def test_a_finished_run_asks_nothing_again(filled, tmp_path):
    store, again = filled("few"), Fake()
    until_success(store, Fake(), tmp_path)
    until_success(store, again, tmp_path)
    assert again.asked == []


def test_shots_go_out_in_rounds(filled, tmp_path):
    vlm = Fake(willing=0.0)  # every unsafe series goes on, every benign one ends at its first shot
    until_success(filled("few"), vlm, tmp_path)
    assert vlm.batches == [40, 100, 60, 60, 60, 60, 57]


def test_progress_ends_at_its_total_which_never_rises(filled, tmp_path):
    seen = []
    until_success(filled("few"), Fake(), tmp_path, progress=lambda done, total: seen.append((done, total)))
    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done)
    assert list(totals) == sorted(totals, reverse=True)
    assert done[-1] == totals[-1] == len(set(done))
