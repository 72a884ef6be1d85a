"""An audit's result in, tables on the terminal out, in words that the owner of the data understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from unmirage.cli.console import out
from unmirage.cli.plain import plain

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.records import Finding

_OPENERS_SHOWN = 12
_PROBE_NAMES = {
    "majority": "nothing (guess the majority)",
    "opener": "the first word",
    "words": "all words",
    "words_without_opener": "all words but the first",
}
_LABEL_SOURCES = {
    "field": "the data's own field",
    "answer": "the answers, by a list of refusal phrases",
    "mixed": "the data's own field, or the answer where it is empty",
}


def print_audit(result: AuditResult, *, cross_validated: bool) -> None:
    """Print the headline first, then what it rests on, then what to do with it."""
    answered = result.n - result.refused
    _line(Text(_headline(result), style="bold"))
    _line("Data: ", plain(result.source), f" ({result.format}), {result.n} queries")
    _line(f"Label: {_LABEL_SOURCES[result.label_source]}; {result.refused} refused, {answered} answered")
    out.print(_openers_table(result))
    out.print(_probes_table(result, "cross-validated" if cross_validated else "test file"))
    _line("Words to try, jailbreak attack: ", *_listed(result.suggested.jailbreak))
    _line("Words to try, over-prudence attack: ", *_listed(result.suggested.over_prudence))


def _line(*parts: str | Text) -> None:
    out.print(Text.assemble(*parts), soft_wrap=True)


def _headline(result: AuditResult) -> str:
    rule = result.predictability["opener"]
    if rule.test is None or rule.baseline is None:
        return "How well the first word predicts refusal is not estimable: too few queries or pictures."
    baseline = f"(majority guess: {rule.baseline:.1%})"
    return f"The first word alone predicts refusal for {rule.test:.1%} of queries {baseline}."


def _openers_table(result: AuditResult) -> Table:
    tied = {finding.feature: finding for finding in result.findings if finding.position == "opener"}
    rest = len(result.openers) - _OPENERS_SHOWN
    table = _table("First words", caption=f"and {rest} more" if rest > 0 else None)
    table.add_column("first word")
    for name in ("refused", "answered", "% refused", "log odds", "95 % interval"):
        table.add_column(name, justify="right")
    table.add_column("tied to")
    for count in result.openers[:_OPENERS_SHOWN]:
        share = f"{100 * count.refused / (count.refused + count.answered):.1f}"
        finding = tied.get(count.opener)
        table.add_row(plain(count.opener), str(count.refused), str(count.answered), share, *_tie(finding))
    return table


def _tie(finding: Finding | None) -> tuple[str, str, str]:
    if finding is None:
        return "", "too few", ""
    direction = "" if finding.direction == "none" else finding.direction
    return f"{finding.log_odds:+.2f}", f"{finding.low:+.2f} to {finding.high:+.2f}", direction


def _probes_table(result: AuditResult, unseen: str) -> Table:
    table = _table("Queries whose label a simple rule guesses")
    table.add_column("what the rule looks at")
    table.add_column("seen", justify="right")
    table.add_column(f"unseen ({unseen})", justify="right")
    for name, accuracy in result.predictability.items():
        table.add_row(_PROBE_NAMES[name], _share(accuracy.train), _share(accuracy.test))
    return table


def _table(title: str, caption: str | None = None) -> Table:
    return Table(title=title, title_justify="left", caption=caption, box=box.SIMPLE, padding=(0, 1, 0, 0))


def _share(value: float | None) -> str:
    return "not estimable" if value is None else f"{value:.1%}"


def _listed(words: tuple[str, ...]) -> list[str | Text]:
    return [Text(", ").join(map(plain, words))] if words else ["none found"]
