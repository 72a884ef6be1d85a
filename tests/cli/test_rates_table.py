import io
from dataclasses import replace

import pytest
from rich.console import Console

from unmirage.cli.rates_table import rates_table
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.outcomes import AttackSuccess, BeforeAfter, Benign, ModelRates
from unmirage.evaluate.results import Results
from unmirage.intervals import rate

NONE, TEN = rate(0, 0), rate(5, 10)


def success(before, after, control=TEN):
    return AttackSuccess(before=before, after=after, per_shot=NONE, by_k=(), control=control)


def rates(**changed):
    usual = {
        "asr": success(rate(1, 442), rate(57, 442)),
        "rr": Benign(before=rate(0, 20), after=rate(20, 20)),
        "ir": BeforeAfter(before=NONE, after=rate(1, 3)),
        "benign_answered": Benign(before=rate(20, 20), after=rate(5, 20)),
        "refused_unsafe": BeforeAfter(before=NONE, after=NONE),
        "utility": rate(49, 50, 2),
        "neighbor_utility": NONE,
        "invalid": 2,
    }
    return ModelRates(**usual | changed)


@pytest.fixture
def show():
    """Return a function that renders the table as a terminal of some columns would show it."""

    def show(models, color=None, width=200, judge="exact"):
        results = Results.of(
            judge=judge,
            seeds=[0, 1],
            models=models,
            by_seed=[{}, {}],
            attack={"shots": 3, "jailbreak_word": "what", "over_prudence_word": "share"},
        )
        console = Console(
            file=io.StringIO(), width=width, highlight=False, color_system=color, force_terminal=bool(color)
        )
        console.print(rates_table(results, console.width))
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    return show


def cells(line):
    return [cell for cell in line.strip().split("  ") if cell.strip()]


def test_a_row_shows_per_cent_with_the_interval_of_the_attacked_rate(show):
    [row] = [line for line in show({"npo": rates()}) if line.strip().startswith("npo")]
    assert [cell.strip() for cell in cells(row)] == [
        "npo",
        "0.2 → 12.9 [10–16]",
        "50.0",
        "0.0 → 100.0 [84–100]",
        "100.0 → 25.0 [11–47]",
        "n/a → 33.3",
        "98.0 (bounds 94.2–98.1, 2 missing)",
    ]


def test_the_head_names_words_and_shots(show):
    head = "\n".join(show({"npo": rates()})[:3])
    for title in (
        "model",
        'ASR before → after 3-shot "what"',
        "control",
        'RR before → after "share"',
        'benign answered before → after "share"',
        "utility",
    ):
        assert title in head


def test_the_caption_says_what_the_figures_are_and_where_from(show):
    text = " ".join(show({"npo": rates()}))
    assert "percent, [95 % interval] judge: exact, seeds: 0, 1" in text
    assert "ASR: unsafe queries complied with" in text
    assert "benign answered: benign queries complied with (after: with all shots)" in text
    assert "design effect" not in text


def test_with_judges_that_see_only_refusals_answered_means_not_refused(show):
    for judge in ("phrases", "official rule v1"):
        text = " ".join(show({"npo": rates()}, judge=judge))
        assert "benign answered: not refused (this judge sees only refusals and degenerate responses)" in text


def test_the_caption_says_by_what_the_intervals_are_clustered(show):
    asr = replace(rate(57, 442), clusters=40, design_effect=12.84)
    found = rates(asr=success(asr, asr), clustered_by=("group",))
    text = " ".join(show({"npo": found, "base": rates()}))
    assert "[95 % interval, clustered by group: 3 to 442 groups] design effect up to 12.8 · judge: exact" in text
    text = " ".join(show({"npo": rates(clustered_by=("picture",)), "base": rates(clustered_by=("record",))}))
    assert "clustered by picture or record: 3 to 442 clusters]" in text


def test_two_or_three_categories_of_utility_take_its_place(show):
    parts = {"facts": rate(3, 10), "skills": rate(10, 10)}
    lines = show({"npo": rates(utility_by_category=parts), "base": rates()})
    assert "utility" not in lines[1]
    rows = {cells(line)[0].strip(): cells(line) for line in lines if line.strip().split(" ")[0] in ("npo", "base")}
    assert [cell.strip() for cell in rows["npo"][-2:]] == ["30.0", "100.0"]
    assert [cell.strip() for cell in rows["base"][-2:]] == ["n/a", "n/a"]
    assert "facts, skills: utility, by part" in "\n".join(lines)
    for number in (1, 4):
        categories = {f"part {place}": rate(1, 2) for place in range(number)}
        head = show({"npo": rates(utility_by_category=categories)})[1]
        assert "utility" in head
        assert "part" not in head


def test_models_keep_their_order(show):
    lines = show({"npo": rates(), "base": rates(), "rmu": rates()})
    order = [cells(line)[0] for line in lines if line.strip().split(" ")[0] in ("npo", "base", "rmu")]
    assert order == ["npo", "base", "rmu"]


def test_what_was_not_asked_is_not_a_number(show):
    empty = rates(asr=success(NONE, NONE, NONE), utility=NONE)
    [row] = [line for line in show({"m": empty, "asked": rates()}) if line.strip().startswith("m ")]
    assert row.count("n/a → n/a") == 1
    assert "nan" not in row.casefold()
    assert cells(row)[-1].strip() == "n/a"
    assert "utility" not in show({"m": empty})[1]


def test_a_models_name_is_neither_markup_nor_an_escape(show):
    text = "\n".join(show({"[bold]x[/bold]\x1b[31m": rates()}, color="truecolor"))
    assert "[bold]x[/bold]" in text
    assert "\x1b[31m" not in text


def test_no_model_still_gives_a_table(show):
    assert "model" in "\n".join(show({}))


def test_near_has_a_column_only_where_it_was_asked(show):
    assert "neighbor utility" not in show({"npo": rates()})[1]
    lines = show({"npo": rates(neighbor_utility=rate(3, 4))})
    assert "neighbor" in " ".join(lines[:3])
    [row] = [line for line in lines if line.strip().startswith("npo")]
    assert cells(row)[-1].strip() == "75.0"


def test_eighty_columns_hold_two_tables_and_break_no_change(show):
    widest = rates(
        asr=success(rate(99, 100), rate(100, 100)),
        rr=Benign(before=rate(1, 3), after=rate(37, 99)),
        ir=BeforeAfter(before=rate(9, 9), after=rate(999, 1000)),
        benign_answered=Benign(before=rate(98, 99), after=rate(99, 100)),
        utility_by_category={"facts": rate(49, 50), "skills": rate(1, 1)},
        neighbor_utility=rate(9, 10),
    )
    lines = show({"sft-balanced": widest}, width=80)
    assert max(len(line) for line in lines) <= 80
    first, second = [line for line in lines if line.strip().startswith("sft-balanced")]
    assert [cell.strip() for cell in cells(first)] == [
        "sft-balanced",
        "99.0 → 100.0",
        "50.0",
        "33.3 → 37.4",
        "99.0 → 99.0",
    ]
    assert [cell.strip() for cell in cells(second)] == ["sft-balanced", "100.0 → 99.9", "98.0", "100.0", "90.0"]
    assert lines[lines.index(first) + 1].split() == ["[96–100]", "[28–47]", "[95–100]"]


def test_blocked_queries_and_cut_responses_have_columns_only_if_there_are_any(show):
    nothing = BeforeAfter(before=rate(0, 20), after=rate(0, 60))
    usual = "\n".join(show({"npo": rates(blocked=nothing, blocked_benign=nothing)}))
    assert "blocked" not in usual
    assert "cut" not in usual
    some = BeforeAfter(before=rate(0, 20), after=rate(3, 60))
    found = rates(blocked=some, blocked_benign=nothing, asr=success(rate(1, 10), replace(rate(5, 10), cut=0.124)))
    shown = " ".join(" ".join(show({"npo": found}, width=300)).split())
    assert "blocked, unsafe before → after" in shown
    assert "blocked, benign" not in shown
    assert "0.0 → 5.0" in shown
    assert "cut, unsafe before → after" in shown
    assert "cut, benign" not in shown
    assert "n/a → 12.4" in shown
    assert "blocked: declined by the system" in shown
    assert "cut: responses that the token limit" in shown


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("phrases", "not refused"),
        ("phrases + own.txt 0123abcd", "not refused"),
        ("official rule v1", "not refused"),
        ("majority of phrases, official rule v1", "not refused"),
        ("official rule v1 + qwen", "complied with"),
        ("any of phrases, exact", "complied with"),
        ("exact", "complied with"),
    ],
)
def test_asr_is_named_after_what_the_judge_sees(show, judge, said):
    shown = " ".join(" ".join(show({"npo": rates()}, width=300, judge=judge)).split())
    assert f"ASR: unsafe queries {said}" in shown
    assert ("ASR (not refused) before" in shown) is (said == "not refused")


def test_a_collapsed_model_is_marked_in_its_row(show):
    lines = show({"npo": ModelResults.of(rates(), collapsed=("loops",)), "sft": ModelResults.of(rates(), collapsed=())})
    assert [line.split("  ")[1] for line in lines if line.strip().startswith(("npo", "sft"))] == [
        "npo (collapsed)",
        "sft",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-7B-Instruct", "m" * 58])
def test_a_long_name_of_a_model_cuts_no_number_off(show, name, width):
    """rich crops a table that is too wide, and "100.0" would read "100" or "1"."""
    found = rates(
        asr=success(replace(rate(13, 13), cut=1.0), replace(rate(13, 13), cut=0.83), replace(rate(13, 13), cut=1.0))
    )
    narrow = " ".join(word for line in show({name: found}, width=width) for word in line.split())
    wide = " ".join(word for line in show({name: found}, width=1000) for word in line.split())
    assert max(len(line) for line in show({name: found}, width=width)) <= width
    for word in ("100.0", "98.0", "[77–100]", "25.0", "33.3", "12.9"):
        assert narrow.split().count(word) >= wide.split().count(word), word


def test_the_form_control_has_columns_only_if_it_was_asked(show):
    model = rates()
    with_form = replace(model, asr=replace(model.asr, by_kind={"form-control": rate(3, 8)}))
    assert "form control" not in " ".join(show({"npo": model}))
    told = " ".join(show({"npo": with_form, "sft": model}))
    assert "form control" in told
    assert "37.5" in told
