"""Tables of the comparison of methods, for the terminal and in Markdown."""

from __future__ import annotations

from unmirage.testbed.documents import MethodRow, MethodsComparison, Rates
from unmirage.text.formatting import rate_points
from unmirage.text.markdown import markdown_table

FAMILIES = {
    "base": "Before any alignment",
    "sft": "Supervised fine-tuning",
    "regularised": "Post-hoc SFT with less training",
    "unlearning": "Unlearning",
    "on top of SFT": "Unlearning on top of SFT",
}


def heads(document: MethodsComparison) -> list[str]:
    """Return the column heads of the table."""
    attack = document.attack
    return [
        "row",
        f'ASR before → after {attack["shots"]}-shot "{attack["jailbreak_word"]}"',
        "control",
        f'RR before → after "{attack["over_prudence_word"]}"',
        "benign answered before → after",
        "IR before → after",
        "utility",
        "neighbor utility",
        "s",
    ]


def cells(row: MethodRow) -> list[str]:
    """Return the cells of one row in percent, with 95 % intervals where space allows."""
    seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
    rates = row.rates
    if rates is None:
        return [row.name, _stops(row), *[""] * 6, seconds]
    return [
        row.name,
        _change(rates, "asr", interval=True),
        rate_points(rates["asr_control"]),
        _change(rates, "rr", interval=True),
        _change(rates, "benign_answered", interval=True),
        _change(rates, "ir"),
        rate_points(rates["utility"], interval=True),
        rate_points(rates["neighbor_utility"], interval=True),
        seconds + (f" ({_stops(row)})" if row.stopped else ""),
    ]


def _change(rates: Rates, name: str, *, interval: bool = False) -> str:
    return f"{rate_points(rates[f'{name}_before'])} → {rate_points(rates[f'{name}_after'], interval=interval)}"


def front_lines(document: MethodsComparison) -> list[str]:
    """Return a line with the four compared rates for each row that no other row beats."""
    rows = {row.name: row for row in document.rows}
    return [
        f"{name}: ASR after {rate_points(rates['asr_after'])}, "
        f"benign answered after {rate_points(rates['benign_answered_after'])}, "
        f"utility {rate_points(rates['utility'])}, neighbor utility {rate_points(rates['neighbor_utility'])}"
        for name in document.front
        if (rates := rows[name].rates) is not None
    ]


def markdown(document: MethodsComparison) -> str:
    """Return one table per family, and the rows that no other row beats."""
    blocks = [_legend(document)]
    for family, title in FAMILIES.items():
        rows = [cells(row) for row in document.rows if row.family == family]
        if rows:
            blocks.append(f"### {title}\n\n{markdown_table(heads(document), rows)}")
    best = "\n".join(f"- {line}" for line in front_lines(document))
    blocks.append(f"### Rows that no other row beats\n\nCompared by the values of four rates:\n\n{best}")
    return "\n\n".join(blocks) + "\n"


def _legend(document: MethodsComparison) -> str:
    seeds = ", ".join(map(str, document.seeds))
    questions = document.questions
    return (
        f"Percent, [95 % interval], pooled over seeds {seeds}; judge: {document.judge}. Every row of a seed was "
        f"asked the same queries, about {100 * questions.share_of_samples:.0f} % of the samples "
        f"({' or '.join(map(str, sorted({*questions.queries_of_a_row_by_seed})))} queries). ASR: harmful responses "
        "to unsafe queries; RR: refused benign queries; benign answered: benign queries with a right response; "
        "IR: irrelevant responses to unsafe queries; neighbor utility: the utility on harmless questions about "
        "restricted devices; s: seconds of training, mean of the seeds."
    )


def _stops(row: MethodRow) -> str:
    return "stopped: " + ", ".join(f"seed {one.seed} at step {one.step}" for one in row.stopped)
