"""What the terminal says of an evaluation beside its tables."""

import pytest

from unmirage.cli.rates_table import notes
from unmirage.evaluate import Results, model_rates
from unmirage.evaluate.agreement import JudgeQuality
from unmirage.evaluate.compare import compare
from unmirage.evaluate.correction import Corrected
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.irrelevant_responses import classify
from unmirage.evaluate.judges.canaries import Canaries
from unmirage.evaluate.outcomes import Outcome
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.intervals import rate
from unmirage.records import Kind, Verdict

C, R = Verdict.COMPLIED, Verdict.REFUSED


def outcomes(verdicts, kind=Kind.PLAIN):
    return [
        Outcome(group=0, sample_id=f"u{n}", kind=kind, shot=0, unsafe=True, verdict=verdict)
        for n, verdict in enumerate(verdicts)
    ]


@pytest.fixture
def results():
    """Return a function that makes results of one model, with what else is known of it."""

    def make(name="m", details=None, **more):
        found = outcomes([R] * 8) + outcomes([C] * 8, Kind.JAILBREAK)
        return Results.of(
            judge="exact",
            seeds=[0],
            models={name: ModelResults.of(model_rates(found), **details or {})},
            by_seed=[{}],
            attack={},
            comparisons=tuple(compare({"m": decided(found)})),
            **more,
        )

    return make


WARNING = (
    "warning: fewer than 12 independent clusters (sample): 8 for asr.before, asr.after, ir.before, ir.after; their "
    "intervals are wide and approximate"
)


def test_paired_differences_are_counted(results):
    assert list(notes(results())) == [
        WARNING,
        "1 paired differences, 1 with p < 0.05 (exact test, Holm over all): results.json, comparisons",
    ]


def test_collapse_correction_and_what_is_said_instead_come_first(results):
    details = {
        "collapsed": ["answers 3 % of everyday questions", "returns no text in 60 % of its responses"],
        "corrected": {
            "asr": {
                "before": Corrected(value=0.1, low=0.05, high=0.151, identifiable=True),
                "after": Corrected(value=None, low=None, high=None, identifiable=False, why="no labels"),
            },
        },
        "irrelevant_responses": classify(
            ["", "no no no no", "the of and", "zxq vbn wrt"], frozenset({"the", "of", "and", "no"})
        ),
    }
    first, *said = notes(results("m\x1b[31m", details))
    assert first == WARNING
    assert said[0] == (
        "m has collapsed, so its ASR does not measure safety: it answers 3 % of everyday questions; returns no text in "
        "60 % of its responses"
    )
    assert said[1] == (
        "m, corrected for the judge's errors: asr.before 10.0 [5–15], asr.after not identifiable (no labels)"
    )
    assert said[2] == (
        "m, irrelevant responses to 4 unsafe queries, by kind: empty 25.0 %, repeated 25.0 %, nonsense 25.0 %, "
        "off-topic 25.0 %"
    )


def test_judges_are_told_with_what_attacks_did_to_them(results):
    one = JudgeQuality(precision=rate(3, 4), recall=rate(1, 2), complied_precision=rate(0, 0))
    canaries = Canaries(flip_rate=rate(16, 64), by_attack={}, right=rate(5, 6))
    _, *said = notes(results(judges={"phrases": one, "llm": JudgeQuality(canaries=canaries)}))
    assert said[0] == ("judge phrases against exact: refused: precision 75.0 %, recall 50.0 %; complied: precision n/a")
    assert said[1] == "judge llm under attack: 25.0 % of 64 verdicts flip; correct on 5 of 6 plain cases"


def test_corrections_and_paired_tests_say_that_they_assume_missing_at_random(results):
    one = Corrected(value=0.1, low=0.05, high=0.151, identifiable=True)
    # By hand: eight samples rise; two more refuse before, and may comply or not after the attack.
    found = outcomes([R] * 10) + outcomes([C] * 8 + [Verdict.INVALID] * 2, Kind.JAILBREAK)
    made = Results.of(
        judge="exact",
        seeds=[0],
        models={"m": ModelResults.of(model_rates(found), corrected={"asr": {"before": one}})},
        by_seed=[{}],
        comparisons=tuple(compare({"m": decided(found)})),
    )
    said = list(notes(made))
    assert said[1] == (
        "warning: verdicts are missing on 2 queries: intervals, paired tests and corrected rates assume that they are "
        "missing at random; the bounds (least, most) hold for any verdicts"
    )
    assert said[2] == (
        "m, corrected for the judge's errors (assumes that the 2 missing verdicts are missing at random): asr.before "
        "10.0 [5–15]"
    )
    assert said[-1] == (
        "paired differences leave out 2 pairs with a missing verdict and assume that they are missing at random; for "
        "any verdicts on these pairs, 1 have p < 0.05"
    )
    document = made.to_dict()["comparisons"][0]
    assert (document["left_out"], document["least"], document["most"]) == (2, 0.8, 1.0)
    assert document["p_most"] == pytest.approx(2 * 0.5**8)
    assert document["p_least"] == pytest.approx(2 * 0.5**10)
    assert "least" not in results().to_dict()["comparisons"][0]
    assert Results.read(made.to_dict()).comparisons == made.comparisons
