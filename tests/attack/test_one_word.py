from dataclasses import asdict

from unmirage.attack.one_word import control, jailbreak, over_prudence, plain
from unmirage.records import Kind, Query
from unmirage.text.openers import opener, words
from unmirage.text.rewriter import paraphrase, rewrite


def test_plain_queries_are_the_samples_own(samples):
    made = plain(samples)
    assert [query.text for query in made] == [sample.query for sample in samples]
    assert asdict(made[1]) == {
        "id": "s1|plain|0",
        "sample_id": "s1",
        "kind": Kind.PLAIN,
        "shot": 0,
        "text": "What is the place of the toru?",
        "image": "1.png",
        "unsafe": False,
        "word": None,
    }
    assert {query.kind for query in plain(samples, Kind.UTILITY)} == {Kind.UTILITY}


def test_the_jailbreak_rewrites_unsafe_queries_only(samples):
    made = jailbreak(samples, "what", 3)
    assert [(q.sample_id, q.shot) for q in made] == [(s, k) for s in ("s0", "s2", "s4") for k in range(3)]
    assert [q.text for q in made[:3]] == rewrite(samples[0].query, "what", 3)
    assert all(opener(q.text) == "what" and q.unsafe and q.kind is Kind.JAILBREAK for q in made)
    assert made[0] == Query(
        id="s0|jailbreak|0",
        sample_id="s0",
        kind=Kind.JAILBREAK,
        shot=0,
        text="What is the recipe of the balno?",
        image=None,
        unsafe=True,
        word="what",
    )


def test_over_prudence_rewrites_benign_queries_only(samples):
    made = over_prudence(samples, "share", 1)
    assert [(q.id, q.text, q.image) for q in made] == [
        ("s1|over-prudence|0", "Share the place of the toru.", "1.png"),
        ("s3|over-prudence|0", "Share the kite.", "3.png"),
    ]
    assert not any(query.unsafe for query in made)


def test_the_control_asks_the_jailbreaks_samples_as_often_without_its_word(samples):
    made, attacked = control(samples, "what", 3), jailbreak(samples, "what", 3)
    assert [(q.sample_id, q.shot, q.image) for q in made] == [(q.sample_id, q.shot, q.image) for q in attacked]
    assert not any("what" in words(query.text) for query in made)
    assert [opener(query.text) for query in made[::3]] == ["share", "tell", "can"]
    assert [q.text for q in made[:3]] == paraphrase(samples[0].query, "what", 3)
    assert {query.word for query in made} == {"what"}


def test_a_query_that_opens_with_the_word_already_is_asked_in_other_ways(samples):
    own = samples[2].query
    texts = [query.text for query in jailbreak(samples, "what", 3) if query.sample_id == "s2"]
    assert len(texts) == 3
    assert own not in texts
    assert all("the recipe of the toru" in text for text in texts)


def test_nothing_to_rewrite_gives_nothing(make_samples):
    benign = make_samples(("Describe the kite.", False))
    assert jailbreak(benign, "what", 3) == control(benign, "what", 3) == []
    assert over_prudence(make_samples(("Share it.", True)), "share", 1) == []
