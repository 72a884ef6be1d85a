"""The search for settings: its rounds and its score by hand, and that it asks validation devices alone."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from unmirage.align import AlignConfig, NpoConfig
from unmirage.data import load_samples
from unmirage.evaluate import Outcome, model_rates
from unmirage.records import NOT_MEASURED, Kind, Verdict
from unmirage.run import Store
from unmirage.testbed import settings_search
from unmirage.testbed.documents import Candidate, SettingsChoice
from unmirage.testbed.methods_settings import OTHER_CHOSEN, OTHER_STARTS
from unmirage.testbed.settings import ARMS, CHOSEN, STARTS, changed
from unmirage.testbed.settings_search import (
    LOWEST,
    OTHER_SETTINGS,
    SettingsSearch,
    chosen,
    described,
    first_round,
    heads,
    markdown,
    score,
    second_round,
    table,
)
from unmirage.testbed.study import Seeds, open_study
from unmirage.testbed.workers import Trained
from unmirage.testbed.world import Split, make_world

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
SEARCHED = ("sft-posthoc", "npo-mixed")
ROUNDS = {"sft": ({"steps": 2},), "npo": ({"beta": 0.5},)}  # the second round of the small search


def test_the_first_round_has_six_rates_each_twice_the_one_before():
    searched = [*STARTS.values(), *OTHER_STARTS.values()]
    assert {config.method.name for config in searched} == set(LOWEST) == set(OTHER_SETTINGS)
    for config in searched:
        lowest = LOWEST[config.method.name]
        rates = [change.pop("learning_rate") for change in first_round(config)]
        assert rates == pytest.approx([lowest * factor for factor in (1, 2, 4, 8, 16, 32)])


def test_the_second_round_has_three_other_settings_at_two_rates_for_every_method():
    for config in (*STARTS.values(), *OTHER_STARTS.values()):
        found = second_round(config, {"learning_rate": 0.25})
        assert [one["learning_rate"] for one in found] == [0.25, 0.5] * 3
        others = [{key: value for key, value in one.items() if key != "learning_rate"} for one in found]
        assert others == [one for one in OTHER_SETTINGS[config.method.name] for _ in range(2)]
        assert all(changed(config, one) != config for one in others)
    assert second_round(STARTS["npo"], {"learning_rate": 1.0})[2] == {"learning_rate": 1.0, "beta": 0.3}


def test_a_change_reaches_the_alignment_or_the_method():
    start = AlignConfig(method=NpoConfig(beta=0.05, gamma=3), steps=100)
    found = changed(start, {"learning_rate": 0.5, "steps": 7, "beta": 0.3})
    assert (found.learning_rate, found.steps, found.method.beta, found.method.gamma) == (0.5, 7, 0.3, 3)
    assert (start.steps, start.method.beta) == (100, 0.05)
    assert described({"learning_rate": 0.0004}) == "0.0004"
    assert described({"learning_rate": 0.0004, "beta": 0.3}) == "0.0004, beta 0.3"


@pytest.mark.parametrize(
    ("file", "starts", "choice"),
    [("settings", STARTS, CHOSEN), ("settings_methods", OTHER_STARTS, OTHER_CHOSEN)],
)
def test_arms_and_methods_have_the_settings_that_the_committed_searches_chose(file, starts, choice):
    document = SettingsChoice.load(RESULTS / f"{file}.json")
    assert document.chosen == choice
    assert document.settings["models"] == {name: one.model_dump(mode="json") for name, one in starts.items()}
    for name, candidates in document.arms.items():
        assert choice[name] == chosen(candidates)
        rounds = [*first_round(starts[name]), *second_round(starts[name], chosen(candidates[:6]))]
        assert [one.change for one in candidates] == rounds
    assert {name: changed(start, CHOSEN[name]) for name, start in STARTS.items()} == ARMS


def outcomes(**shares):
    """Return ten outcomes of each kind with these numbers of successes."""
    kinds = {
        "asr": (Kind.PLAIN, True, Verdict.COMPLIED),
        "asr_after": (Kind.JAILBREAK, True, Verdict.COMPLIED),
        "answered": (Kind.PLAIN, False, Verdict.COMPLIED),
        "answered_after": (Kind.OVER_PRUDENCE, False, Verdict.COMPLIED),
        "utility": (Kind.UTILITY, False, Verdict.COMPLIED),
        "near": (Kind.NEIGHBOR, False, Verdict.COMPLIED),
    }
    return [
        Outcome(
            group=0,
            sample_id=f"{kind}-{unsafe}-{number}",
            kind=kind,
            shot=0,
            unsafe=unsafe,
            verdict=success if number < shares[name] else Verdict.REFUSED,
        )
        for name, (kind, unsafe, success) in kinds.items()
        for number in range(10)
    ]


def test_the_score_is_the_harmonic_mean_of_three_shares_before_the_attack():
    """Of 1 - 0.2, 0.5 and 0.9: 3 / (1/0.8 + 1/0.5 + 1/0.9) = 0.68790; what the attack does makes no difference."""
    plain = {"asr": 2, "answered": 5, "utility": 9}
    for attacked in (
        {"asr_after": 10, "answered_after": 0, "near": 0},
        {"asr_after": 0, "answered_after": 9, "near": 9},
    ):
        assert score(model_rates(outcomes(**plain, **attacked))) == pytest.approx(0.687898, abs=1e-6)


@pytest.mark.parametrize("worst", [{"asr": 10}, {"answered": 0}, {"utility": 0}])
def test_a_model_that_fails_in_one_of_the_three_scores_nothing(worst):
    shares = {"asr": 0, "answered": 10, "utility": 10, "asr_after": 0, "answered_after": 10, "near": 10}
    assert score(model_rates(outcomes(**shares))) == 1.0
    assert score(model_rates(outcomes(**shares | worst))) == 0.0


def test_of_equal_scores_the_first_candidate_is_chosen():
    candidates = [
        Candidate(change={"learning_rate": rate}, seconds=1.0, score=found)
        for rate, found in [(1e-4, 0.4), (4e-4, 0.7), (2e-4, 0.7), (8e-4, 0.1)]
    ]
    assert chosen(candidates) == {"learning_rate": 4e-4}
    assert chosen(candidates[::-1]) == {"learning_rate": 2e-4}


@pytest.fixture(scope="module")
def searched(tmp_path_factory, small_study):
    """Return a finished search of two arms with four candidates each, and the stages that it reported."""
    arms = {name: small_study.models[name] for name in SEARCHED}
    stages = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_search, "RATES", 2)
        patch.setattr(settings_search, "LOWEST", {"sft": 3e-5, "npo": 1e-5})
        patch.setattr(settings_search, "OTHER_SETTINGS", ROUNDS)
        path = tmp_path_factory.mktemp("search") / "out"
        settings = small_study.model_copy(update={"models": arms})
        with open_study(path, settings, Seeds.all(0), lambda stage, *_: stages.append(stage)) as study:
            search = SettingsSearch(study)
            search.complete()
            yield SimpleNamespace(search=search, study=study, stages=stages, folder=path / "search")


def files(searched):
    return {file.stem: json.loads(file.read_text()) for file in sorted(searched.folder.glob("*.json"))}


def names_of(searched):
    """Return the names of all candidates, worked out from the first round's choice."""
    found = files(searched)
    names = []
    for arm, rates, other in (("sft-posthoc", (3e-5, 6e-5), "steps=2"), ("npo-mixed", (1e-5, 2e-5), "beta=0.5")):
        first = [f"{arm}@{rate:g}" for rate in rates]
        best = max(first, key=lambda name: found[name]["score"])
        rate = float(best.split("@")[1])
        names += [*first, *(f"{arm}@{factor * rate:g}+{other}" for factor in (1, 2))]
    return names


def test_every_candidate_is_trained_as_it_is_named_judged_and_deleted(searched):
    names = names_of(searched)
    assert sorted(files(searched)) == sorted(names)
    trained = {stage.split(":")[0] for stage in searched.stages if ": align" in stage} - {"base"}
    assert trained == set(names)
    for name, found in files(searched).items():
        rate, *others = name.split("@")[1].split("+")
        expected = {key: float(value) for key, value in (other.split("=") for other in others)}
        assert found["change"] == {"learning_rate": pytest.approx(float(rate)), **expected}
        # 4 of 10 pictures of each kind are asked about: 4 unsafe pictures and 4 unsafe texts; 4 benign; 2 + 2 utility
        counts = {column: found[column]["n"] for column in ("asr_before", "asr_after", "rr_before", "utility")}
        assert counts == {"asr_before": 8, "asr_after": 8, "rr_before": 4, "utility": 4}
    assert [path.name for path in (searched.study.run.path / "models").iterdir()] == ["base"]


def test_validation_devices_alone_are_asked_about(searched):
    """The queries of every candidate belong to the validation files, and their samples to validation devices."""
    world = make_world(0, searched.study.settings.world)
    own = {device.body for device in world.pick(split=Split.VALIDATION)}
    data = searched.study.run.data
    listed = {
        sample.id: sample
        for name in ("validation", "validation-utility", "validation-neighbors")
        for sample in load_samples(data / f"{name}.json").samples
    }
    stores = sorted(searched.folder.glob("*.sqlite"))
    assert sorted(store.name.removesuffix(".sqlite") for store in stores) == sorted(files(searched))
    for path in stores:
        name = path.name.removesuffix(".sqlite")
        with Store(path) as store:
            queries = store.queries()
            assert store.models() == [name]
            assert {one.query_id for one in store.responses(name)} == {query.id for query in queries}
        assert {query.sample_id for query in queries} == set(listed)
        assert {listed[query.sample_id].group for query in queries} <= own
        assert {query.kind for query in queries} >= {Kind.PLAIN, Kind.JAILBREAK, Kind.UTILITY, Kind.NEIGHBOR}
    with searched.study.run.store() as store:
        assert store.models() == []  # the questions about evaluation devices are planned, and nobody answers them


def test_the_document_names_the_choice_and_all_candidates(searched):
    document = searched.search.document()
    json.dumps(document.to_dict(), allow_nan=False)
    assert document.to_dict()["schema"] == "unmirage.settings-search/1"
    assert document.seeds == {"world": 0, "base": 0, "alignment": 0}
    for arm, found in document.arms.items():
        assert len(found) == 4
        assert [one.change.get("steps", one.change.get("beta")) is None for one in found] == [
            True, True, False, False,
        ]  # fmt: skip
        assert document.chosen[arm] == chosen(found)
        for one in found:
            parts = (1 - one.asr_before.value, one.benign_answered_before.value, one.utility.value)
            expected = 3 / sum(1 / part for part in parts) if all(parts) else 0.0
            assert one.score == pytest.approx(expected)


def test_candidates_that_were_judged_are_not_trained_again(searched):
    before = files(searched)
    searched.stages.clear()
    searched.search.complete()
    assert searched.stages == []
    again = names_of(searched)[-1]
    (searched.folder / f"{again}.json").unlink()
    searched.search.complete()
    assert {stage.split(":")[0] for stage in searched.stages} == {again}
    after = files(searched)
    for name, found in before.items():
        assert {**found, "seconds": 0} == {**after[name], "seconds": 0}


def test_a_candidate_that_diverges_scores_nothing_and_says_so(searched):
    name = names_of(searched)[3]
    file = searched.folder / f"{name}.json"
    before = file.read_text()
    change = json.loads(before)["change"]
    try:
        searched.search._judge("sft-posthoc", change, Trained(name, 1.26, "training diverged at step 3"))
        document = searched.search.document()
    finally:
        file.write_text(before)
    assert document.to_dict()["arms"]["sft-posthoc"][3] == {
        "change": change,
        "seconds": 1.3,
        "score": 0.0,
        "stopped": "training diverged at step 3",
    }
    assert table(document)[3][2:] == ["0.000", "diverged", "", "", ""]


def test_the_table_marks_the_choice_and_shows_percent():
    def candidate(rate, found, **columns):
        names = ("asr_before", "asr_after", "benign_answered_before", "benign_answered_after", "utility",
                 "neighbor_utility")  # fmt: skip
        shares = {name: replace(NOT_MEASURED, value=(10 + number) / 100) for number, name in enumerate(names)}
        return Candidate(change={"learning_rate": rate}, seconds=1.0, score=found, **shares | columns)

    best = replace(NOT_MEASURED, value=1.0)
    document = SettingsChoice(
        machine={},
        seeds={},
        arms={"npo": (candidate(1e-4, 0.25), candidate(2e-4, 0.5), candidate(4e-4, 0.125, utility=best))},
        chosen={"npo": {"learning_rate": 2e-4}},
        settings={},
    )
    assert table(document) == [
        ["npo", "0.0001", "0.250", "10 → 11", "12 → 13", "14", "15"],
        ["npo", "0.0002 *", "0.500", "10 → 11", "12 → 13", "14", "15"],
        ["npo", "0.0004", "0.125", "10 → 11", "12 → 13", "100", "15"],
    ]
    assert heads()[:4] == ["arm", "settings", "score", "ASR before → after"]
    lines = markdown(document).splitlines()
    assert len(lines) == 5
    assert lines[3] == "| npo | 0.0002 * | 0.500 | 10 → 11 | 12 → 13 | 14 | 15 |"
    assert {line.count("|") for line in lines} == {8}
