import numpy as np
import pytest

from unmirage.audit.association import adjust
from unmirage.audit.features import Family, openers, text_features
from unmirage.audit.findings import _adjusted, find
from unmirage.audit.matrices import templates
from unmirage.audit.membership import from_masks
from unmirage.records import OtherFeature

CAN = OtherFeature(feature="can", position="opener")


@pytest.fixture
def found(make_corpus):
    """Return a function that finds what texts tell: rows of (query, refused)."""

    def of(*rows):
        corpus = make_corpus(*rows)
        return find(corpus, [openers(corpus, 3), *text_features(corpus, 3), templates(corpus, 3)])

    return of


def by_name(result):
    return {(finding.feature, finding.position): finding for finding in result.findings}


@pytest.fixture(scope="session")
def of_tied(tied, make_corpus):
    """Return what is found in the tied queries, and how many features were tested there."""
    corpus = make_corpus(*((sample.query, sample.refused) for sample in tied))
    families = [openers(corpus, 3), *text_features(corpus, 3)]
    return find(corpus, families), sum(len(family.names) for family in families)


def test_openers_carry_their_counts_and_direction_tied_or_not(of_tied):
    result, _ = of_tied
    assert {
        finding.feature: (finding.refused, finding.answered, finding.direction)
        for finding in result.findings
        if finding.position == "opener"
    } == {"share": (60, 0, "refusal"), "what": (0, 60, "answer"), "can": (40, 40, "none")}


def test_words_without_a_tie_are_left_out_and_those_with_one_are_kept(of_tied):
    result, _ = of_tied
    words = {finding.feature: finding.direction for finding in result.findings if finding.position == "any"}
    assert words["is"] == "answer"
    assert not {"the", "you", "boat"} & words.keys()


def test_the_strongest_comes_first(of_tied):
    values = [finding.tie.strength for finding in of_tied[0].findings]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0 > values[-1]


def test_everything_tested_is_adjusted_together(of_tied):
    result, tested = of_tied
    assert result.tested == tested
    assert all(finding.p_value <= finding.q_value <= 1 for finding in result.findings)
    assert by_name(result)["can", "opener"].q_value == pytest.approx(1)


def adjusted(p_values, signatures):
    return _adjusted(np.array(p_values), np.array(signatures, dtype=np.uint64)).tolist()


def test_two_features_of_the_same_queries_do_not_vouch_for_each_other():
    # One at a time, Benjamini and Hochberg would let the pair pass at 0.01 * 3 / 2 = 0.015. As one of two
    # different tests it has 0.01 * 2 / 1, times three tests for two different ones.
    assert adjusted([0.01, 0.5], [1, 2]) == pytest.approx([0.02, 0.5])
    assert adjusted([0.01, 0.01, 0.5], [1, 1, 2]) == pytest.approx([0.03, 0.03, 0.75])
    # Different queries with the same p-value do support each other.
    assert adjusted([0.01, 0.01, 0.5], [1, 3, 2]) == pytest.approx([0.015, 0.015, 0.5])


def test_without_aliases_q_values_are_benjamini_and_hochbergs_and_with_them_never_smaller():
    rng = np.random.default_rng(0)
    p_values = rng.random(50) ** 3
    assert adjusted(p_values, range(50)) == pytest.approx(adjust(p_values).tolist())
    pairs, twice = np.repeat(p_values, 2), np.repeat(np.arange(50), 2)
    assert (np.array(adjusted(pairs, twice)) >= adjust(pairs) - 1e-12).all()
    assert adjusted([], []) == []


def test_rare_features_are_not_tested(found):
    result = found(*[("Rare boat", True)] * 2, *[("Other boat", False)] * 3)
    assert {finding.feature for finding in result.findings if finding.position == "opener"} == {"other"}


def test_no_feature_at_all_gives_no_finding(make_corpus):
    corpus = make_corpus(("?", True), ("!", False))
    result = find(corpus, [openers(corpus, 3)])
    assert (result.findings, result.tested, result.left_out) == ((), 0, 0)


def test_the_most_definite_description_stands_for_features_of_the_same_queries(found):
    rows = [(f"See the {thing} now", True) for thing in ("boat", "kite", "lamp") for _ in range(8)]
    rows += [(f"See the {thing}", False) for thing in ("boat", "kite", "lamp") for _ in range(8)]
    result = by_name(found(*rows))
    assert result["now", -1].redundant_with is None
    assert result["now", "any"].redundant_with == OtherFeature(feature="now", position=-1)
    assert result["the", -3].redundant_with == OtherFeature(feature="now", position=-1)
    assert result["now", -1].tie == result["now", "any"].tie
    # "the" is everywhere, and only its place tells.
    assert ("the", "any") not in result


@pytest.fixture(scope="session")
def can_you(make_corpus):
    """Return queries in which "can" goes with refusal and "you" comes with "can", but tells nothing more."""
    rows = [("Can you see it?", n < 80) for n in range(100)] + [("Can he see it?", n < 8) for n in range(10)]
    rows += [("What is it?", n < 10) for n in range(100)]
    return rows


def test_a_word_that_comes_with_one_opener_and_tells_no_more_is_its_echo(found, can_you):
    result = by_name(found(*can_you))
    you = result["you", 1]
    assert you.given_opener.direction == "none"
    assert you.redundant_with == CAN
    assert result["can", "opener"].redundant_with is None
    assert result["can", "opener"].given_opener is None


def test_a_word_that_tells_more_among_queries_that_open_alike_is_no_echo(found):
    rows = [("Can you please see it?", n < 58) for n in range(60)] + [("Can you see it?", n < 20) for n in range(40)]
    rows += [("What is it?", n < 10) for n in range(100)]
    result = by_name(found(*rows))
    please = result["please", 2]
    assert please.given_opener.direction == "refusal"
    assert please.redundant_with is None
    # 58, 2 with and 20, 20 without: one stratum that tells something, so Woolf's interval.
    assert please.given_opener.log_odds == pytest.approx(np.log(58 * 20 / (2 * 20)))
    margin = 1.959964 * np.sqrt(1 / 58 + 1 / 2 + 1 / 20 + 1 / 20)
    assert please.given_opener.high - please.given_opener.log_odds == pytest.approx(margin)


def test_a_word_of_an_opener_that_is_always_refused_is_its_echo(found):
    rows = [(f"Share the {thing}", True) for thing in ("boat", "kite") for _ in range(20)] + [("Share", True)] * 3
    rows += [("What is it?", False)] * 40
    result = by_name(found(*rows))
    assert result["the", 1].given_opener is None
    assert result["the", 1].redundant_with == OtherFeature(feature="share", position="opener")


def test_a_word_that_comes_with_several_openers_is_no_echo(found):
    rows = [(f"{word} the boat", True) for word in ("Share", "Show") for _ in range(20)]
    rows += [("What is the boat?", False)] * 40
    the = by_name(found(*rows))["the", 1]
    assert (the.refused, the.answered, the.redundant_with) == (40, 0, None)


def test_what_cannot_be_told_of_a_query_is_left_out_of_the_count(make_corpus):
    # The first 40 queries have a picture, half of them a red one; the others have none.
    corpus = make_corpus(*[("a b", True)] * 20, *[("a b", False)] * 20, *[("a b", True)] * 100)
    told = np.arange(140) < 40
    red = np.arange(140) < 20
    result = find(
        corpus,
        [
            Family(
                kind="image",
                position="image",
                names=["red"],
                texts=["come with a picture that is red"],
                members=from_masks([red], 140),
                told=told,
            )
        ],
    )
    (finding,) = result.findings
    assert finding.tie.log_odds == pytest.approx(np.log(20.5 * 20.5 / (0.5 * 0.5)))
    assert (finding.refused, finding.answered, finding.direction) == (20, 0, "refusal")


def test_queries_about_one_picture_count_as_one_for_what_is_true_of_the_picture(make_corpus):
    corpus = make_corpus(*[("a b", n < 40) for n in range(80)])
    masks = [np.arange(80) < 40]

    def red(clusters):
        family = Family(kind="image", position="image", names=["red"], texts=[""], members=from_masks(masks, 80))
        return find(corpus, [family], clusters).findings

    (alone,), (pairs,) = red(np.arange(80)), red(np.arange(80) // 4)
    width = alone.tie.high - alone.tie.low
    assert pairs.tie.high - pairs.tie.low == pytest.approx(2 * width)  # four times the variance
    assert pairs.p_value > alone.p_value
    # Two pictures in all show nothing.
    assert red(np.arange(80) // 40) == ()


def test_only_the_strongest_are_listed_and_the_others_counted(of_tied, tied, make_corpus, monkeypatch):
    corpus = make_corpus(*((sample.query, sample.refused) for sample in tied))
    families = [openers(corpus, 3), *text_features(corpus, 3)]
    monkeypatch.setattr("unmirage.audit.findings.MAX_FINDINGS", 2)
    few, everything = find(corpus, families), of_tied[0]
    assert sum(finding.position != "opener" for finding in few.findings) == 2
    assert sum(finding.position == "opener" for finding in few.findings) == 3
    assert len(few.findings) + few.left_out == len(everything.findings)
    assert everything.left_out == 0


def test_untied_openers_beyond_the_most_frequent_are_left_out(make_corpus, monkeypatch):
    monkeypatch.setattr("unmirage.audit.findings.MAX_OPENERS", 2)
    rows = [
        (f"{word} it", n % 2 == 0) for word, count in zip("abcd", (12, 10, 8, 6), strict=True) for n in range(count)
    ]
    corpus = make_corpus(*rows)
    assert sorted(finding.feature for finding in find(corpus, [openers(corpus)]).findings) == ["a", "b"]


def test_examples_of_both_labels_are_different_and_spread_over_the_data(make_corpus):
    rows = [(f"See boat {n // 2}", n % 2 == 0) for n in range(100)]
    corpus = make_corpus(*rows)
    (see,) = find(corpus, [openers(corpus)]).findings
    assert len(set(see.examples.refused)) == len(set(see.examples.answered)) == 3
    assert set(see.examples.refused) <= {query for query, refused in rows if refused}


def test_long_examples_are_cut_and_say_so(make_corpus):
    corpus = make_corpus(*[("See " + "x" * 600, n % 2 == 0) for n in range(8)])
    (see,) = find(corpus, [openers(corpus)]).findings
    assert see.examples.refused == see.examples.answered == ("See " + "x" * 496 + "…",)


def test_the_headline_holds_what_openers_do_not_tell_and_no_echo(found, can_you):
    result = found(*can_you, *[("Do look please", True)] * 20, *[("Do look", False)] * 20)
    headline = {(finding.feature, finding.position) for finding in result.findings if finding.headline}
    assert {("can", "opener"), ("what", "opener"), ("please", -1)} <= headline
    assert all(finding.redundant_with is None for finding in result.findings if finding.headline)
    assert ("you", 1) not in headline
