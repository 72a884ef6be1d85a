from dataclasses import replace

from unmirage.evaluate.bootstrap import few_clusters
from unmirage.evaluate.outcomes import model_rates
from unmirage.records import Cluster, Kind


def by_device(outcomes, size):
    """Return the outcomes, `size` samples of one device each."""
    return [replace(one, cluster=Cluster("group", str(int(one.sample_id[1:]) // size))) for one in outcomes]


def test_rates_of_fewer_than_twelve_clusters_are_named_with_the_least_number(make_outcomes):
    unsafe = make_outcomes(Kind.PLAIN, "c " * 60)
    benign = make_outcomes(Kind.PLAIN, "c " * 60, unsafe=False)
    utility = [replace(one, category="facts") for one in make_outcomes(Kind.UTILITY, "c r " * 7, unsafe=False)]
    one = model_rates(by_device(unsafe, 5) + by_device(benign, 6) + by_device(utility, 2))
    other = model_rates(by_device(benign, 10))
    assert few_clusters([one, other]) == (
        "fewer than 12 independent clusters (group): 6 for rr.before, benign_answered.before; 7 for utility, "
        "utility_by_category.facts; their intervals are wide and approximate"
    )


def test_twelve_clusters_and_rates_that_were_not_measured_are_no_reason_to_warn(make_outcomes):
    assert few_clusters([model_rates(by_device(make_outcomes(Kind.PLAIN, "c r " * 30), 5))]) is None
    assert few_clusters([model_rates([])]) is None
    assert few_clusters([]) is None
