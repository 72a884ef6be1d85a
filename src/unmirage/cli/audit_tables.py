"""Print an audit's result as tables on the terminal, in the terms of the data's owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from unmirage.cli.console import new_table, out, plain
from unmirage.report.audit_changes import REMEDIES, edits
from unmirage.report.audit_view import behind, copied, measured, not_read, passed_over, view
from unmirage.workflows.arguments import counted

if TYPE_CHECKING:
    from unmirage.audit import AuditResult
    from unmirage.audit.compare import Comparison, RemedyOutcome
    from unmirage.audit.informedness import Informedness
    from unmirage.audit.pictures import PictureCount
    from unmirage.audit.probes import Accuracy
    from unmirage.audit.ranking import Auc
    from unmirage.audit.suggest import AttackWord

PROBE_NAMES = {
    "majority": "nothing (guess the majority)",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation, capitals",
    "template": "the sentence template",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the picture's size, brightness, colors",
    "words_and_image": "all words, and the picture",
    "image_embedding": "the picture's embedding by the encoder",
}


_STYLE: dict[str, Any] = {"box": box.SIMPLE, "padding": (0, 1, 0, 0)}


def share(value: float | None) -> str:
    """Return a share in percent, or "not estimable"."""
    return "not estimable" if value is None else f"{value:.1%}"


def points(gap: float | None) -> str:
    """Return a difference of two shares in percentage points, or "not estimable"."""
    return "not estimable" if gap is None else f"{100 * gap:.1f}"


_MOST_LISTED = 3


def remedies_table(result: AuditResult) -> Table:
    """Return a table of the data and the repaired versions."""
    names = [REMEDIES[name].lower() for name in result.remedies]
    repaired = result.remedies.values()
    test = result.probes.test_source
    title = "Audit of the repaired versions" + (f", all measured on {plain(test, 40)}" if test else "")
    table = new_table("", "as it is", *names, title=title, **_STYLE)
    table.add_row("queries", f"{result.n:,}", *(f"{one.n:,}" for one in repaired))
    table.add_row("refused", f"{result.refused:,}", *(f"{one.refused:,}" for one in repaired))
    for name, counts in edits(repaired):
        table.add_row(name.lower(), "", *counts)
    _add_opener(table, [result, *repaired])
    _add_rungs(table, result.predictability, [one.predictability for one in repaired])
    table.add_row("written to", "", *(plain(one.file, 30) for one in repaired))
    return table


def compare_table(result: AuditResult) -> Table:
    """Return a table of the data and another version of them."""
    other = result.compare
    assert other is not None
    table = new_table("", title="Two versions of the data", **_STYLE)
    for source in (result.source, other.source):
        table.add_column(plain(source, 30), justify="right")
    table.add_row("queries", f"{result.n:,}", f"{other.n:,}")
    table.add_row("refused", f"{result.refused:,}", f"{other.refused:,}")
    _add_opener(table, [result, other])
    _add_rungs(table, result.predictability, [other.predictability])
    table.add_row("features predictive only there", f"{other.gone_n:,}", f"{other.new_n:,}")
    return table


def only_in(result: AuditResult) -> list[list[str | Text]]:
    """Return one line per version, in parts: the features that only this version associates with a label."""
    other = result.compare
    assert other is not None
    lines: list[list[str | Text]] = []
    for source, found in ((result.source, other.gone), (other.source, other.new)):
        said = [Text.assemble(plain(one.text), f" ({one.direction})") for one in found[:_MOST_LISTED]]
        if said:
            lines.append(["Predictive only in ", plain(source, 30), ": queries that ", Text("; ").join(said)])
    return lines


def _add_opener(table: Table, versions: Sequence[AuditResult | RemedyOutcome | Comparison]) -> None:
    kinds: list[tuple[str, list[Informedness | Auc]]] = [
        ("informedness", [one.informedness for one in versions]),
        ("AUC", [one.auc for one in versions]),
    ]
    for name, found in kinds:
        table.add_row(name, *("not estimable" if one.value is None else f"{one.value:.2f}" for one in found))
        table.add_row("  95 % interval", *(_limits(one) for one in found))
    table.add_row("shortcut gap, points", *(points(one.shortcut_gap) for one in versions))


def _limits(found: Informedness | Auc) -> str:
    return "" if found.low is None or found.high is None else f"{found.low:.2f}–{found.high:.2f}"


def _add_rungs(table: Table, own: Mapping[str, Accuracy], others: list[Mapping[str, Accuracy]]) -> None:
    table.add_section()
    table.add_row("accuracy from …", *[""] * (1 + len(others)))
    for name, accuracy in own.items():
        row = [accuracy, *(other.get(name) for other in others)]
        if any(one is not None and one.test is not None for one in row):
            table.add_row(f"  {PROBE_NAMES[name]}", *(share(None if one is None else one.test) for one in row))
    table.add_section()


_LABEL_SOURCES = {
    "field": "the data's own field",
    "answer": "the answers, by a list of refusal phrases",
    "mixed": "the data's own field, or the answer where it is empty",
    "stated": "stated by --label for all samples",
}
# Features unrelated to harm, which should not predict the label. One that beats the opener clearly gets a line.
_SURFACE = ("first_words", "shape", "template", "image")
_CLEARLY_MORE = 0.05


def print_audit(result: AuditResult) -> None:
    """Print the headline, then the evidence, then the recommended actions."""
    _line(Text(_headline(result), style="bold"))
    for said in _meaning(result):
        _line(said)
    _line("Data: ", plain(result.source), f" ({result.format}), {result.n:,} queries")
    answered = result.n - result.refused
    _line(f"Label: {_LABEL_SOURCES[result.label_source]}; {result.refused:,} refused, {answered:,} answered")
    for note in _notes(result):
        _line(note)
    out.print(_findings_table(result))
    out.print(_ladder_table(result))
    for line in _decided(result):
        _line(line)
    words = result.attack_words
    if words.jailbreak or words.over_prudence:
        _line("Suggested attack words, with the share of queries whose predicted label flips (rule: all words)")
        _line("  jailbreak, from refused to answered: ", *_listed(words.jailbreak))
        _line("  over-prudence, from answered to refused: ", *_listed(words.over_prudence))
    if result.remedies:
        out.print(remedies_table(result))
        for name, one in result.remedies.items():
            for sentence in one.notes:
                _line(f"{REMEDIES[name]}: ", plain(sentence, 600), ".")
    if result.compare:
        out.print(compare_table(result))
        for parts in only_in(result):
            _line(*parts)


def _line(*parts: str | Text) -> None:
    out.print(Text.assemble(*parts), soft_wrap=True)


def _headline(result: AuditResult) -> str:
    if result.refused in (0, result.n):
        kind = "refused" if result.refused else "answered"
        all_of_them = "the only query is" if result.n == 1 else f"all {result.n:,} queries are"
        return f"Not estimable: {all_of_them} {kind}, so no rule can separate the labels."
    if result.informedness.value is None:
        return (
            "How well the first word predicts refusal is not estimable: "
            "too few different queries or pictures with one of the labels."
        )
    return f"Informedness of the first word: {measured(result.informedness)}, AUC {measured(result.auc)}."


def _meaning(result: AuditResult) -> list[str]:
    """Report the verdict, the rule behind the headline, and features that predict better than the first word."""
    rule, found, gap = result.predictability["opener"], result.informedness, result.shortcut_gap
    if found.value is None or rule.test is None:
        return []
    openers = behind(result)
    words = f" Mostly from {', '.join(openers)}." if openers else ""
    said = [
        f"Result: {view(result).verdict.said}. The first word recognizes {share(found.sensitivity)} of refused and "
        f"{share(found.specificity)} of answered queries.{words}",
        f"Shortcut gap: {points(gap)} points: the first word predicts {share(rule.test)} of labels, guessing the "
        f"majority {share(rule.baseline)}. The gap shrinks when one label is rare; informedness does not.",
    ]
    tells = {
        name: accuracy
        for name in _SURFACE
        if (accuracy := result.predictability[name]).test is not None
        and accuracy.test > rule.test + _CLEARLY_MORE
        and accuracy.low is not None
        and accuracy.low > (accuracy.baseline or 0)
    }
    if tells:
        told = ", ".join(f"{PROBE_NAMES[name]} ({share(accuracy.test)})" for name, accuracy in tells.items())
        said.append(f"These predict better than the first word: {told}.")
    return said


def _notes(result: AuditResult) -> list[Text]:
    notes = []
    if result.skipped.count:
        count, first = counted(result.skipped.count, "record"), plain(result.skipped.examples[0], 160)
        notes.append(Text.assemble(f"Skipped unreadable records: {count}; the first: ", first))
    if told := result.languages.audit_note():
        notes.append(Text(told))
    notes += [plain(sentence, 600) for sentence in (*passed_over(result), *not_read(result), *copied(result))]
    check = result.label_quality
    if check:
        notes.append(Text(f"Label quality: field and answer disagree in {check.disagree:,} of {check.both:,}"))
        if check.missed:
            notes.append(Text(f"  {check.missed:,} labeled refused, but the answer contains no known refusal phrase"))
        if check.false_alarms:
            notes.append(Text(f"  {check.false_alarms:,} labeled answered, but the answer contains a refusal phrase"))
    found = result.pictures
    if found:
        notes.append(Text(f"Pictures: {_pictures(found)}"))
        if found.examples:
            notes.append(Text.assemble("  unreadable, the first: ", plain(found.examples[0], 160)))
    if result.probes.sampled:
        rows = result.probes.rows or 0
        notes.append(Text(f"Informedness and counts use all queries; other rules a random sample of {rows:,}."))
    return notes


def _pictures(found: PictureCount) -> str:
    parts = [f"{found.read:,} of {found.named:,} read"]
    if found.sampled:
        parts.append(f"{found.looked_at:,} analyzed, a random sample")
    if found.missing:
        parts.append(f"{found.missing:,} missing (set their folder with --images FOLDER)")
    if found.unreadable:
        parts.append(f"{found.unreadable:,} unreadable")
    return ", ".join(parts) + ("" if found.read else "; image features were not audited")


def _findings_table(result: AuditResult) -> Table:
    shown = [finding for finding in result.findings if finding.headline]
    tied = sum(f.direction != "none" and f.q_value < 0.05 and f.redundant_with is None for f in result.findings)
    rest = tied + result.findings_left_out - len(shown)
    caption = f"{result.tested:,} features tested"
    if rest > 0:
        caption += f"; {rest:,} more are associated with a label (all in --html, --csv, --json)"
    heads = ("queries that …", "refused", "answered", "% refused", "predicts")
    table = new_table(*heads, left=1, caption=caption, **_STYLE)
    for finding in shown:
        rate = 100 * finding.refused / (finding.refused + finding.answered)
        table.add_row(
            plain(finding.text, 52), f"{finding.refused:,}", f"{finding.answered:,}", f"{rate:.1f}", finding.direction
        )
    if not shown:
        table.add_row("no feature is associated with a label", "", "", "", "")
    return table


def _ladder_table(result: AuditResult) -> Table:
    heads = ("input of the rule", "seen", "unseen", "95 % interval")
    title = "Accuracy of simple rules that predict the label"
    table = new_table(*heads, title=title, caption=_unseen(result), **_STYLE)
    for name, accuracy in result.predictability.items():
        if accuracy.test is not None or "image" not in name:
            table.add_row(PROBE_NAMES[name], share(accuracy.train), share(accuracy.test), _range(accuracy))
    return table


def _unseen(result: AuditResult) -> str:
    probes = result.probes
    seen = "seen: training queries of the rule; unseen: "
    if probes.test_source is not None:
        return f"{seen}the {probes.test_n or 0:,} of {plain(probes.test_source, 40)}"
    if not probes.folds:
        return f"{seen}none, because one label has too few different queries"
    apart = "" if result.pictures is None else " (queries on one picture stay in one fold)"
    return f"{seen}{probes.folds}-fold cross-validation{apart}"


def _range(accuracy: Accuracy) -> str:
    return "" if accuracy.low is None or accuracy.high is None else f"{accuracy.low:.1%}–{accuracy.high:.1%}"


def _decided(result: AuditResult) -> list[str]:
    decided = result.decided_by_opener
    if decided is None or decided.value is None:
        return []
    return [
        f"Decided by the first word alone: {decided.value:.1%} of queries. Their other words predict the wrong "
        "label, and their first word the right one."
    ]


def _listed(words: tuple[AttackWord, ...]) -> list[str | Text]:
    if not words:
        return ["none found"]
    shown = [
        Text.assemble(
            plain(one.word), "" if (rate := one.flips) is None or rate.value is None else f" {rate.value:.0%}"
        )
        for one in words
    ]
    return [Text(", ").join(shown)]
