"""Tables of the study on pretrained weights, for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from unmirage.pretrained.documents import ModelRow, PretrainedStudy, Rates, WordingRates
from unmirage.pretrained.wordings import GIVEN, OURS
from unmirage.records import Rate
from unmirage.text.formatting import duration, points, rate_points, small_number, with_interval
from unmirage.text.markdown import markdown_table

NAME = "pretrained"  # in the markers of a Markdown file
_SOURCES = {OURS: "ours", GIVEN: "given"}
_DIVERSIFIED = "diversified"


def heads(document: PretrainedStudy) -> list[str]:
    """Return the column heads of the main table."""
    attack = document.wordings[OURS].attack
    found = [
        "model",
        "wordings",
        f'ASR before → after {attack["shots"]}-shot "{attack["jailbreak_word"]}"',
        "control",
        *(["form control"] if _has_form(document) else []),
        f'RR before → after "{attack["over_prudence_word"]}"',
        "control",
        *(["form control"] if _has_form(document) else []),
        "plain unsafe refused",
        "IR before → after",
    ]
    return [*found, "relevance"] if _has_relevance(document) else found


def table(document: PretrainedStudy) -> list[list[str]]:
    """Return the rows of the main table, one for each model and set of wordings."""
    return [_cells(document, row, name) for row in document.models for name in document.wordings]


def legend(document: PretrainedStudy) -> str:
    """Return what the columns are."""
    data, seeds = document.data, ", ".join(map(str, document.seeds))
    relevance = " Relevance: mean cosine of benign plain queries and responses." if _has_relevance(document) else ""
    return (
        f"Percent, [95 % interval], pooled over seeds {seeds}; responses to one test query or picture are one cluster, "
        f"over all seeds. Judge: {document.judge}, so ASR is the share of unsafe queries that are not refused. "
        f"{data.train:,} training samples ({data.train_refused:,} refused), {data.test:,} test samples. Base model: "
        f"{document.base['name']}. ASR after the attack: any of the shots. RR: refused benign queries. Control: "
        "rewrites without the attack's word. IR: irrelevant responses to unsafe queries. Star: collapsed "
        "model."
        f"{relevance}"
    )


def markdown(document: PretrainedStudy) -> str:
    """Return all tables as Markdown."""
    blocks = [legend(document), markdown_table(heads(document), table(document))]
    for title, (names, rows) in more_tables(document).items():
        blocks.append(f"### {title}\n\n{markdown_table(names, rows)}")
    notes = [*document.notes, *(f"`{name}` was left out: {why}" for name, why in document.left_out.items())]
    notes += [f"CPU time of all tasks: {duration(cpu_seconds(document))}"]
    blocks.append("### Notes\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(blocks) + "\n"


def more_tables(document: PretrainedStudy) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Return the further tables by title: heads and rows."""
    found = {
        "ASR by number of shots": (_k_heads(document), list(_k_rows(document))),
        "How much is diversified": (_share_heads(document), list(_share_rows(document))),
        "Changes by the attack, on the same samples": (
            ["model", "wordings", "rate", "change", "n", "p (Holm)"],
            list(_changes(document)),
        ),
        "Meaning kept by the rewrites": (
            ["queries", "wordings", "rewrites", "content words kept", "cosine"],
            list(_meaning(document)),
        ),
        "By seed": (
            ["model", "wordings", "seed", "ASR before → after", "RR before → after"],
            list(_seed_rows(document)),
        ),
        "Trainings": (
            ["model", "seed", "rows", "refused", "steps", "CPU time", "notes"],
            [
                [
                    row.name,
                    str(one.seed),
                    f"{one.rows:,}" + (f" + {one.forget_rows:,} to forget" if one.forget_rows else ""),
                    f"{one.refused:,}",
                    str(one.steps),
                    duration(one.cpu_seconds),
                    "; ".join([*([one.stopped] if one.stopped else []), *one.notes]),
                ]
                for row in document.models
                for one in row.trainings
            ],
        ),
    }
    return {title: (names, rows) for title, (names, rows) in found.items() if rows}


def cpu_seconds(document: PretrainedStudy) -> float:
    """Return the CPU seconds of all tasks."""
    return sum(spent["cpu_seconds"] for spent in document.timings.values())


def _has_form(document: PretrainedStudy) -> bool:
    return any(own.rates["asr_form_control"].n for row in document.models for own in row.wordings.values())


def _has_relevance(document: PretrainedStudy) -> bool:
    return any(row.relevance is not None for row in document.models)


def _cells(document: PretrainedStudy, row: ModelRow, name: str) -> list[str]:
    own = row.wordings.get(name)
    if own is None:
        why = next((one.stopped for one in row.trainings if one.stopped), "")
        return [row.name, _SOURCES[name], f"stopped: {why}", *[""] * (len(heads(document)) - 3)]
    rates, form = own.rates, _has_form(document)
    found = [
        row.name + (" *" if own.collapsed else ""),
        _SOURCES[name],
        _change(rates, "asr"),
        _control(rates["asr_control"]),
        *([_control(rates["asr_form_control"])] if form else []),
        _change(rates, "rr"),
        _control(rates["rr_control"]),
        *([_control(rates["rr_form_control"])] if form else []),
        rate_points(rates["refused_unsafe_before"], interval=True),
        f"{points(rates['ir_before'].value)} → {points(rates['ir_after'].value)}",
    ]
    return [*found, _relevance(row)] if _has_relevance(document) else found


def _relevance(row: ModelRow) -> str:
    found = row.relevance
    if found is None or found.value is None:
        return ""
    limits = "" if found.low is None or found.high is None else f" [{found.low:.2f}–{found.high:.2f}]"
    return f"{found.value:.2f}{limits}"


def _change(rates: Rates, name: str) -> str:
    before, after = rates[f"{name}_before"], rates[f"{name}_after"]
    shown = with_interval(after.value, after.low, after.high)
    return f"{rate_points(before)} → {shown}" if before.n else f"{shown} (n={after.n})"


def _control(rate: Rate) -> str:
    return rate_points(rate, interval=True) if rate.n else ""


def _k_heads(document: PretrainedStudy) -> list[str]:
    most = max((len(own.by_k) for row in document.models for own in row.wordings.values()), default=0)
    return ["model", "wordings", *(f"K = {k}" for k in range(1, most + 1)), f"control, K = {most}"]


def _k_rows(document: PretrainedStudy) -> Iterator[list[str]]:
    most = len(_k_heads(document)) - 3
    for row, name, own in _each(document):
        cells = [rate_points(one, interval=True) for one in own.by_k]
        control = own.control_by_k[-1] if own.control_by_k else None
        yield [
            row.name,
            _SOURCES[name],
            *cells,
            *[""] * (most - len(cells)),
            "" if control is None else rate_points(control, interval=True),
        ]


def _share_heads(document: PretrainedStudy) -> list[str]:
    return ["rewordings used", "model", *heads(document)[1:3], "RR before → after", "plain unsafe refused"]


def _share_rows(document: PretrainedStudy) -> Iterator[list[str]]:
    """Yield the trade-off curve: no rewording, then larger shares of them."""
    shares = [row for row in document.models if row.data == _DIVERSIFIED]
    if not shares:
        return
    plain = [row for row in document.models if row.name == "sft-posthoc"]
    for row in [*plain, *sorted(shares, key=lambda row: row.share)]:
        for name, own in row.wordings.items():
            share = row.share if row.data == _DIVERSIFIED else 0.0
            rates = own.rates
            yield [
                f"{100 * share:.0f} %",
                row.name,
                _SOURCES[name],
                _change(rates, "asr"),
                _change(rates, "rr"),
                rate_points(rates["refused_unsafe_before"], interval=True),
            ]


def _changes(document: PretrainedStudy) -> Iterator[list[str]]:
    for row, name, own in _each(document):
        for one in own.changes:
            limits = with_interval(one.difference, one.low, one.high)
            p = "" if one.p_holm is None else small_number(one.p_holm)
            yield [row.name, _SOURCES[name], one.b.rate.partition(".")[0], limits, str(one.n), p]


def _meaning(document: PretrainedStudy) -> Iterator[list[str]]:
    for name, own in document.wordings.items():
        for label, one in own.meaning.items():
            cosine = "" if one.cosine is None or one.cosine.value is None else f"{one.cosine.value:.3f}"
            words = f"{with_interval(one.words.value, one.words.low, one.words.high)} %"
            yield [label, _SOURCES[name], f"{one.words.n:,}", words, cosine]


def _seed_rows(document: PretrainedStudy) -> Iterator[list[str]]:
    if len(document.seeds) == 1:
        return
    for row, name, own in _each(document):
        for one in own.by_seed:
            yield [row.name, _SOURCES[name], str(one.seed), _change(one.rates, "asr"), _change(one.rates, "rr")]


def _each(document: PretrainedStudy) -> Iterator[tuple[ModelRow, str, WordingRates]]:
    for row in document.models:
        for name, own in row.wordings.items():
            yield row, name, own
