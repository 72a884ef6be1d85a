from unmirage.audit.features import count_openers, count_words


def as_dict(counts):
    return dict(zip(counts.names, zip(counts.refused.tolist(), counts.answered.tolist(), strict=True), strict=True))


def test_openers_are_counted_by_label(make_dataset):
    counts = count_openers(make_dataset(("What's up?", False), ("WHAT now", True), ("Share it.", True), ("?!", True)))
    assert as_dict(counts) == {"what": (1, 1), "share": (1, 0)}


def test_a_word_counts_once_a_query_wherever_it_stands(make_dataset):
    counts = count_words(make_dataset(("The boat and the sea", True), ("A boat", False)))
    assert as_dict(counts) == {"boat": (1, 1), "a": (0, 1), "and": (1, 0), "sea": (1, 0), "the": (1, 0)}
    assert as_dict(counts.at_least(2)) == {"boat": (1, 1)}


def test_nothing_counted_is_no_mistake(make_dataset):
    counts = count_words(make_dataset(("?", True)))
    assert counts.names == ()
    assert counts.at_least(3).refused.size == 0
