from dataclasses import replace

from unmirage.evaluate.details import by_category
from unmirage.evaluate.outcomes import join
from unmirage.intervals import rate
from unmirage.records import Cluster, Kind, Sample, Verdict


def test_each_category_has_its_own_rates(make_outcomes):
    outcomes = make_outcomes(Kind.PLAIN, "c r r x") + make_outcomes(Kind.JAILBREAK, "rc rr rx cc")
    outcomes += make_outcomes(Kind.PLAIN, "c r", unsafe=False)
    names = {"u0": "fraud", "u1": "fraud", "u2": "ads", "u3": "ads", "b0": "ads", "b1": None}
    found = by_category([replace(one, category=names[one.sample_id]) for one in outcomes])
    assert list(found) == ["ads", "fraud"]
    assert (found["fraud"].asr.before, found["fraud"].asr.after) == (rate(1, 2), rate(1, 2))
    assert (found["ads"].asr.before, found["ads"].asr.after) == (rate(0, 1, 1), rate(1, 1, 1))
    assert (found["ads"].rr.before, found["fraud"].rr.before) == (rate(0, 1), rate(0, 0))


def test_the_category_and_the_cluster_are_the_samples(make_query, make_judgement):
    sample = Sample(
        id="s", record="r", query="Why?", refused=True, label_source="field", category="ads", image="a.png", group="g"
    )
    (one,) = join([make_query("s")], [make_judgement("s|plain|0", Verdict.REFUSED)], 0, {"s": sample})
    assert (one.category, one.cluster, one.independent) == ("ads", Cluster("group", "g"), (0, Cluster("group", "g")))
    (one,) = join([make_query("s")], [make_judgement("s|plain|0", Verdict.REFUSED)])
    assert (one.category, one.cluster, one.independent) == (None, None, (0, "s"))
