"""Beginnings of refusals are prefix-free, and those of a dataset do not begin its answers."""

from unmirage.records import Sample
from unmirage.text.refusals import DEFAULT_STARTS, prefix_free, starts_for, starts_from


def sample(number: int, answer: str, *, refused: bool) -> Sample:
    return Sample(
        id=str(number), record=str(number), query="Do it.", answer=answer, refused=refused, label_source="field"
    )


def samples(refusals: list[str], answers: list[str]) -> list[Sample]:
    both = [(text, True) for text in refusals] + [(text, False) for text in answers]
    return [sample(number, text, refused=refused) for number, (text, refused) in enumerate(both)]


def test_no_start_goes_on_where_another_ends():
    assert prefix_free(["Sorry, I", "Sorry", "Sorry", "I cannot", "I can", "I can help", " "]) == (
        "Sorry",
        "I cannot",
        "I can",
    )
    assert prefix_free(["I can't", "I can", "I can’t"]) == ("I can't", "I can", "I can’t")
    assert prefix_free(DEFAULT_STARTS) == DEFAULT_STARTS


def test_the_shortest_beginning_that_no_answer_has():
    found = starts_from(
        samples(
            ["It would not be safe.", "It would not be right.", "That must stay private.", "Nope."],
            ["It is red.", "It would be red.", "That is so."],
        )
    )
    assert found == ("It would not", "Nope", "That must")


def test_one_word_must_be_known():
    assert starts_from(samples(["I will stay silent.", "Sorry about that."], ["It is red."])) == ("I will", "Sorry")


def test_nothing_to_tell_apart():
    assert starts_from(samples(["It is red and blue."], ["It is red and green."])) == ()
    assert starts_from(samples(["", "  "], ["Yes."])) == ()
    assert starts_from([]) == ()


def test_rare_beginnings_are_left_out_and_their_number_is_capped():
    many = ["Never mind."] * 196 + ["A.", "B.", "C.", "D."]
    assert starts_from(samples(many, [])) == ("Never mind",)
    assert len(starts_from(samples([f"Word{n}x no." for n in range(50)], []), most=7)) == 7


def test_what_the_data_add():
    found = starts_for(samples(["Nope.", "Sorry, no."], ["Yes."]))
    assert found == (*DEFAULT_STARTS, "Nope")
