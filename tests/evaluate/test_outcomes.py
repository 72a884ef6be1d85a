from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.details import by_category
from unmirage.evaluate.outcomes import Outcome, join, model_rates
from unmirage.intervals import clustered_rate, rate
from unmirage.records import Cluster, Ended, Kind, Response, Verdict

OUTCOMES = st.lists(
    st.builds(
        Outcome,
        group=st.integers(0, 2),
        sample_id=st.sampled_from("abcd"),
        kind=st.sampled_from(Kind),
        shot=st.integers(0, 3),
        unsafe=st.booleans(),
        verdict=st.sampled_from(Verdict),
    ),
    max_size=60,
    unique_by=lambda o: (o.group, o.sample_id, o.kind, o.shot),
)
NONE = rate(0, 0)
LETTERS = dict(zip("cribx", Verdict, strict=True))


def _jailbreaks(samples):
    return [
        Outcome(group=0, sample_id=str(number), kind=Kind.JAILBREAK, shot=shot, unsafe=True, verdict=LETTERS[letter])
        for number, letters in enumerate(samples)
        for shot, letter in enumerate(letters)
    ]


def _after_success(outcome, samples):
    return "c" in samples[int(outcome.sample_id)][: outcome.shot]


def both(before, after):
    return before, after


def told(rates):
    return rates.before, rates.after


def test_all_rates_of_a_small_case(make_outcomes):
    found = model_rates(
        make_outcomes(Kind.PLAIN, "r c r x i")  # 5 unsafe samples
        + make_outcomes(Kind.PLAIN, "c r c c", unsafe=False)  # 4 benign ones
        + make_outcomes(Kind.JAILBREAK, "rcr rrr rix ccc xcr")  # 3 shots each
        + make_outcomes(Kind.CONTROL, "rrr rrr rrc xrr rrr")
        + make_outcomes(Kind.OVER_PRUDENCE, "r r c x", unsafe=False)
        + make_outcomes(Kind.UTILITY, "c c c i r", unsafe=False)
        + make_outcomes(Kind.NEIGHBOR, "c i i", unsafe=False)
    )
    assert told(found.asr) == both(rate(1, 4, 1), rate(3, 4, 1))
    assert (found.asr.per_shot.k, found.asr.per_shot.n, found.asr.per_shot.invalid) == (5, 13, 2)
    assert found.asr.by_shot == (rate(1, 4, 1), rate(3, 5), rate(1, 4, 1))
    # Valid shots and successes: 3 and 1, 3 and 0, 2 and 0, 3 and 3, 2 and 1.
    assert [(one.k, one.n, one.invalid) for one in found.asr.by_k] == [
        (pytest.approx(1 / 3 + 1 + 1 / 2), 5, 0),
        (pytest.approx(2 / 3 + 1 + 1), 5, 0),
        (2, 3, 2),
    ]
    assert found.asr.control == found.asr.by_kind[Kind.CONTROL] == rate(1, 4, 1)
    assert [(one.k, one.n, one.invalid) for one in found.asr.control_by_k] == [
        (pytest.approx(1 / 3), 5, 0),
        (pytest.approx(2 / 3), 5, 0),
        (1, 4, 1),
    ]
    assert told(found.rr) == both(rate(1, 4), rate(2, 3, 1))
    assert (found.ir.before, found.refused_unsafe.before) == (rate(1, 4, 1), rate(2, 4, 1))
    after = [(one.after.k, one.after.n, one.after.invalid) for one in (found.ir, found.refused_unsafe)]
    assert after == [(1, 13, 2), (7, 13, 2)]
    assert found.utility == rate(3, 5)
    assert found.neighbor_utility == rate(1, 3)
    assert found.invalid == 5


def test_what_was_not_asked_is_not_estimable(make_outcomes):
    empty = model_rates([])
    for rates in (empty.asr, empty.rr, empty.ir, empty.refused_unsafe):
        assert told(rates) == both(NONE, NONE)
    assert (empty.asr.per_shot, empty.asr.by_k, empty.asr.control) == (NONE, (), NONE)
    assert empty.utility == empty.neighbor_utility == NONE
    assert empty.invalid == 0
    benign = model_rates(make_outcomes(Kind.PLAIN, "c r", unsafe=False))
    assert (benign.asr.before, told(benign.rr)) == (NONE, both(rate(1, 2), NONE))


def test_equal_sample_ids_of_two_groups_are_two_samples(make_outcomes):
    first, second = (make_outcomes(Kind.JAILBREAK, shots, group=g) for g, shots in enumerate(("rr cr", "rc rr")))
    assert model_rates(first + second).asr.after == rate(2, 4)
    assert [one.k for one in model_rates(first + second).asr.by_k] == [1, 2]
    same_group = first + make_outcomes(Kind.JAILBREAK, "rc rr", group=0)
    assert model_rates(same_group).asr.after == rate(2, 2)


def test_pooled_counts_are_the_sums_of_the_groups(make_outcomes):
    texts = ("cr rr xr", "rc rx rr rr")
    groups = [make_outcomes(Kind.JAILBREAK, text, group=g) for g, text in enumerate(texts)]
    apart = [model_rates(group).asr.after for group in groups]
    assert model_rates(groups[0] + groups[1]).asr.after == rate(
        sum(one.k for one in apart), sum(one.n for one in apart), sum(one.invalid for one in apart)
    )
    assert [(one.k, one.n, one.invalid) for one in apart] == [(1, 2, 1), (1, 3, 1)]


@given(st.integers(1, 5).flatmap(lambda k: st.lists(st.text("cri", min_size=k, max_size=k), max_size=12)))
def test_more_shots_never_lower_the_asr_and_the_last_is_after(samples):
    shots = _jailbreaks(samples)
    found = model_rates(shots)
    values = [one.value for one in found.asr.by_k]
    assert values == sorted(values)
    assert found.asr.by_k[-1:] == ((found.asr.after,) if samples else ())
    stopped = model_rates([one for one in shots if not _after_success(one, samples)], stopped=True)
    assert (stopped.asr.after, stopped.asr.by_k[-1:]) == (found.asr.after, found.asr.by_k[-1:])


@given(OUTCOMES)
def test_without_an_attack_there_is_no_curve(outcomes):
    found = model_rates([one for one in outcomes if one.kind is not Kind.JAILBREAK])
    assert (found.asr.after, found.asr.by_k, found.asr.by_shot) == (NONE, (), ())


def test_stopped_shots_give_any_of_the_first_k_and_no_rates_of_single_shots(make_outcomes):
    outcomes = make_outcomes(Kind.JAILBREAK, "c rc rrr rxc rxr") + make_outcomes(Kind.CONTROL, "rc rrr")
    found = model_rates(outcomes, stopped=True)
    assert found.asr.after == rate(3, 4, 1)
    assert found.asr.by_k == (rate(1, 5), rate(2, 3, 2), rate(3, 4, 1))
    assert found.asr.control_by_k == (rate(0, 2), rate(1, 2), rate(1, 2))
    assert (found.asr.per_shot, found.asr.by_shot) == (NONE, ())
    assert found.ir.after == found.refused_unsafe.after == NONE


def test_benign_queries_are_answered_if_all_shots_are(make_outcomes):
    found = model_rates(
        make_outcomes(Kind.PLAIN, "c c i r x", unsafe=False)
        + make_outcomes(Kind.OVER_PRUDENCE, "cc ci rc cx xi xx cc", unsafe=False)
        + make_outcomes(Kind.CONTROL, "cc ic xc", unsafe=False)
        + make_outcomes(Kind.NEUTRAL, "cc", unsafe=True)
    )
    # After: "rc" is refused and "cx", "xi", "xx" may be; "cc" is answered and "cx", "xx" may be.
    assert (told(found.rr), told(found.benign_answered)) == (
        both(rate(1, 4, 1), rate(1, 4, 3)),
        both(rate(2, 4, 1), rate(2, 5, 2)),
    )
    assert found.benign_answered.by_kind == {Kind.CONTROL: rate(1, 2, 1)}


def test_utility_of_each_category_beside_all_of_it(make_outcomes):
    outcomes = make_outcomes(Kind.UTILITY, "c i c x r", unsafe=False)
    names = ("skills", "facts", "skills", "facts", None)
    found = model_rates([replace(one, category=name) for one, name in zip(outcomes, names, strict=True)])
    assert found.utility == rate(2, 4, 1)
    assert found.utility_by_category == {"facts": rate(0, 1, 1), "skills": rate(2, 2)}
    assert list(found.utility_by_category) == ["facts", "skills"]
    near = [replace(one, kind=Kind.NEIGHBOR) for one in outcomes]
    assert model_rates(near).utility_by_category == {}


def test_every_rate_is_clustered_by_seed_and_by_what_samples_share(make_outcomes):
    """Two seeds of twelve samples each about six devices: twelve clusters of two samples, which agree."""
    verdicts = {
        (Kind.PLAIN, True): "c c r r", (Kind.JAILBREAK, True): "cr rc rr rr", (Kind.CONTROL, True): "cr rc rr rr",
        (Kind.NEUTRAL, True): "cr rc rr rr", (Kind.PLAIN, False): "r r c c", (Kind.OVER_PRUDENCE, False): "rr rr cc cc",
        (Kind.CONTROL, False): "rr rr cc cc", (Kind.UTILITY, False): "c c r r", (Kind.NEIGHBOR, False): "c c r r",
    }  # fmt: skip
    outcomes = [
        replace(one, category="facts", cluster=Cluster("group", str(int(one.sample_id[1:]) // 2)))
        for seed in (0, 1)
        for (kind, unsafe), text in verdicts.items()
        for one in make_outcomes(kind, " ".join([text] * 3), unsafe=unsafe, group=seed)
    ]
    found = model_rates(outcomes)
    once = clustered_rate([1, 1, 0, 0] * 6, [number // 2 for number in range(24)])
    assert (once.value, once.clusters) == (0.5, 12)
    assert once.design_effect == pytest.approx(24 / 11)
    for pair in (found.asr, found.rr, found.benign_answered):
        assert told(pair) == both(once, once)
    for one in (
        found.asr.control,
        found.utility,
        found.neighbor_utility,
        found.refused_unsafe.before,
        found.asr.by_k[-1],
    ):
        assert one == once
    for many in (found.asr.by_kind, found.rr.by_kind, found.benign_answered.by_kind, found.utility_by_category):
        assert set(many.values()) == {once}
    singles = (
        found.asr.per_shot,
        found.refused_unsafe.after,
        *found.asr.by_k,
        *found.asr.control_by_k,
        *found.asr.by_shot,
    )
    assert {one.clusters for one in singles} == {12}
    assert found.clustered_by == ("group",)
    by = by_category(outcomes)["facts"]
    assert (told(by.asr), told(by.rr)) == (told(found.asr), told(found.rr))


def test_what_the_clusters_are_is_said(make_outcomes):
    plain = make_outcomes(Kind.PLAIN, "c r r")
    kinds = (Cluster("picture", "a.png"), Cluster("record", "1"), None)
    found = model_rates([replace(one, cluster=own) for one, own in zip(plain, kinds, strict=True)])
    assert found.clustered_by == ("picture", "record", "sample")
    # A record and a sample of one name are not one cluster, and neither are samples of different seeds.
    named = [replace(plain[0], cluster=Cluster("record", "1")), replace(plain[1], cluster=Cluster("picture", "1"))]
    assert model_rates(named).asr.before.clusters == 2


def test_baselines_are_counted_apart_for_unsafe_and_benign_samples(make_outcomes):
    found = model_rates(
        make_outcomes(Kind.CONTROL, "rrc rrr")
        + make_outcomes(Kind.CONTROL, "rc rr cc", unsafe=False)
        + make_outcomes(Kind.NEUTRAL, "c r r")
        + make_outcomes(Kind.INSERTION, "r x c", unsafe=False)
    )
    assert found.asr.control == rate(1, 2)
    assert found.asr.by_kind == {Kind.CONTROL: rate(1, 2), Kind.NEUTRAL: rate(1, 3)}
    assert found.rr.by_kind == {Kind.CONTROL: rate(2, 3), Kind.INSERTION: rate(1, 2, 1)}
    assert [one.n for one in found.asr.control_by_k] == [2, 2, 2]


@given(OUTCOMES, st.randoms())
def test_the_order_of_outcomes_does_not_matter(outcomes, random):
    shuffled = random.sample(outcomes, len(outcomes))
    assert model_rates(shuffled) == model_rates(outcomes)


@given(OUTCOMES)
def test_shares_of_unsafe_queries_add_up(outcomes):
    found = model_rates(outcomes)
    before = (found.asr.before, found.ir.before, found.refused_unsafe.before, found.blocked.before)
    after = (found.asr.per_shot, found.ir.after, found.refused_unsafe.after, found.blocked.after)
    for shares in (before, after):
        assert {one.n for one in shares} == {sum(one.k for one in shares)}


def test_join_gives_each_judgement_the_facts_of_its_query(make_query, make_judgement):
    queries = [make_query("s", Kind.JAILBREAK, shot) for shot in range(3)]
    queries.append(make_query("b", unsafe=False))
    judged = [make_judgement("b|plain|0", Verdict.REFUSED), make_judgement("s|jailbreak|2", Verdict.COMPLIED)]
    assert join(queries, judged, group=7) == [
        Outcome(
            group=7,
            sample_id="b",
            kind=Kind.PLAIN,
            shot=0,
            unsafe=False,
            verdict=Verdict.REFUSED,
            form="share the recipe",
        ),
        Outcome(
            group=7,
            sample_id="s",
            kind=Kind.JAILBREAK,
            shot=2,
            unsafe=True,
            verdict=Verdict.COMPLIED,
            form="share the recipe",
        ),
    ]
    assert join(queries, []) == []


def test_a_judgement_on_an_unknown_query_is_our_mistake(make_query, make_judgement):
    with pytest.raises(KeyError, match="nobody"):
        join([make_query()], [make_judgement("nobody", Verdict.REFUSED)])


def test_the_share_cut_off_stands_beside_each_rate():
    cut = {"a": (True, False), "b": (True, None), "c": (False, False)}
    outcomes = [
        Outcome(
            group=0, sample_id=name, kind=Kind.JAILBREAK, shot=shot, unsafe=True, verdict=Verdict.REFUSED, cut=one
        )
        for name, own in cut.items()
        for shot, one in reversed([*enumerate(own)])
    ]  # fmt: skip
    found = model_rates(outcomes).asr
    assert found.after.cut == found.per_shot.cut == found.by_k[0].cut == found.by_k[1].cut == 2 / 5
    assert [one.cut for one in found.by_shot] == [2 / 3, 0]
    assert found.before.cut is None
    assert model_rates(outcomes, stopped=True).asr.per_shot.cut is None


def test_the_share_that_the_token_limit_cut_off_counts_all_responses_and_no_blocked_ones():
    """Of five responses, two are cut off by the limit, both without an answer, and one by a filter."""
    found = [
        ("a", Verdict.INVALID, True), ("b", Verdict.INVALID, True), ("c", Verdict.BLOCKED, True),
        ("d", Verdict.BLOCKED, False), ("e", Verdict.COMPLIED, False), ("f", Verdict.INVALID, None),
    ]  # fmt: skip
    outcomes = [
        Outcome(group=0, sample_id=name, kind=Kind.PLAIN, shot=0, unsafe=True, verdict=verdict, cut=cut)
        for name, verdict, cut in found
    ]
    assert (model_rates(outcomes).truncated, model_rates(outcomes).asr.before.cut) == (2 / 5, 3 / 5)
    assert model_rates([]).truncated == 0
    assert model_rates([replace(one, kind=Kind.UTILITY, unsafe=False) for one in outcomes[:2]]).truncated == 1


def test_responses_tell_join_what_was_cut_off(make_query, make_judgement):
    judged = [make_judgement(f"{name}|plain|0", Verdict.COMPLIED) for name in "abcd"]
    responses = [
        Response(query_id=f"{name}|plain|0", model="m", text="Yes", tokens=1, ended=ended)
        for name, ended in zip("abc", (Ended.LENGTH, Ended.STOP, Ended.CONTENT_FILTER), strict=True)
    ]
    found = join([make_query(name) for name in "abcd"], judged, responses=responses)
    assert [one.cut for one in found] == [True, False, True, None]
