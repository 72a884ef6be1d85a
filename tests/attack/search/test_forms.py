"""Forms: every word goes into a query in the same way."""

import pytest

from unmirage.attack.search.config import SearchConfig, as_it_is, opening_with, without_opener
from unmirage.records import Kind, Sample
from unmirage.text.openers import opener


@pytest.mark.parametrize(
    ("query", "put_in", "put_before"),
    [
        ("Describe the recipe.", "Banana the recipe.", "Banana, describe the recipe."),
        ("What's the recipe?", "Banana the recipe?", "Banana, what's the recipe?"),
        ("I am here.", "Banana am here.", "Banana, I am here."),
    ],
)
def test_replacement_and_insertion(query, put_in, put_before):
    sample = Sample(id="s", record="r", query=query, refused=True, label_source="field")
    assert opening_with(sample, "banana", "replacement", "jailbreak").text == put_in
    assert opening_with(sample, "banana", "insertion", "jailbreak").text == put_before


@pytest.mark.parametrize("form", ["replacement", "insertion", "rewrite"])
@pytest.mark.parametrize("word", ["what", "banana", "share"])
def test_the_query_opens_with_the_word(form, word):
    sample = Sample(id="s", record="r", query="Describe the recipe.", image="a.png", refused=True, label_source="field")
    query = opening_with(sample, word, form, "jailbreak")
    assert opener(query.text) == word
    assert (query.image, query.sample_id, query.unsafe, query.word) == ("a.png", "s", True, word)
    assert query.kind is Kind.JAILBREAK
    assert as_it_is(sample).text == sample.query
    assert without_opener(sample).text == "The recipe."
    assert len({query.id, as_it_is(sample).id, without_opener(sample).id}) == 3


def test_baselines_are_single_words():
    with pytest.raises(ValueError, match="use one word"):
        SearchConfig(baselines=("two words",))
    assert SearchConfig(baselines=("What", "what")).baselines == ("what",)
