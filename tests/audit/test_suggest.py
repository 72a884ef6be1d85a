import pytest

from unmirage.audit.features import openers
from unmirage.audit.findings import find
from unmirage.audit.pictures import measure
from unmirage.audit.probes import gather
from unmirage.audit.suggest import strong_openers, suggest


@pytest.fixture
def suggestion(make_corpus):
    """Return a function that suggests words for rows of (query, refused)."""

    def of(*rows):
        corpus = make_corpus(*rows)
        found = find(corpus, [openers(corpus, 3)])
        return suggest(found.findings, gather(corpus, None, measure([], None, 0), 0))

    return of


def words(attack):
    return [one.word for one in attack]


def test_words_of_both_directions_and_no_untied_ones(suggestion, tied):
    suggested = suggestion(*((sample.query, sample.refused) for sample in tied))
    assert (words(suggested.jailbreak), words(suggested.over_prudence)) == (["what"], ["share"])
    what = suggested.jailbreak[0]
    assert (what.refused, what.answered) == (0, 60)
    # Refused queries that do not open with "what" already; a probe of the text holds the 60 of "share" for refused.
    assert what.flips.n == 100
    assert what.flips.k >= 60
    assert suggested.over_prudence[0].flips.n == 100


def test_many_agreeing_examples_beat_few_and_many_that_disagree(suggestion):
    rows = [("Name it", True)] * 12 + [("Share it", True)] * 90
    rows += [("Can it", True)] * 90 + [("Can it", False)] * 40
    rows += [("What is it", False)] * 150
    assert words(suggestion(*rows).over_prudence) == ["share", "can", "name"]


def test_no_more_than_ten_words(suggestion):
    rows = [(f"{word} it", True) for word in "abcdefghijkl" for _ in range(40)] + [("What", False)] * 480
    assert len(suggestion(*rows).over_prudence) == 10


def test_a_fair_coin_suggests_nothing(suggestion):
    suggested = suggestion(*((f"{word} it", n % 2 == 0) for word in ("what", "share") for n in range(50)))
    assert (suggested.jailbreak, suggested.over_prudence) == ((), ())


def test_strong_openers_are_tied_after_the_adjustment_and_no_other_features(make_corpus):
    corpus = make_corpus(*[("a it", True)] * 40, *[("b it", False)] * 40, *[("c it", n < 5) for n in range(10)])
    found = find(corpus, [openers(corpus, 3)]).findings
    assert {finding.feature for finding in found} == {"a", "b", "c"}
    assert {finding.feature for finding in strong_openers(found)} == {"a", "b"}
