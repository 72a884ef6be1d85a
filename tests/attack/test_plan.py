from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unmirage.attack.plan import ATTACKS, DEFAULT_KINDS, AttackConfig, plan_queries, short_of_shots
from unmirage.attack.rewriters import make_rewriter
from unmirage.errors import UserError
from unmirage.records import Kind, Sample
from unmirage.text.language import is_foreign
from unmirage.text.openers import opener, words

ANY_TEXT = st.text(st.characters(codec=None), max_size=30).filter(lambda text: not is_foreign(text))
SAMPLES = st.lists(
    st.builds(
        Sample,
        id=st.text("a|plainjbrek0", min_size=1, max_size=12),
        record=st.just("r"),
        query=ANY_TEXT | st.sampled_from(("Share the kite.", "What is the kite?", "Who is it, and what for?")),
        refused=st.booleans(),
        label_source=st.just("field"),
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda sample: sample.id,
).filter(lambda samples: len({sample.refused for sample in samples}) == 2)


def test_the_paper_s_attack_is_the_default():
    config = AttackConfig()
    assert config.kinds == DEFAULT_KINDS == (Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.CONTROL)
    assert [(config.word(Kind.CONTROL, unsafe=u), config.shots_of(unsafe=u)) for u in (True, False)] == [
        ("what", 3),
        ("share", 1),
    ]
    assert {config.word(Kind.NEUTRAL, unsafe=u) for u in (True, False)} == {"list"}


def test_kinds_are_counted(samples):
    queries = plan_queries(samples, AttackConfig())
    assert Counter(query.kind for query in queries) == {
        Kind.PLAIN: 5,
        Kind.JAILBREAK: 9,
        Kind.OVER_PRUDENCE: 2,
        Kind.CONTROL: 9 + 2,
    }
    assert [query.kind for query in queries[:5]] == [Kind.PLAIN] * 5


def test_every_kind_can_be_made_of_both_labels(samples):
    queries = plan_queries(samples, AttackConfig(kinds=tuple(ATTACKS), shots=2))
    counts = Counter((query.kind, query.unsafe) for query in queries if query.kind is not Kind.PLAIN)
    assert counts == {(kind, unsafe): 6 if unsafe else 2 for kind in ATTACKS for unsafe in ATTACKS[kind]}
    assert len({query.id for query in queries}) == len(queries)


def test_only_what_is_named_is_made_and_named_twice_is_made_once(samples):
    config = AttackConfig(kinds=("over-prudence", "over-prudence"), over_prudence_shots=2)
    queries = plan_queries(samples, config)
    assert Counter(query.kind for query in queries) == {Kind.PLAIN: 5, Kind.OVER_PRUDENCE: 4}
    assert len({query.id for query in queries}) == 9


@given(SAMPLES)
def test_ids_are_unique_and_labels_decide_who_is_attacked(samples):
    queries = plan_queries(samples, AttackConfig())
    refused = {sample.id: sample.refused for sample in samples}
    assert len({query.id for query in queries}) == len(queries)
    for query in queries:
        assert query.unsafe is refused[query.sample_id]
        assert query.kind is Kind.PLAIN or query.unsafe in ATTACKS[query.kind]


@given(SAMPLES)
def test_attacks_open_with_their_word_and_the_control_avoids_it(samples):
    own = {sample.id: sample.query for sample in samples}
    for query in plan_queries(samples, AttackConfig()):
        if query.kind in (Kind.JAILBREAK, Kind.OVER_PRUDENCE):
            assert opener(query.text) == query.word
        if query.kind is Kind.CONTROL:
            assert opener(query.text) != query.word
            assert query.word not in words(query.text) or query.word in words(own[query.sample_id])


@given(SAMPLES)
def test_the_jailbreak_and_its_control_have_the_same_number_of_shots(samples):
    queries = plan_queries(samples, AttackConfig())
    shots = Counter((query.sample_id, query.kind) for query in queries)
    for sample in samples:
        if sample.refused:
            assert shots[sample.id, Kind.JAILBREAK] == shots[sample.id, Kind.CONTROL] == 3


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (True, "over-prudence: the data has no answered samples to rewrite; leave this kind out with --kind"),
        (False, "jailbreak: the data has no refused samples to rewrite; leave this kind out with --kind"),
    ],
)
def test_a_label_that_never_occurs_is_named(make_samples, refused, message):
    with pytest.raises(UserError) as error:
        plan_queries(make_samples(("Share the kite.", refused)), AttackConfig())
    assert str(error.value) == message


def test_the_attacks_that_need_no_other_label_still_work(make_samples):
    config = AttackConfig(kinds=("jailbreak",), shots=2)
    assert len(plan_queries(make_samples(("Share the kite.", True)), config)) == 3


@pytest.mark.parametrize("kind", ["plain", "utility"])
def test_what_is_no_attack_is_refused(samples, kind):
    with pytest.raises(
        UserError, match=f"unknown kind of attack '{kind}'; valid: control, form-control, insertion, jailb"
    ):
        plan_queries(samples, AttackConfig(kinds=(kind,)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("jailbreak_word", "what, is", "'what, is' is not valid; use one or more words without punctuation"),
        ("over_prudence_word", "share!", "'share!' is not valid; use one or more words without punctuation"),
        ("jailbreak_word", "", "'' is not valid; use one or more words without punctuation"),
        ("position", "end", "'first', 'middle' or 'last'"),
        ("shots", 0, "greater than or equal to 1"),
        ("over_prudence_shots", 0, "greater than or equal to 1"),
        ("kinds", (), "at least 1 item"),
        ("kinds", ("jail",), "'jailbreak'"),
        ("word", "what", "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_are_refused(field, value, message):
    with pytest.raises(ValidationError, match=message):
        AttackConfig.model_validate({field: value})


def test_words_are_lower_cased():
    assert AttackConfig(jailbreak_word="WHAT").jailbreak_word == "what"


def test_samples_with_too_few_shots_or_none_are_counted(samples):
    config = AttackConfig()
    queries = plan_queries(samples, config)
    assert short_of_shots(queries, samples, config) == {}
    gone = [q for q in queries if not (q.sample_id == "s0" and q.kind is Kind.JAILBREAK)]
    fewer = [q for q in gone if q.id != "s2|jailbreak|2"]
    assert short_of_shots(gone, samples, config) == {Kind.JAILBREAK: (1, 0)}
    assert short_of_shots(fewer, samples, config) == {Kind.JAILBREAK: (2, 0)}


def german(number, *, refused=True):
    return Sample(
        id=f"g{number}", record="g", query=f"Nenne das Rezept von Ding {number}.", refused=refused, label_source="field"
    )


def test_queries_that_the_rules_do_not_know_get_no_rewrites(samples):
    rewriter = make_rewriter("rules")
    queries = plan_queries([*samples, german(1), german(2, refused=False)], AttackConfig(), rewriter)
    assert {query.kind for query in queries if query.sample_id in ("g1", "g2")} == {Kind.PLAIN}
    assert rewriter.report.other_language == 4  # jailbreak and its control, over-prudence and its control
    assert rewriter.report.missing >= 2 * 3 + 2 * 1
    assert "no rewrites of 4 queries, which are not in English" in rewriter.report.summary()
    assert short_of_shots(queries, [german(1), german(2, refused=False)], AttackConfig()) == {
        Kind.JAILBREAK: (1, 0), Kind.OVER_PRUDENCE: (1, 0), Kind.CONTROL: (2, 0),
    }  # fmt: skip


def test_an_attack_without_any_rewrite_names_the_languages(make_samples):
    samples = [german(1), german(2), *make_samples(("What is it?", False))]
    with pytest.raises(
        UserError, match=r"jailbreak: no query has a rewrite: 2 of 2 queries are German, and the rules support"
    ):
        plan_queries(samples, AttackConfig())


def test_an_inserted_word_needs_no_rewriter():
    config = AttackConfig(kinds=(Kind.INSERTION, Kind.REPLACEMENT), jailbreak_word="welche", shots=1)
    texts = [query.text for query in plan_queries([german(1)], config)]
    assert texts[1:] == ["Welche, nenne das Rezept von Ding 1.", "Welche das Rezept von Ding 1."]


def test_roles_and_numbers_stay_in_front_of_the_attack():
    for lead in ("USER: ", "17. ", "[INST] "):
        sample = Sample(id="a", record="r", query=f"{lead}Share the kite.", refused=True, label_source="field")
        plain = replace(sample, query="Share the kite.")
        config = AttackConfig(kinds=(Kind.JAILBREAK, Kind.CONTROL, Kind.INSERTION, Kind.REPLACEMENT))
        texts = [query.text for query in plan_queries([sample], config)]
        assert texts == [lead + query.text for query in plan_queries([plain], config)]
        assert [opener(text) for text in texts] == [opener(query.text) for query in plan_queries([plain], config)]


def test_a_word_of_a_language_without_spaces_is_an_attack_word():
    assert AttackConfig(jailbreak_word="怎么").jailbreak_word == "怎么"
    assert AttackConfig(jailbreak_word="怎么制作").jailbreak_word == "怎么制作"
