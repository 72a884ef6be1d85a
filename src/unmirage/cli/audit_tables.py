"""An audit's result in, tables on the terminal out, in words that the owner of the data understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from unmirage.cli.console import out
from unmirage.cli.plain import plain

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.accuracy import Accuracy
    from unmirage.audit.suggest import AttackWord

_PROBE_NAMES = {
    "majority": "nothing (guess the majority)",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation, capitals",
    "template": "the sentence's template",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the picture's size, light, colours",
    "words_and_image": "all words, and the picture",
    "image_embedding": "the picture, as the encoder sees it",
}
_LABEL_SOURCES = {
    "field": "the data's own field",
    "answer": "the answers, by a list of refusal phrases",
    "mixed": "the data's own field, or the answer where it is empty",
}
_REMEDIES = {"balanced": "queries dropped", "diversified": "queries reworded"}


def print_audit(result: AuditResult) -> None:
    """Print the headline first, then what it rests on, then what to do with it."""
    _line(Text(_headline(result), style="bold"))
    _line("Data: ", plain(result.source), f" ({result.format}), {result.n:,} queries")
    answered = result.n - result.refused
    _line(f"Label: {_LABEL_SOURCES[result.label_source]}; {result.refused:,} refused, {answered:,} answered")
    for note in _notes(result):
        _line(note)
    out.print(_findings_table(result))
    out.print(_ladder_table(result))
    for line in _decided(result):
        _line(line)
    _line("Words to attack with, and the share of queries whose label a text probe would then turn")
    _line("  jailbreak (refused → answered): ", *_listed(result.suggested.jailbreak))
    _line("  over-prudence (answered → refused): ", *_listed(result.suggested.over_prudence))
    if result.remedies:
        out.print(_remedies_table(result))
    if result.compare:
        out.print(_compare_table(result))


def _line(*parts: str | Text) -> None:
    out.print(Text.assemble(*parts), soft_wrap=True)


def _headline(result: AuditResult) -> str:
    rule = result.predictability["opener"]
    if result.refused in (0, result.n):
        kind = "refused" if result.refused else "answered"
        return f"Not estimable: all {result.n:,} queries are {kind}, so nothing can tell the labels apart."
    if rule.test is None or rule.baseline is None:
        return "How well the first word predicts refusal is not estimable: too few queries or pictures."
    baseline = f"(majority guess: {rule.baseline:.1%})"
    return f"The first word alone predicts refusal for {rule.test:.1%} of queries {baseline}."


def _notes(result: AuditResult) -> list[Text]:
    notes = []
    if result.skipped.count:
        first = plain(result.skipped.examples[0], 160) if result.skipped.examples else Text("")
        notes.append(Text.assemble(f"Set aside: {result.skipped.count:,} records that cannot be read, first: ", first))
    check = result.label_quality
    if check:
        disagree = check.missed + check.false_alarms
        notes.append(
            Text(
                f"Label quality: field and answer disagree in {disagree:,} of {check.both:,} "
                f"({check.missed:,} refused without a refusal, {check.false_alarms:,} answered with one)"
            )
        )
    found = result.pictures
    if found:
        notes.append(Text(f"Pictures: {_pictures(result)}"))
    if result.probes.sampled:
        notes.append(Text(f"Simple rules learned from a draw of {result.probes.rows:,} queries; counts use all."))
    return notes


def _pictures(result: AuditResult) -> str:
    found = result.pictures
    assert found is not None
    if not found.read:
        return f"none of {found.named:,} found, so nothing is said about how they look (--images FOLDER)"
    parts = [f"{found.read:,} of {found.named:,} read"]
    if found.looked_at < found.named:
        parts.append(f"{found.looked_at:,} looked at")
    if found.missing:
        parts.append(f"{found.missing:,} missing")
    if found.unreadable:
        parts.append(f"{found.unreadable:,} unreadable")
    return ", ".join(parts)


def _findings_table(result: AuditResult) -> Table:
    shown = [finding for finding in result.findings if finding.headline]
    tied = sum(f.direction != "none" and f.q_value < 0.05 and f.echo_of is None for f in result.findings)
    rest = tied + result.findings_left_out - len(shown)
    caption = f"and {rest:,} more that are tied, of {result.tested:,} tested (--html, --csv, --json)"
    table = _table("Queries that …", caption=caption if rest > 0 else f"{result.tested:,} features tested")
    table.add_column("")
    for name in ("refused", "answered", "% refused"):
        table.add_column(name, justify="right")
    table.add_column("go with")
    for finding in shown:
        share = 100 * finding.refused / (finding.refused + finding.answered)
        table.add_row(
            plain(finding.text, 52), f"{finding.refused:,}", f"{finding.answered:,}", f"{share:.1f}", finding.direction
        )
    if not shown:
        table.add_row("nothing found that goes with refusal", "", "", "", "")
    return table


def _ladder_table(result: AuditResult) -> Table:
    probes = result.probes
    how = f"{probes.folds}-fold cross-validation, one picture on one side" if probes.folds else "the test file"
    table = _table("Queries whose label a simple rule guesses", caption=f"unseen: {how}")
    table.add_column("what the rule looks at")
    table.add_column("seen", justify="right")
    table.add_column("unseen", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, accuracy in result.predictability.items():
        if accuracy.test is not None or "image" not in name:
            table.add_row(_PROBE_NAMES[name], _share(accuracy.train), _share(accuracy.test), _range(accuracy))
    return table


def _range(accuracy: Accuracy) -> str:
    return "" if accuracy.low is None or accuracy.high is None else f"{accuracy.low:.1%}–{accuracy.high:.1%}"


def _decided(result: AuditResult) -> list[str]:
    decided = result.decided_by_opener
    if decided is None or decided.share.value is None:
        return []
    return [
        f"Decided by the first word alone: {decided.share.value:.1%} of queries, in which all other words "
        "point to the wrong label."
    ]


def _listed(words: tuple[AttackWord, ...]) -> list[str | Text]:
    if not words:
        return ["none found"]
    shown = [
        Text.assemble(plain(one.word), "" if one.flips.value is None else f" {one.flips.value:.0%}") for one in words
    ]
    return [Text(", ").join(shown)]


def _remedies_table(result: AuditResult) -> Table:
    table = _table("The remedies, audited again")
    table.add_column("")
    for name in ("as it is", *(_REMEDIES[name] for name in result.remedies)):
        table.add_column(name, justify="right")
    mended = result.remedies.values()
    table.add_row("queries", f"{result.n:,}", *(f"{one.n:,}" for one in mended))
    table.add_row("refused", f"{result.refused:,}", *(f"{one.refused:,}" for one in mended))
    table.add_row("dropped", "", *(f"{one.dropped:,}" for one in mended))
    table.add_row("reworded", "", *(f"{one.changed:,}" for one in mended))
    _add_rungs(table, result.predictability, [one.predictability for one in mended])
    table.add_row("written to", "", *(plain(one.file, 30) for one in mended))
    return table


def _compare_table(result: AuditResult) -> Table:
    other = result.compare
    assert other is not None
    table = _table("Two versions of the data")
    table.add_column("")
    table.add_column(plain(result.source, 30), justify="right")
    table.add_column(plain(other.source, 30), justify="right")
    table.add_row("queries", f"{result.n:,}", f"{other.n:,}")
    table.add_row("refused", f"{result.refused:,}", f"{other.refused:,}")
    _add_rungs(table, result.predictability, [other.predictability])
    table.add_row("features tied only there", f"{other.gone_n:,}", f"{other.new_n:,}")
    return table


def _add_rungs(table: Table, own: Mapping[str, Accuracy], others: list[Mapping[str, Accuracy]]) -> None:
    for name, accuracy in own.items():
        row = [accuracy, *(other.get(name) for other in others)]
        if any(one is not None and one.test is not None for one in row):
            table.add_row(_PROBE_NAMES[name], *(_share(None if one is None else one.test) for one in row))


def _table(title: str, caption: str | None = None) -> Table:
    return Table(title=title, title_justify="left", caption=caption, box=box.SIMPLE, padding=(0, 1, 0, 0))


def _share(value: float | None) -> str:
    return "not estimable" if value is None else f"{value:.1%}"
