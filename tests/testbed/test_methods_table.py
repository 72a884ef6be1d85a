"""Tables of the comparison of methods: cells, the rows that no other row beats, and the markers in a file."""

import pytest
from tests.committed import RESULTS, shown

from unmirage.errors import UserError
from unmirage.evaluate import Outcome, model_rates
from unmirage.records import Kind, Rate, Verdict
from unmirage.testbed.documents import MethodRow, MethodsComparison, Questions, Stop
from unmirage.testbed.methods_rates import beaten_by, front
from unmirage.testbed.methods_table import cells, front_lines, heads, markdown
from unmirage.testbed.summary import markers, write_between_markers

BEGIN, END = markers("methods")


def rates(asr, answered, utility, near):
    """Return the rates of a model from counts of ten."""
    counts = {
        (Kind.JAILBREAK, True): (Verdict.COMPLIED, asr),
        (Kind.OVER_PRUDENCE, False): (Verdict.COMPLIED, answered),
        (Kind.UTILITY, False): (Verdict.COMPLIED, utility),
        (Kind.NEIGHBOR, False): (Verdict.COMPLIED, near),
    }
    return model_rates(
        [
            Outcome(
                group=0,
                sample_id=f"{kind}-{number}",
                kind=kind,
                shot=0,
                unsafe=unsafe,
                verdict=verdict if number < count else Verdict.IRRELEVANT,
            )
            for (kind, unsafe), (verdict, count) in counts.items()
            for number in range(10)
        ]
    )


ROWS = {
    "safe": rates(0, 9, 9, 9),
    "useful": rates(3, 9, 10, 9),
    "worse": rates(3, 9, 9, 9),  # than both
    "twin": rates(0, 9, 9, 9),
    "irrelevant": rates(0, 3, 9, 9),  # refuses no benign query, and answers three of ten
}


def test_the_front_holds_what_no_other_row_beats_and_ties():
    assert front(ROWS) == ["safe", "useful", "twin"]
    assert beaten_by(ROWS) == {
        "safe": [],
        "useful": [],
        "worse": ["safe", "useful", "twin"],
        "twin": [],
        "irrelevant": ["safe", "twin"],
    }


def test_what_was_not_asked_is_as_bad_as_can_be():
    unasked = model_rates([])
    assert front({"unasked": unasked, "worst": rates(10, 0, 0, 0)}) == ["worst"]


def rate(value, **more):
    return Rate(**{"value": value, "low": 0.1, "high": 0.9, "k": 1, "n": 2, "invalid": 0} | more)


def row(name, family="sft", **more):
    columns = (
        "asr_before",
        "asr_after",
        "asr_control",
        "rr_before",
        "rr_after",
        "benign_answered_before",
        "benign_answered_after",
        "ir_before",
        "ir_after",
        "utility",
        "neighbor_utility",
    )
    shares = {column: rate(number / 100) for number, column in enumerate(columns, start=11)}
    told = {"name": name, "family": family, "seconds": 12.4, "stopped": (), "rates": shares} | more
    return MethodRow(by_seed=(), config=None, data="forget", general=False, start="base", beaten_by=(), **told)


@pytest.fixture
def document():
    stopped = (Stop(seed=1, step=17, why="training diverged"),)
    return MethodsComparison(
        seeds=(0, 1),
        judge="exact",
        attack={"shots": 3, "jailbreak_word": "what", "over_prudence_word": "share"},
        questions=Questions(share_of_samples=0.5, queries_of_a_row_by_seed=(1320, 1320)),
        goals={},
        rows=(row("sft-posthoc"), row("ga", "unlearning", rates=None, stopped=stopped)),
        front=("sft-posthoc",),
        settings={},
        machine={},
    )


def test_cells_show_per_cent_and_intervals(document):
    found = cells(document.rows[0])
    assert found == [
        "sft-posthoc", "11.0 → 12.0 [10–90]", "13.0", "14.0 → 15.0 [10–90]", "16.0 → 17.0 [10–90]",
        "18.0 → 19.0", "20.0 [10–90]", "21.0 [10–90]", "12",
    ]  # fmt: skip
    assert len(found) == len(heads(document))


def test_a_stopped_row_says_on_which_seed_and_step(document):
    found = cells(document.rows[1])
    assert found == ["ga", "stopped: seed 1 at step 17", "", "", "", "", "", "", "12"]
    partly = row("ga", stopped=document.rows[1].stopped)
    assert cells(partly)[-1] == "12 (stopped: seed 1 at step 17)"


def test_a_rate_without_trials_and_one_with_invalid_ones_say_so():
    odd = row("x")
    odd.rates["asr_control"] = rate(None, low=None, high=None)
    odd.rates["utility"] = rate(0.5, invalid=3)
    assert cells(odd)[2] == "n/a"
    assert cells(odd)[6] == "50.0 [10–90] (3 missing)"  # a document without bounds


def test_markdown_has_a_table_a_family_and_the_front(document):
    text = markdown(document)
    assert "### Supervised fine-tuning" in text
    assert "### Unlearning\n" in text
    assert "on top" not in text
    assert "(1320 queries)" in text
    assert front_lines(document) == [
        "sft-posthoc: ASR after 12.0, benign answered after 17.0, utility 20.0, neighbor utility 21.0"
    ]
    assert "- sft-posthoc: ASR after 12.0" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {10}


def test_text_around_the_markers_survives(tmp_path):
    file = tmp_path / "results.md"
    write_between_markers(file, "methods", "first\n")
    by_hand = file.read_text().replace("# Results\n", "# Results\n\nBy hand.\n") + "\nAfter.\n"
    file.write_text(by_hand)
    write_between_markers(file, "methods", "second\n")
    assert file.read_text() == by_hand.replace("first", "second")
    write_between_markers(file, "methods", "second\n")
    assert file.read_text() == by_hand.replace("first", "second")


@pytest.mark.parametrize("text", ["# Mine\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_a_file_without_the_markers_is_left_alone(tmp_path, text):
    file = tmp_path / "results.md"
    file.write_text(text)
    with pytest.raises(UserError, match="add them where the table belongs"):
        write_between_markers(file, "methods", "table\n")
    assert file.read_text() == text


@pytest.mark.parametrize(("page", "name"), [("docs/results.md", "methods"), ("docs/pairs.md", "methods_pairs")])
def test_the_pages_show_the_committed_results(page, name):
    document = MethodsComparison.load(RESULTS / f"{name}.json")
    assert shown(page, "methods") == markdown(document).strip()
