"""Sentences about an audit: the headline, the verdict and its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmirage.audit.informedness import LARGE, SMALL, Shortcut
from unmirage.report.charts import OpenerChart, opener_chart
from unmirage.text.formatting import listed, percent, points
from unmirage.text.printable import short

if TYPE_CHECKING:
    from unmirage.audit.informedness import Informedness
    from unmirage.audit.pictures import PictureCount
    from unmirage.audit.probes import Accuracy
    from unmirage.audit.ranking import Auc
    from unmirage.audit.result import AuditResult, ProbeSetting

RUNGS = {
    "majority": "nothing: always the majority label",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation and capitals",
    "template": "the sentence pattern, with content words masked",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the image’s file, size and colors",
    "words_and_image": "all words, and the image’s file, size and colors",
    "image_embedding": "the image embedding of a vision encoder",
}
_MOST_BEHIND, _LEAST_BEHIND = 3, 0.01
_OF_PICTURES = {"image", "words_and_image", "image_embedding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A probe's accuracy in percent of the width: the part that the majority label reaches, and the gain over it."""

    plain: float
    more: float
    low: float | None
    high: float | None
    majority: float | None
    seen: float | None


@dataclass(frozen=True, slots=True)
class Rung:
    """One probe; `note` replaces the value if there is none."""

    name: str
    accuracy: Accuracy
    note: str
    bar: Bar | None


def ladder(audit: AuditResult) -> tuple[Rung, ...]:
    """Return the probes in the order of the document."""
    return tuple(_rung(name, accuracy, audit.pictures) for name, accuracy in audit.predictability.items())


def rung_name(name: str) -> str:
    """Return what a probe reads; an unknown probe is shown by its name."""
    return RUNGS.get(name, name)


def measured_on(probes: ProbeSetting) -> str:
    """Return which queries count as unseen; "" if the document does not say."""
    if probes.test_source:
        size = "" if probes.test_n is None else f" ({probes.test_n:,} queries)"
        return f"Unseen: the queries of {probes.test_source}{size}."
    if probes.evaluation != "cross-validated":
        return ""
    folds = "" if probes.folds is None else f" with {probes.folds} folds"
    rows = "" if probes.rows is None else f" {probes.rows:,} queries{', a random sample' if probes.sampled else ''},"
    return f"Unseen:{rows} cross-validated{folds}."


def _rung(name: str, accuracy: Accuracy, pictures: PictureCount | None) -> Rung:
    bar = _bar(accuracy)
    return Rung(rung_name(name), accuracy, "" if bar else _why(name, pictures), bar)


def _bar(accuracy: Accuracy) -> Bar | None:
    if accuracy.test is None:
        return None
    test = round(100 * accuracy.test, 1)
    low, high, majority, seen = (
        None if share is None else round(100 * share, 1)
        for share in (accuracy.low, accuracy.high, accuracy.baseline, accuracy.train)
    )
    plain = test if majority is None else min(test, majority)
    known = low is not None and high is not None
    return Bar(
        plain=plain,
        more=round(test - plain, 1),
        low=low if known else None,
        high=high if known else None,
        majority=majority,
        seen=seen,
    )


def _why(name: str, pictures: PictureCount | None) -> str:
    if name not in _OF_PICTURES or (pictures is not None and pictures.read):
        return "not estimable"
    return "no images were found" if pictures is not None and pictures.named else "the data has no images"


# Surface features that are unrelated to harm, and should not predict the label. The words themselves may.
_SURFACE = {
    "opener": "its first word",
    "first_words": "its first three words",
    "shape": "its length, punctuation and capitals",
    "template": "its sentence pattern with content words masked",
    "image": "the file, size and colors of its image",
}
_LABEL_SOURCES = {
    "field": "label field of the data",
    "answer": "answers, matched against refusal phrases",
    "mixed": "label field of the data, or the answer if the field is empty",
    "stated": "stated for all samples",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """Content of an audit that the audit page and the run page show."""

    audit: AuditResult
    headline: str
    verdict: Shortcut
    meaning: tuple[str, ...]
    label_source: str
    chart: OpenerChart
    ladder: tuple[Rung, ...]
    measured_on: str


def view(audit: AuditResult) -> AuditView:
    """Return the content to show of an audit."""
    others = {name: shortcut(audit.predictability.get(name)) for name in _SURFACE if name != "opener"}
    found = {"opener": audit.informedness.verdict, **others}
    return AuditView(
        audit=audit,
        headline=_headline(audit, found),
        verdict=max(found.values()),
        meaning=tuple(_meaning(audit, found)),
        label_source=_LABEL_SOURCES.get(audit.label_source, audit.label_source),
        chart=opener_chart(audit.openers),
        ladder=ladder(audit),
        measured_on=measured_on(audit.probes),
    )


def shortcut(accuracy: Accuracy | None) -> Shortcut:
    """Return how strong a shortcut a probe reveals. One that is consistent with chance counts as none."""
    if accuracy is None or accuracy.gap is None or accuracy.baseline is None:
        return Shortcut.UNKNOWN
    # The majority of the data may be the minority of a test file, where the other label is the better guess.
    guess = max(accuracy.baseline, 1 - accuracy.baseline)
    gap = accuracy.gap - (guess - accuracy.baseline)
    by_chance = accuracy.low is not None and accuracy.low <= guess
    if by_chance or gap <= SMALL:
        return Shortcut.NONE
    return Shortcut.CLEAR if gap > LARGE else Shortcut.SOME


def _headline(audit: AuditResult, found: dict[str, Shortcut]) -> str:
    """Return a sentence about the first word, or about a stronger feature if the first word predicts little."""
    worst = max(found, key=lambda name: found[name])  # ties go to the first word
    if found[worst] is Shortcut.UNKNOWN:
        return "This data does not allow an estimate of how well the first word predicts refusal."
    told_from = _SURFACE[worst]
    can = {
        Shortcut.CLEAR: f"can be predicted from {told_from} alone",
        Shortcut.SOME: f"can be predicted in part from {told_from}",
        Shortcut.NONE: f"cannot be predicted from {told_from}",
    }
    said = f"Whether a query is refused {can[found[worst]]}: "
    if worst == "opener":
        return f"{said}informedness {measured(audit.informedness)}, AUC {measured(audit.auc)}."
    rule = audit.predictability[worst]
    return (
        f"{said}a simple rule is correct for {percent(rule.test)} of unseen queries, always predicting the majority "
        f"label for {percent(rule.baseline)}."
    )


def measured(found: Informedness | Auc) -> str:
    """Return a value with its interval, such as "0.83 (0.80 to 0.85)"."""
    if found.value is None or found.low is None or found.high is None:
        return "not estimable"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _meaning(audit: AuditResult, found: dict[str, Shortcut]) -> list[str]:
    of_data = [*passed_over(audit), *not_read(audit), *copied(audit)]
    if max(found.values()) is Shortcut.UNKNOWN:
        return ["There are too few different queries, or only one label, to detect a shortcut.", *of_data]
    said = [*_opener(audit), *of_data]
    others = [name for name, level in found.items() if level >= Shortcut.SOME and name != "opener"]
    if others:
        each = listed(f"{_SURFACE[name]} (correct for {percent(audit.predictability[name].test)})" for name in others)
        said.append(f"The label can also be predicted from {each}. None of these is what a query asks for.")
    without = audit.predictability.get("words_without_opener")
    if without is not None and shortcut(without) is Shortcut.CLEAR:
        said.append(
            f"The other words also predict the label ({percent(without.test)} without the first word). "
            "Part of this is expected, because the words say what a query asks for. "
            "New openers alone will not remove every shortcut."
        )
    return said


def _opener(audit: AuditResult) -> list[str]:
    """Return sentences about the informedness of the opener rule, the openers behind it, and the shortcut gap."""
    found = audit.informedness
    if found.value is None:
        return []
    said = [
        f"A rule that reads only the first word recognizes {percent(found.sensitivity)} of the refused and "
        f"{percent(found.specificity)} of the answered queries. Informedness is the sum of both minus 100 %: "
        "0 for a guess, 1 for a rule that is always right."
    ]
    if found.verdict is Shortcut.CLEAR:
        said.append(
            "A model fine-tuned on this data can score well from the first word alone, without reading the request. "
            "It may refuse harmless queries that open like refused ones, and answer harmful queries that open like "
            "answered ones."
        )
    if (words := behind(audit)) and found.verdict >= Shortcut.SOME:
        said.append(f"Most of it comes from {listed(words)}.")
    if audit.shortcut_gap is not None:
        said.append(
            f"The shortcut gap is {points(audit.shortcut_gap)} points. It also depends on how many queries are refused."
        )
    return said


def behind(audit: AuditResult) -> list[str]:
    """Return the openers that contribute most to the informedness, such as "“what” (0.43)"."""
    parts = [(one.contribution or 0.0, one.opener) for one in audit.openers]
    most = sorted(parts, key=lambda one: (-one[0], one[1]))[:_MOST_BEHIND]
    return [f"“{short(opener, 20)}” ({part:.2f})" for part, opener in most if part >= _LEAST_BEHIND]


def passed_over(audit: AuditResult) -> list[str]:
    """Return a sentence for each kind of text that stands before the content of queries."""
    kinds = {True: "a prefix that both labels share,", False: "role markers or numbering, such as"}
    return [
        f"Passed over before the first word: {kinds[lead.shared]} “{lead.text[:80]}” in {lead.queries:,} of "
        f"{audit.n:,} queries ({lead.refused:,} of the {audit.refused:,} refused)."
        for lead in audit.leads
    ]


def not_read(audit: AuditResult) -> list[str]:
    """Return a sentence about samples without a label, and one for each field that was not read."""
    found = []
    if audit.part == "reasoning":
        found.append(
            "This audit is of the reasoning in the answers: wherever it says query, it means the reasoning. "
            f"{audit.without_text:,} samples without reasoning were left out."
        )
    if audit.without_label.count:
        found.append(
            f"{audit.without_label.count:,} samples without a label were left out; the first: "
            f"{audit.without_label.examples[0]}."
        )
    return found + [
        f"The field {name} of {count:,} records was not read." for name, count in audit.unread_fields.items()
    ]


def copied(audit: AuditResult) -> list[str]:
    """Return a sentence about the copies in the data; [] if there are none."""
    found = audit.copies
    if not found.queries:
        return []
    occur = "text occurs" if found.both_labels == 1 else "texts occur"
    both = f" {found.both_labels:,} {occur} both refused and answered." if found.both_labels else ""
    texts = f"{found.texts:,} different text{'' if found.texts == 1 else 's'}"
    return [
        f"{found.queries:,} of {audit.n:,} queries have a copy: another query with the same text "
        f"({texts}).{both} Copies stay in one fold, and count once per label in the "
        "training of the first-word rule and in the tests of findings. Numbers of queries include them."
    ]
