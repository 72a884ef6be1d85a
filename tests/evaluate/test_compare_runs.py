"""Runs of the same data and judge are paired by sample; what was asked or judged otherwise is said, not guessed."""

import pytest
import yaml

from unmirage.evaluate.compare import Side, compare, holm, paired
from unmirage.evaluate.compare_runs import Source, across, stores_of
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.evaluate.run import judged_outcomes
from unmirage.records import Judgement, Kind, Query, Response, Sample, Verdict
from unmirage.run import Run

LETTERS = dict(zip("cribx", Verdict, strict=True))
ASR, AFTER = "asr.before", "asr.after"


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a run: name -> verdicts of unsafe samples, plain and attacked, by letter."""

    def make(name, models, judge="exact", word="what", fingerprint=None, seed=None, prefix=""):
        folder = tmp_path / name if seed is None else tmp_path / name / f"seed-{seed}"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "attack": {}}))
        size = max(len(plain) for plain, _ in models.values())
        queries = [
            Query(
                id=f"{prefix}{number}|{kind}|0",
                sample_id=f"{prefix}{number}",
                kind=kind,
                shot=0,
                text=f"{'share' if kind is Kind.PLAIN else word} device {number}",
                image=None,
                unsafe=True,
            )
            for number in range(size)
            for kind in (Kind.PLAIN, Kind.JAILBREAK)
        ]
        with Run(folder).store() as store:
            store.add_queries(queries)
            if fingerprint:
                store.add_model(f"judge {judge}", fingerprint)
            for model, said in models.items():
                verdicts = {
                    f"{prefix}{number}|{kind}|0": LETTERS[letter]
                    for kind, letters in zip((Kind.PLAIN, Kind.JAILBREAK), said, strict=True)
                    for number, letter in enumerate(letters)
                }
                store.add_responses(Response(query_id=key, model=model, text="-", tokens=1) for key in verdicts)
                store.replace_judgements(
                    model,
                    judge,
                    [Judgement(query_id=k, model=model, judge=judge, verdict=v) for k, v in verdicts.items()],
                )
        return Source(name, Run(tmp_path / name), judge, {f"{model} ({name})": model for model in models})

    return make


def sides(found):
    return {(one.a.model, one.b.model, one.b.rate): one for one in found.comparisons}


def test_two_runs_of_the_same_data_are_paired_by_sample(make):
    a = make("a", {"m": ("rrrr", "ccrr")})
    b = make("b", {"m": ("rrcr", "cccc")})
    found = across([a, b])
    assert (found.not_paired, found.notes) == ([], [])
    by_side = sides(found)
    assert list(by_side) == [
        ("m (a)", "m (a)", AFTER),
        ("m (b)", "m (b)", AFTER),
        ("m (a)", "m (b)", ASR),
        ("m (a)", "m (b)", AFTER),
    ]
    after = by_side["m (a)", "m (b)", AFTER]
    assert (after.n, after.only_a, after.only_b, after.difference, after.p_value) == (4, 0, 2, 0.5, 0.5)
    assert (by_side["m (a)", "m (b)", ASR].only_b, by_side["m (b)", "m (b)", AFTER].only_b) == (1, 3)
    assert [one.p_holm for one in found.comparisons] == holm([one.p_value for one in found.comparisons])


def test_one_run_is_compared_as_evaluate_does(make):
    source = make("a", {"m": ("rrcx", "ccrr"), "o": ("crrr", "cccc")})
    names = {own: label for label, own in source.models.items()}
    with source.run.store() as store:
        outcomes = {names[m]: decided(judged_outcomes(store, "exact", m, -1)) for m in ("m", "o")}
    assert across([source]).comparisons == compare(outcomes)


def test_another_reference(make):
    sources = [make("a", {"m": ("r", "c")}), make("b", {"m": ("r", "c"), "o": ("r", "r")})]
    found = sides(across(sources, "o (b)"))
    assert {key[0] for key in found if key[0] != key[1]} == {"o (b)"}
    assert ("o (b)", "m (a)", AFTER) in found


def test_another_attack_leaves_the_plain_queries_paired(make):
    found = across([make("a", {"m": ("rr", "cc")}), make("b", {"m": ("rc", "cc")}, word="who")])
    assert ("m (a)", "m (b)", ASR) in sides(found)
    (one,) = found.not_paired
    assert (one.a, one.b) == (Side("m (a)", AFTER), Side("m (b)", AFTER))
    assert one.why == "different queries (no sample has identical queries)"


@pytest.mark.parametrize(
    "change", ["text = 'other'", """context = '[["system", "Be kind.", []]]'""", """images = '[["0.png", 1]]'"""]
)
def test_a_sample_asked_otherwise_is_left_out_alone(make, change):
    a, b = make("a", {"m": ("rrr", "ccc")}), make("b", {"m": ("ccc", "ccc")})
    with b.run.store() as store:
        store._db.execute(f"UPDATE queries SET {change} WHERE id = '1|plain|0'")
        store._db.commit()
    found = sides(across([a, b]))["m (a)", "m (b)", ASR]
    assert found == paired({0: False, 2: False}, {0: True, 2: True}).between(found.a, found.b, found.p_holm)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"judge": "llm"}, "different judges ('exact' and 'llm')"),
        (
            {"fingerprint": {"prompt": "1"}},
            "different judges (both are named 'exact', but their models or settings differ)",
        ),
        ({"prefix": "new "}, "different data (no sample in common)"),
        ({"seed": 0}, "different data (no sample in common)"),
    ],
)
def test_what_cannot_be_paired_says_why(make, settings, why):
    found = across([make("a", {"m": ("rr", "cc")}), make("b", {"m": ("rr", "cc")}, **settings)])
    assert [one.why for one in found.not_paired] == [why, why]
    assert {(a, b) for a, b, _ in sides(found)} == {("m (a)", "m (a)"), ("m (b)", "m (b)")}


def test_no_sample_that_both_decided(make):
    found = across([make("a", {"m": ("rx", "rx")}), make("b", {"m": ("xr", "xr")})])
    assert {one.why for one in found.not_paired} == {"no sample has verdicts from both"}


def test_the_coarser_clusters_count_where_one_run_knows_no_groups(make):
    verdicts = "cccc" * 3 + "rrrr" * 3
    a, b = make("a", {"m": (verdicts, verdicts)}), make("b", {"m": ("r" * 24, "r" * 24)})
    samples = [
        Sample(id=str(n), record=str(n), query="?", refused=True, label_source="field", group=f"device {n // 4}")
        for n in range(24)
    ]
    with b.run.store() as store:
        store.add_samples(samples)
    grouped = sides(across([a, b]))["m (a)", "m (b)", ASR]
    assert (grouped.clusters, grouped.p_value) == (6, 2 / 2**3)
    assert sides(across([b, a]))["m (b)", "m (a)", ASR].clusters == 6
    with a.run.store() as store:
        store.add_samples(samples)
    assert sides(across([a, b]))["m (a)", "m (b)", ASR] == grouped


def test_seeds_are_paired_with_the_same_seed(make):
    make("a", {"m": ("rr", "cc")}, seed=0)
    a = make("a", {"m": ("rr", "rr")}, seed=7)
    b = make("b", {"m": ("cc", "cc")}, seed=7)
    found = sides(across([a, b]))
    assert list(stores_of(a.run)) == [0, 7]
    assert found["m (a)", "m (a)", AFTER].n == 4
    assert (found["m (a)", "m (b)", AFTER].n, found["m (a)", "m (b)", AFTER].only_b) == (2, 2)


def test_torn_missing_and_silent_stores_are_one_line_each(make, tmp_path):
    whole, torn = make("whole", {"m": ("rr", "cc")}), make("torn", {"m": ("rr", "cc")})
    (torn.run.path / "store.sqlite").write_bytes(b"SQLite format 3\x00 torn" * 40)
    (tmp_path / "none").mkdir()
    none = Source("none", Run(tmp_path / "none"), "exact", {"m (none)": "m"})
    silent = make("silent", {"m": ("rr", "cc")})
    silent = Source("silent", silent.run, "exact", silent.models | {"o": "o"})
    found = across([torn, none, whole, silent])
    assert len(found.notes) == 3
    assert all("\n" not in note for note in found.notes)
    assert found.notes[0].startswith("torn: cannot read a store (")
    assert found.notes[1] == "none has no store.sqlite, so its models are not paired."
    assert found.notes[2] == "silent has no verdicts of judge 'exact' for o: not paired."
    assert not (tmp_path / "none" / "store.sqlite").exists()
    assert ("m (whole)", "m (silent)", AFTER) in sides(found)
    assert across([]).comparisons == []
