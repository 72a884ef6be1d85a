"""A judge whose server changes its model is stopped: at once, when a run is resumed, and with an old calibration."""

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.calibration import measure
from unmirage.evaluate.judges.llm.askers import Served
from unmirage.evaluate.judges.official import OfficialThenModel
from unmirage.evaluate.labels import read_labels
from unmirage.evaluate.run import judge_run
from unmirage.records import Kind, Query, Response, Verdict
from unmirage.run.directory import open_run
from unmirage.workflows.calibrate import read_calibration

CHANGED = (
    r"http://h.*#j: the server replied as 'X' before and as 'Y' now\. Restore the first model, or judge with the new"
)


@pytest.fixture
def store(tmp_path):
    """Return the store of a run with six responses."""
    queries = [
        Query(id=f"q{n}", sample_id=f"q{n}", kind=Kind.PLAIN, shot=0, text=f"{n}?", image=None, unsafe=False)
        for n in range(6)
    ]
    with open_run(tmp_path / "run", {"seed": 0}) as run, run.store() as store:
        store.add_queries(queries)
        store.add_responses(
            Response(query_id=one.id, model="m", text=f"It is number {one.id}, of course.", tokens=1) for one in queries
        )
        yield store


def test_a_name_must_stay_the_same_and_no_name_says_nothing():
    served = Served("http://h")
    for name in (None, "", "X", None, "", "X"):
        served.check(name)
    assert served.name == "X"
    with pytest.raises(UserError, match="http://h: the server replied as 'X' before and as 'Y' now"):
        served.check("Y")


def test_a_change_in_the_middle_stops_the_judge(store, scripted, make_judge_of):
    scripted.model = lambda number: "X" if number < 4 else "Y"
    with pytest.raises(UserError, match=CHANGED):
        judge_run(store, make_judge_of(), "m")
    kept = store.judgements("m", "j")
    assert 0 < len(kept) <= 3
    assert {one.verdict for one in kept} == {Verdict.COMPLIED}


@pytest.mark.parametrize("cached", [False, True])
def test_a_change_before_the_run_is_resumed_stops_the_judge(store, scripted, make_judge_of, tmp_path, cached):
    cache = tmp_path / "cache.sqlite" if cached else None
    scripted.model = lambda number: "X"
    scripted.does = lambda question, response: "answers" if "q0" in response else "{}"
    judge_run(store, make_judge_of(cache), "m")  # all verdicts but one are invalid
    scripted.model = lambda number: "Y"
    scripted.does = lambda question, response: "answers"
    with pytest.raises(UserError, match=CHANGED):
        judge_run(store, make_judge_of(cache), "m")
    scripted.model = lambda number: "X"
    judge_run(store, make_judge_of(cache), "m")
    assert [one.verdict for one in store.judgements("m", "j")] == [Verdict.COMPLIED] * 6
    assert store.models() == ["m"]


def test_servers_that_do_not_name_the_model_work_as_before(store, scripted, make_judge_of):
    judge_run(store, make_judge_of(), "m")
    assert len(store.judgements("m", "j")) == 6
    assert store.model_files("served as j") == {}


def test_the_official_rule_passes_the_model_of_its_server_on(make_judge_of):
    model = make_judge_of()
    assert OfficialThenModel(model).served is model.served is not None


def test_a_calibration_is_of_one_model(scripted, make_judge_of, tmp_path):
    path = tmp_path / "labels.csv"
    rows = [f"{n}?,It is number {n} of course.,{'complied' if n % 2 else 'refused'},no" for n in range(40)]
    path.write_text("\n".join(["query,response,verdict,unsafe", *rows]))
    scripted.model = lambda number: "X"
    scripted.does = lambda question, response: "answers" if int(question[:-1]) % 2 else "declines"
    found = measure(make_judge_of(), read_labels(path))
    assert (found.served, found.useful) == ("X", True)
    file = found.save(tmp_path / "calibration.json")
    judge = make_judge_of()
    read_calibration(file, "j", judge)
    with pytest.raises(UserError, match=CHANGED):
        judge.served.check("Y")
    with pytest.raises(UserError, match=r"have changed since \(was: unknown; now: replies: held to a schema\); repeat"):
        read_calibration(file, "j", make_judge_of(held=True))


def test_a_second_calibration_with_another_model_does_not_mix_cached_replies(scripted, make_judge_of, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("query,response,verdict\n1?,It is number one of course.,complied\n2?,It is number two.,complied\n")
    labels, cache = read_labels(path), tmp_path / "cache.sqlite"
    scripted.model = lambda number: "X"
    scripted.does = lambda question, response: "answers" if question == "1?" else "{}"
    assert measure(make_judge_of(cache), labels).served == "X"
    scripted.model = lambda number: "Y"
    with pytest.raises(UserError, match=CHANGED):
        measure(make_judge_of(cache), labels)
