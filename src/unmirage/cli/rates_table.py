"""The table of rates for the terminal: one row per model, before and after the attack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from unmirage.cli.console import plain
from unmirage.evaluate import BeforeAfter, ModelRates, Results
from unmirage.evaluate.compare import holm
from unmirage.evaluate.correction import Corrected
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.named_rates import all_rates
from unmirage.evaluate.relevance import Relevance
from unmirage.intervals import Mean
from unmirage.records import NOT_MEASURED, Kind, Rate
from unmirage.text.formatting import (
    NOT_ESTIMABLE,
    clustering,
    complied,
    largest_effect,
    points,
    rate_points,
    sees_only_refusals,
    utility_columns,
    with_interval,
)

_WIDE, _CHANGE = 100, len("98.1 → 100.0")
_LEAST_SHOWN = 0.0005  # smaller shares read 0.0
Column = tuple[str, Callable[[ModelRates], str]]  # header, and function that returns a model's cell


def rates_table(results: Results, width: int) -> RenderableType:
    """Return the table: shares in percent, with the 95 % interval of an attacked rate beside or below it.

    It includes utility if harmless questions were asked. A terminal too narrow for one table gets several.

    Args:
        results: results of all models.
        width: width of the terminal, in characters.
    """
    groups: list[list[Column]] = []
    for columns in filter(None, _columns(results)):
        if groups and _fits(_table(results, [*groups[-1], *columns], width), width):
            groups[-1] += columns
        else:
            groups.append(columns)
    tables = [table for columns in groups for table in _split(results, columns, width)]
    return Group(*tables, Text(_caption(results), style="dim"))


def _split(results: Results, columns: Sequence[Column], width: int) -> Iterator[Table]:
    """Yield the columns in as few tables as fit; a column that does not fit alone shortens the models' names."""
    while columns:
        tables = {count: _table(results, columns[:count], width) for count in range(len(columns), 0, -1)}
        count = next((count for count, table in tables.items() if _fits(table, width)), 1)
        if not _fits(tables[count], width):
            tables[count].columns[0].min_width = tables[count].columns[0].max_width = width // 2
        yield tables[count]
        columns = columns[count:]


def _fits(table: Table, width: int) -> bool:
    """Return whether no line of a table is longer than the terminal, which would cut numbers off."""
    console = Console(width=width)
    lines = Segment.split_lines(console.render(table))
    return all(Segment.get_line_length(line) <= width for line in lines)


def _table(results: Results, columns: Sequence[Column], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=width < _WIDE)
    names = {
        name: plain(f"{name}{' (collapsed)' if rates.collapsed else ''}") for name, rates in results.models.items()
    }
    table.add_column("model", no_wrap=True, min_width=max(map(len, names.values()), default=0))
    cells = [[cell(rates) for _, cell in columns] for rates in results.models.values()]
    for place, (head, _) in enumerate(columns):
        # Break a long cell between a change and its interval, and no word: rich would cut it off.
        words = " ".join([head, *(row[place] for row in cells)]).split()
        table.add_column(head, justify="right", min_width=max(_CHANGE if "→" in head else 0, *map(len, words)))
    for name, row in zip(names.values(), cells, strict=True):
        table.add_row(name, *row)
    return table


def _columns(results: Results) -> tuple[list[Column], ...]:
    """Return the columns of all rates; each list may go to a table of its own."""
    harmless, apart = _harmless(results), _apart(results)
    if not results.attack:
        plainly: list[Column] = [
            (_asr(results), lambda rates: rate_points(rates.asr.before, interval=True)),
            ("RR", lambda rates: rate_points(rates.rr.before, interval=True)),
            ("benign answered", lambda rates: rate_points(rates.benign_answered.before, interval=True)),
            ("IR", lambda rates: rate_points(rates.ir.before, interval=True)),
        ]
        return plainly, harmless, _relevance(results), apart
    attack: Mapping[str, Any] = results.attack
    prudent = f"before → after {_attack(attack['over_prudence_word'])}"
    main: list[Column] = [
        (
            f"{_asr(results)} before → after {attack['shots']}-shot {_attack(attack['jailbreak_word'])}",
            lambda rates: _change(rates.asr, interval=True),
        ),
        ("control", lambda rates: rate_points(rates.asr.control)),
        *_form_control(results, "form control", lambda rates: rates.asr.by_kind),
        (f"RR {prudent}", lambda rates: _change(rates.rr, interval=True)),
        *_form_control(results, "RR form control", lambda rates: rates.rr.by_kind),
        (f"benign answered {prudent}", lambda rates: _change(rates.benign_answered, interval=True)),
    ]
    return main, [("IR before → after", lambda rates: _change(rates.ir)), *harmless], _relevance(results), apart


def _relevance(results: Results) -> list[Column]:
    """Return columns for the relevance of benign responses, if a sentence encoder measured it."""
    if all(_relevance_of(rates) is None for rates in results.models.values()):
        return []
    return [
        ("relevance", lambda rates: _cosine(_relevance_of(rates))),
        ("relevance, answered", lambda rates: _cosine(found.answered if (found := _relevance_of(rates)) else None)),
    ]


def _relevance_of(rates: ModelRates) -> Relevance | None:
    return rates.relevance if isinstance(rates, ModelResults) else None


def _cosine(found: Mean | None) -> str:
    if found is None or found.value is None:
        return NOT_ESTIMABLE
    interval = "" if found.low is None or found.high is None else f" [{found.low:.2f}–{found.high:.2f}]"
    return f"{found.value:.2f}{interval}"


def _form_control(results: Results, name: str, pick: Callable[[ModelRates], Mapping[str, Rate]]) -> list[Column]:
    """Return the column of the form control, if any model was asked its queries."""
    if not any(Kind.FORM_CONTROL in pick(model) for model in results.models.values()):
        return []
    return [(name, lambda rates: rate_points(pick(rates).get(Kind.FORM_CONTROL, NOT_MEASURED)))]


def _asr(results: Results) -> str:
    return "ASR (not refused)" if sees_only_refusals(results.judge) else "ASR"


def _apart(results: Results) -> list[Column]:
    """Return columns for queries that the system declined, and for responses that were cut off, if there are any."""
    picks: dict[str, Callable[[ModelRates], tuple[float | None, float | None]]] = {
        "blocked, unsafe": lambda rates: (rates.blocked.before.value, rates.blocked.after.value),
        "blocked, benign": lambda rates: (rates.blocked_benign.before.value, rates.blocked_benign.after.value),
        "cut, unsafe": lambda rates: (rates.asr.before.cut, rates.asr.after.cut),
        "cut, benign": lambda rates: (rates.rr.before.cut, rates.rr.after.cut),
    }
    return [
        (f"{name} before → after", lambda rates, pick=pick: " → ".join(map(points, pick(rates))))  # type: ignore[misc]
        if results.attack
        else (name, lambda rates, pick=pick: points(pick(rates)[0]))  # type: ignore[misc]
        for name, pick in picks.items()
        if any((share or 0) >= _LEAST_SHOWN for rates in results.models.values() for share in pick(rates))
    ]


def _attack(word: str | None) -> str:
    """Return the word of an attack in quotes; an attack of another program may have none."""
    return f'"{word}"' if word else "attack"


def _harmless(results: Results) -> list[Column]:
    """Return columns for utility (one per category, if there are any) and for neighbor utility, if asked."""
    models = results.models.values()
    found: list[Column] = []
    categories = utility_columns(list(dict.fromkeys(name for one in models for name in one.utility_by_category)))
    for name in categories:
        found.append((name, lambda rates, name=name: _percent_or_nothing(rates.utility_by_category.get(name))))  # type: ignore[misc]
    if not categories and any(one.utility.n for one in models):
        found.append(("utility", lambda rates: rate_points(rates.utility)))
    if any(one.neighbor_utility.n for one in models):
        found.append(("neighbor utility", lambda rates: rate_points(rates.neighbor_utility)))
    return found


def scores_table(results: Results) -> Table:
    """Return the mean benchmark scores, one row per model."""
    title = results.suite.name if results.suite else "scores"
    groups = (mean.groups for one in results.models.values() for mean in one.scores.values())
    by = clustering(results.clustered_by, groups)
    table = Table(box=box.SIMPLE_HEAD, caption=f"percent, [95 % interval, {by}]", caption_style="dim")
    table.add_column("model", no_wrap=True)
    scorers = list(dict.fromkeys(scorer for one in results.models.values() for scorer in one.scores))
    for scorer in scorers:
        table.add_column(f"{title}: {scorer}", justify="right")
    table.add_column("n", justify="right")
    for name, found in results.models.items():
        counts = {one.n for one in found.scores.values()}
        table.add_row(
            plain(name),
            *(_score(found.scores.get(scorer)) for scorer in scorers),
            str(max(counts, default=0)),
        )
    return table


def _score(found: Mean | None) -> str:
    return NOT_ESTIMABLE if found is None else with_interval(found.value, found.low, found.high)


def _caption(results: Results) -> str:
    said = [f"ASR: unsafe queries {complied(results.judge)} · RR: benign queries refused"]
    if sees_only_refusals(results.judge):
        said.append("benign answered: not refused (this judge sees only refusals and degenerate responses)")
    else:
        said.append("benign answered: benign queries complied with (after: with all shots)")
    said.append("IR: irrelevant responses to unsafe queries")
    if _relevance(results):
        said.append(
            "relevance: mean cosine of benign queries and their responses, before the attack "
            "(answered: without refused, blocked and empty responses)"
        )
    apart = " ".join(head for head, _ in _apart(results))
    if "blocked" in apart:
        said.append("blocked: declined by the system, by a content filter or in a refusal field")
    if "cut" in apart:
        said.append("cut: responses that the token limit or a content filter cut off")
    columns = [head for head, _ in _harmless(results)]
    parts = [head for head in columns if head not in ("utility", "neighbor utility")]
    if parts:
        said.append(f"{', '.join(parts)}: utility, by part")
    if "neighbor utility" in columns:
        said.append("neighbor utility: right answers to harmless questions about the subjects of the forget set")
    rates = [rate for model in results.models.values() for _, rate in all_rates(model)]
    by = clustering(results.clustered_by, (one.clusters for one in rates))
    said.append(f"percent, [95 % interval{f', {by}' if by else ''}]")
    effect = largest_effect(one.design_effect for one in rates)
    seeds = ", ".join(map(str, results.seeds))
    said.append(" · ".join(filter(None, (effect, f"judge: {results.judge}, seeds: {seeds}"))))
    return "\n".join(said)


def _change(pair: BeforeAfter, *, interval: bool = False) -> str:
    return f"{rate_points(pair.before)} → {rate_points(pair.after, interval=interval)}"


def _percent_or_nothing(rate: Rate | None) -> str:
    return NOT_ESTIMABLE if rate is None else rate_points(rate)


_SIGNIFICANT = 0.05


def notes(results: Results) -> Iterator[str]:
    """Yield lines on warnings, collapsed models, rates beyond the table, irrelevant responses, judges and tests."""
    yield from (f"warning: {line}" for line in results.warnings)
    yield from _collapsed(results)
    yield from _corrected(results)
    yield from _graded(results)
    yield from _irrelevant(results)
    yield from _judges(results)
    yield from _compared(results)


def _collapsed(results: Results) -> Iterator[str]:
    for name, found in results.models.items():
        if found.collapsed:
            why = "; ".join(found.collapsed)
            yield f"collapsed: {plain(name)}. Its ASR does not measure safety, because it {why}"


def _corrected(results: Results) -> Iterator[str]:
    for name, found in results.models.items():
        if found.corrected:
            rates = ", ".join(
                f"{rate}.{when} {_corrected_rate(one)}"
                for rate, own in found.corrected.items()
                for when, one in own.items()
            )
            assumed = f" (assumes that the {found.invalid} missing verdicts are missing at random)"
            yield f"{plain(name)}, corrected for the judge's errors{assumed if found.invalid else ''}: {rates}"


def _graded(results: Results) -> Iterator[str]:
    for name, found in results.models.items():
        for judge, one in (found.graded or {}).items():
            means = {"before": one.before, "after": one.after, "per shot": one.per_shot, "control": one.control}
            shown = ", ".join(f"{when} {_score(mean)}" for when, mean in means.items() if mean.n)
            missing = f" ({one.missing} without a grade)" if one.missing else ""
            what = f"graded harm of responses to unsafe queries (0 to 100) by {plain(judge)}"
            yield f"{plain(name)}, {what}: {shown}{missing}"


def _corrected_rate(found: Corrected) -> str:
    if not found.identifiable:
        return f"not identifiable ({found.why})"
    return with_interval(found.value, found.low, found.high)


def _irrelevant(results: Results) -> Iterator[str]:
    for name, found in results.models.items():
        if found.irrelevant_responses is not None:
            shares = ", ".join(
                f"{kind} {_one_percent(one)}" for kind, one in found.irrelevant_responses.shares.items() if one.k
            )
            unsafe = found.irrelevant_responses.n
            yield f"{plain(name)}, irrelevant responses to {unsafe} unsafe queries, by kind: {shares}"


def _judges(results: Results) -> Iterator[str]:
    for name, one in results.judges.items():
        if one.precision and one.recall and one.complied_precision:
            yield (
                f"judge {plain(name)} against {plain(results.judge)}: refused: precision "
                f"{_one_percent(one.precision)}, recall {_one_percent(one.recall)}; complied: precision "
                f"{_one_percent(one.complied_precision)}"
            )
    for name, one in results.judges.items():
        if found := one.canaries:
            yield (
                f"judge {plain(name)} under attack: {_one_percent(found.flip_rate)} of {found.flip_rate.n} verdicts "
                f"flip; correct on {found.right.k:g} of {found.right.n} plain cases"
            )


def _compared(results: Results) -> Iterator[str]:
    tests = [one for one in results.comparisons if one.p_holm is not None]
    if tests:
        found = _significant(one.p_holm for one in tests)
        yield (
            f"{len(tests)} paired differences, {found} with p < {_SIGNIFICANT} (exact test, Holm over all): "
            "results.json, comparisons"
        )
    if any(one.left_out for one in tests):
        lacking = sum(one.left_out for one in tests)
        sure = _significant(holm([one.p_value if one.p_most is None else one.p_most for one in tests]))
        yield (
            f"paired differences leave out {lacking} pairs with a missing verdict and assume that they are missing at "
            f"random; for any verdicts on these pairs, {sure} have p < {_SIGNIFICANT}"
        )


def _significant(p_values: Iterable[float | None]) -> int:
    return sum(one is not None and one < _SIGNIFICANT for one in p_values)


def _one_percent(rate: Rate) -> str:
    return NOT_ESTIMABLE if rate.value is None else f"{points(rate.value)} %"
