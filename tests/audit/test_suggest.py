from unmirage.audit.features import count_openers
from unmirage.audit.findings import find_associations
from unmirage.audit.suggest import suggest


def suggestion(dataset):
    return suggest(find_associations(dataset.samples, count_openers(dataset)))


def test_words_of_both_directions_and_no_untied_ones(tied):
    words = suggestion(tied)
    assert (words.jailbreak, words.over_prudence) == (("what",), ("share",))


def test_many_agreeing_examples_beat_few_and_many_that_disagree(make_dataset):
    rows = [("Name it", True)] * 12 + [("Share it", True)] * 90
    rows += [("Can it", True)] * 90 + [("Can it", False)] * 40
    rows += [("What is it", False)] * 150
    assert suggestion(make_dataset(*rows)).over_prudence == ("share", "can", "name")


def test_no_more_than_ten_words(make_dataset):
    rows = [(f"{word} it", True) for word in "abcdefghijkl" for _ in range(40)] + [("What", False)] * 480
    assert len(suggestion(make_dataset(*rows)).over_prudence) == 10


def test_a_fair_coin_suggests_nothing(make_dataset):
    rows = [(f"{word} it", n % 2 == 0) for word in ("what", "share") for n in range(50)]
    words = suggestion(make_dataset(*rows))
    assert (words.jailbreak, words.over_prudence) == ((), ())
