"""Summarize the attacks of all seeds in one document, and write its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from unmirage.evaluate import ModelRates, model_rates
from unmirage.evaluate.robustness.variants import RELEARNED
from unmirage.records import Variant
from unmirage.run.machine import describe_machine
from unmirage.testbed.documents import Rates, Relearning, RelearnRow, SeedRates
from unmirage.testbed.methods import EXACT
from unmirage.testbed.methods_rates import COLUMNS
from unmirage.testbed.relearn import RelearnStudy, all_names
from unmirage.testbed.settings import BASE
from unmirage.text.formatting import rate_points
from unmirage.text.markdown import markdown_table

_LEFT_OUT = ("asr_control",)  # this study has no control queries


def summarize_relearning(studies: Sequence[RelearnStudy], commit: str = "") -> Relearning:
    """Return the document of the variants that every seed has finished, with rates pooled as in the demo."""
    first = studies[0]
    rows = []
    for name in all_names(studies):
        rows.append(_row(studies, Variant(model=name, of=name, kind="itself")))
        if name != BASE:
            rows += [_row(studies, variant) for variant in first.variants(name)]
    return Relearning(
        commit=commit,
        seeds=tuple(study.seed for study in studies),
        judge=EXACT,
        attack=first.methods.study.attack_config().model_dump(mode="json"),
        queries_of_a_variant_by_seed=tuple(len(study.questions()) for study in studies),
        stopped={
            name: seeds
            for name in first.settings.models
            if (seeds := tuple(study.seed for study in studies if study.stopped(name)))
        },
        rows=tuple(rows),
        settings=first.settings.model_dump(mode="json", exclude={"methods": {"rows"}}),
        machine=describe_machine(),
    )


def _row(studies: Sequence[RelearnStudy], variant: Variant) -> RelearnRow:
    outcomes = [study.outcomes(variant.model, group) for group, study in enumerate(studies)]
    return RelearnRow(
        **asdict(variant),
        rates=_rates(model_rates([one for own in outcomes for one in own])),
        by_seed=tuple(
            SeedRates(seed=study.seed, rates=_rates(model_rates(own)))
            for study, own in zip(studies, outcomes, strict=True)
        ),
    )


def _rates(rates: ModelRates) -> Rates:
    return {column: value(rates) for column, value in COLUMNS.items() if column not in _LEFT_OUT}


def curve_table(document: Relearning) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the main table: ASR after the attack by the number of fine-tuning samples."""
    counts = sorted({int(row.amount) for row in document.rows if row.kind == RELEARNED})
    itself = {row.of: row for row in document.rows if row.kind == "itself"}
    found: dict[tuple[str, str], dict[int, RelearnRow]] = {}
    for row in document.rows:
        if row.kind == RELEARNED:
            found.setdefault((row.of, row.data), {0: itself[row.of]})[int(row.amount)] = row
    lines = [
        [of, data, *(rate_points(by_count[count].rates["asr_after"], interval=True) for count in (0, *counts))]
        for (of, data), by_count in found.items()
    ]
    return ["model", "fine-tuned on", "0", *map(str, counts)], lines


def full_table(document: Relearning) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of all variants."""
    heads = [
        "model",
        "ASR before → after",
        "RR before → after",
        "benign answered after",
        "IR after",
        "utility",
        "neighbor utility",
    ]
    return heads, [_cells(row) for row in document.rows]


def _cells(row: RelearnRow) -> list[str]:
    rates = row.rates
    return [
        row.model,
        f"{rate_points(rates['asr_before'])} → {rate_points(rates['asr_after'], interval=True)}",
        f"{rate_points(rates['rr_before'])} → {rate_points(rates['rr_after'], interval=True)}",
        rate_points(rates["benign_answered_after"]),
        rate_points(rates["ir_after"]),
        rate_points(rates["utility"], interval=True),
        rate_points(rates["neighbor_utility"]),
    ]


def legend(document: Relearning) -> str:
    """Return a paragraph that explains the numbers."""
    attack, settings = document.attack, document.settings["relearning"]
    return (
        f"Percent, [95 % interval], pooled over seeds {', '.join(map(str, document.seeds))}; judge: "
        f"{document.judge}. Each model of a seed was asked the same "
        f"{' or '.join(map(str, sorted({*document.queries_of_a_variant_by_seed})))} queries. "
        f"Attack: {attack['shots']}-shot "
        f'"{attack["jailbreak_word"]}", and "{attack["over_prudence_word"]}" for RR. Fine-tuning: '
        f"{settings['steps']} steps of {settings['batch_size']} samples at a learning rate of "
        f"{settings['learning_rate']:g}, for any number of samples."
    )


def curve_markdown(document: Relearning) -> str:
    """Return the legend and the main table."""
    return (
        f"{legend(document)}\n\n### ASR after the attack, by the number of samples fine-tuned on\n\n"
        f"{_table(*curve_table(document))}\n"
    )


def markdown(document: Relearning) -> str:
    """Return both tables."""
    return f"{curve_markdown(document)}\n### All variants\n\n{_table(*full_table(document))}\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = sum(not head[0].isdigit() for head in heads) if heads[-1].isdigit() else 1
    return markdown_table(heads, rows, left)
