import numpy as np

from unmirage.audit.matrices import grouped
from unmirage.audit.pictures import measure


def groups_of(corpus, same=None):
    measured = measure(corpus.pictures, None, 0)
    if same is not None:
        measured.same[:] = same
    groups, by = grouped(corpus, measured)
    return groups.tolist(), by


def test_queries_about_one_picture_belong_together_and_those_without_one_stand_alone(make_corpus):
    rows = [("a", n % 2 == 0, f"{n // 2}.png") for n in range(10)] + [("a", True), ("a", False)]
    groups, by = groups_of(make_corpus(*rows))
    assert by == "content"
    assert groups[:10] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len({*groups}) == 7


def test_pictures_of_the_same_content_are_one(make_corpus):
    rows = [("a", n % 2 == 0, f"{n}.png") for n in range(24)]
    groups, by = groups_of(make_corpus(*rows), same=np.arange(24) // 4 * 4)
    assert by == "content"
    assert groups == [n // 4 for n in range(24)]


def test_where_hardly_any_content_has_a_label_of_its_own_the_path_tells_pictures_apart(make_corpus):
    # Every text-only query comes with the same blank picture under a name of its own.
    rows = [("a", n % 2 == 0, f"{n // 2}.png") for n in range(20)]
    groups, by = groups_of(make_corpus(*rows), same=np.zeros(10, dtype=int))
    assert by == "path"
    assert groups == [n // 2 for n in range(20)]


def test_one_picture_is_one_however_many_queries_are_about_it(make_corpus):
    groups, by = groups_of(make_corpus(*[("a", n % 2 == 0, "blank.png") for n in range(20)]))
    assert (groups, by) == ([0] * 20, "path")


def test_a_label_of_few_queries_needs_no_more_groups_than_queries(make_corpus):
    rows = [("a", False, f"{n}.png") for n in range(9)] + [("a", True, f"r{n}.png") for n in range(3)]
    assert groups_of(make_corpus(*rows))[1] == "content"
    assert groups_of(make_corpus())[0] == []
