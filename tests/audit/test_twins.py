"""Twins: each opener gets the label that it lacks, from queries that are used about equally often."""

from collections import Counter
from dataclasses import replace

import pytest

import unmirage as um
from unmirage.audit.remedies import REMEDIES, RemedySettings
from unmirage.audit.rewording import Queries
from unmirage.audit.twins import MOST_TWINS, add_twins
from unmirage.data import open_samples, write_samples
from unmirage.data.written import Written
from unmirage.errors import UserError
from unmirage.records import Placed
from unmirage.text.openers import opener


def with_twins(data, *args, **settings):
    queries = Queries.read(data)
    made = add_twins(queries, 0, *args, **settings)
    return made, list(made.rows(map(Written, data), queries.ids))


def counts(rows):
    found = Counter((opener(row.sample.query), row.sample.refused) for row in rows)
    return {word: (found[word, True], found[word, False]) for word, _ in found}


@pytest.fixture
def planted(make_dataset):
    """Return 40 refused queries with "share" and 40 answered ones with "what", each pair about one picture."""
    share = [(f"Share the boat {n}.", True, f"{n}.png") for n in range(40)]
    return make_dataset(*share, *[(f"What is the kite {n}?", False, f"{n}.png") for n in range(40)])


def test_each_opener_gets_both_labels_from_the_same_picture(planted):
    made, rows = with_twins(planted)
    assert counts(rows) == {"share": (40, 40), "what": (40, 40)}
    assert (made.added, made.dropped, made.missing, made.unchanged_wording, made.notes) == (80, 0, 0, 0, ())
    samples = {sample.id: sample for sample in planted}
    assert [row.sample for row in rows if not row.added] == list(planted)
    uses = Counter()
    for row in rows:
        if row.added:
            told = row.added["provenance"]
            source, of = samples[told["reworded_from"]], samples[told["twin_of"]]
            assert (source.image, opener(of.query), source.refused) == (of.image, told["opener"], not of.refused)
            assert row.sample == replace(
                source,
                id=f"{source.id}~twin~{of.id}",
                record=f"{source.record}~twin~{of.id}",
                query=row.sample.query,
            )
            assert opener(row.sample.query) == told["opener"] != opener(source.query)
            uses[source.id] += 1
    assert set(uses.values()) == {1}


def test_other_queries_are_drawn_about_equally_often(make_dataset):
    rows = [(f"Share the boat {n}.", True) for n in range(40)] + [(f"What is the kite {n}?", False) for n in range(15)]
    made, written = with_twins(make_dataset(*rows), 10)
    # With r refused queries to an answered one, "share" needs 40 / r and "what" 15 r twins. r = 1.63 needs fewest, 49,
    # but only 15 answered queries can be reworded. r = 2.6 needs 54.
    assert counts(written) == {"share": (40, 15), "what": (39, 15)}
    assert (made.added, made.missing) == (54, 0)
    uses = Counter(row.added["provenance"]["reworded_from"] for row in written if row.added)
    assert set(uses.values()) == {1}
    hosts = Counter(row.added["provenance"]["twin_of"] for row in written if row.added and not row.sample.refused)
    assert max(hosts.values()) == 1


def test_a_query_gets_an_opener_once_and_what_is_missing_is_counted(make_dataset):
    # Even at 32 refused queries to an answered one, "share" needs 4 answered ones of 3, at 27 too.
    rows = [(f"Share the boat {n}.", True) for n in range(120)] + [(f"What is the kite {n}?", False) for n in range(3)]
    made, written = with_twins(make_dataset(*rows))
    assert counts(written) == {"share": (120, 3), "what": (81, 3)}
    assert made.missing == 1
    assert made.notes == (
        f"{made.missing:,} twins could not be made, so the openers still differ; raise --twins-per-row "
        f"(now {MOST_TWINS}), or use --twins-rewriter endpoint:URL#MODEL",
    )


def test_a_row_is_reworded_at_most_as_often_as_asked(make_dataset):
    verbs = ("share", "describe", "name", "explain")
    rows = [(f"{verb} the boat {n}.", True) for verb in verbs for n in range(10)]
    data = make_dataset(*rows, *[(f"What is the kite {n}?", False) for n in range(10)])
    for most in (1, 2):
        made, written = with_twins(data, most)
        uses = Counter(row.added["provenance"]["reworded_from"] for row in written if row.added)
        assert max(uses.values()) == most
        shares = [refused / answered for refused, answered in counts(written).values()]
        assert made.missing <= 1
        assert max(shares) / min(shares) < 2


def test_a_rewriter_makes_the_wordings_and_wrong_ones_are_left_out(planted):
    asked = []

    def reword(wanted):
        asked.append(len(wanted))
        texts = [[f"{word}, {query}", "Not it"] for query, word in wanted]
        return [[] if "kite 7?" in query else text for text, (query, _) in zip(texts, wanted, strict=True)]

    made, rows = with_twins(planted, None, reword)
    assert (made.added, made.unchanged_wording, made.missing) == (79, 1, 1)  # no other query is left for "share"
    assert next(row.sample.query for row in rows if row.added) == "what, Share the boat 0."
    assert asked == [40, 40]
    stubborn = with_twins(planted, None, lambda wanted: [["Not it"]] * len(wanted))[0]
    assert (stubborn.added, stubborn.missing) == (0, 80)


def test_a_twin_that_would_lose_a_pictures_place_is_counted(planted):
    text = "Share this  now, and that  later."
    inside = [
        replace(sample, query=text, images=(Placed(sample.image, 11), Placed("b.png", 26)))
        for sample in planted.samples[:40]
    ]
    made, rows = with_twins(replace(planted, samples=(*inside, *planted.samples[40:])))
    assert all(row.sample.images == () for row in rows if row.added)
    assert made.lost_places == made.unchanged_wording > 0
    assert made.missing > 0


def test_openers_that_the_rules_cannot_use_get_no_twins(planted, make_dataset):
    odd = make_dataset(*[("Zelvar the boat", True, "z.png")] * 5).samples
    data = replace(planted, samples=(*planted.samples, *[replace(one, id=f"z{one.id}") for one in odd]))
    made, rows = with_twins(data)
    assert "zelvar" not in {row.added["provenance"]["opener"] for row in rows if row.added}
    assert made.notes == ("5 queries have an opener that the rules cannot use, and get no twins",)


def test_data_without_both_labels_or_english_openers_have_no_twins(make_dataset):
    with pytest.raises(UserError, match="all queries have the same label"):
        with_twins(make_dataset(("Share it", True)))
    with pytest.raises(UserError, match="these data have none; use --twins-rewriter endpoint:URL#MODEL"):
        with_twins(make_dataset(("Покажи это", True), ("Что это", False)))


def test_the_settings_of_twins_reach_them(planted):
    made = REMEDIES["twins"](
        Queries.read(planted), 0, RemedySettings(twins_per_row=1, reword=lambda wanted: [[]] * len(wanted))
    )
    assert made.added == 0


def test_a_rewriter_of_attacks_rewords_twins(planted, tmp_path):
    asked = []

    class Comma:
        name = "comma"

        def reword(self, wanted, progress=None):
            asked.extend(wanted)
            return [[f"{one.word}, {one.query}"] for one in wanted]

    write_samples(planted, tmp_path / "data.jsonl")
    result = um.audit(tmp_path / "data.jsonl", write_twins=tmp_path / "twins.jsonl", twins_rewriter=Comma())
    assert result.remedies["twins"].added == 80
    assert {(one.shots, one.goal, one.word) for one in asked} == {(1, "open", "share"), (1, "open", "what")}
    queries = [one.query for one in open_samples(tmp_path / "twins.jsonl")]
    assert queries[:2] == ["Share the boat 0.", "what, Share the boat 0."]
