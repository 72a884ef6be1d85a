from dataclasses import replace

from unmirage.documents import dumped
from unmirage.evaluate.compare import Comparison, Side, compare, holm, paired
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.records import Kind


def outcomes(make_outcomes, before, after, utility=""):
    return decided(
        make_outcomes(Kind.PLAIN, before)
        + make_outcomes(Kind.JAILBREAK, after)
        + make_outcomes(Kind.UTILITY, utility, unsafe=False)
    )


def yes(decided):
    return {key: one.yes for key, one in decided.items()}


def test_before_is_paired_with_after_and_each_model_with_the_first(make_outcomes):
    models = {
        "base": outcomes(make_outcomes, "c c c c c c", "c c c c c c", "c c"),
        "sft": outcomes(make_outcomes, "r r r r r r", "cr cr rr cr x cr", "r c"),
    }
    found = {(one.a, one.b): one for one in compare(models)}
    assert list(found) == [
        (Side("base", "asr.before"), Side("base", "asr.after")),
        (Side("sft", "asr.before"), Side("sft", "asr.after")),
        (Side("base", "asr.before"), Side("sft", "asr.before")),
        (Side("base", "asr.after"), Side("sft", "asr.after")),
        (Side("base", "utility"), Side("sft", "utility")),
    ]
    jump = found[Side("sft", "asr.before"), Side("sft", "asr.after")]
    assert (jump.n, jump.only_a, jump.only_b) == (5, 0, 4)
    assert jump.p_value == 2 * 0.5**4
    alone = paired(yes(models["sft"]["asr.before"]), yes(models["sft"]["asr.after"]))
    assert jump == alone.between(jump.a, jump.b, jump.p_holm)
    assert [one.p_holm for one in found.values()] == holm([one.p_value for one in found.values()])
    document = dumped(jump)
    assert document["a"] == {"model": "sft", "rate": "asr.before"}
    assert (document["n"], document["difference"], document["p_value"]) == (5, 0.8, 0.125)


def test_another_reference_can_be_named(make_outcomes):
    models = {name: outcomes(make_outcomes, "c r", "") for name in "abc"}
    assert [(one.a.model, one.b.model) for one in compare(models, "b")] == [("b", "a"), ("b", "c")]
    assert compare({}) == []


def test_a_comparison_is_shown_in_one_line():
    bounds = {"difference": 0.8, "low": 0.2, "high": 0.95, "p_value": 0.125, "p_holm": 0.25}
    one = Comparison(a=Side("a", "asr.before"), b=Side("b\x1b[1m", "asr.after"), n=5, only_a=0, only_b=4, **bounds)
    assert repr(one) == "'b' asr.after - 'a' asr.before: +0.800 [+0.200, +0.950], p_holm=0.25, n=5"
    nothing = dict.fromkeys(bounds)
    assert repr(replace(one, n=0, only_b=0, **nothing)) == "'b' asr.after - 'a' asr.before: n/a (n=0)"
