"""Read labels: from a column in its usual spellings, from the answer, or as the user states them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from unmirage.data.rows import Row
from unmirage.errors import UserError
from unmirage.records import LabelSource, Sample
from unmirage.text.refusals import answer_label
from unmirage.text.thoughts import final_answer

# Names of label columns, in order of preference, beside "label", which other data use for other things. The last two
# judge the query in WildGuardMix and Aegis.
LABELS = ("refused", "unsafe", "safe", "is_refused", "is_unsafe", "is_safe", "prompt_harm_label", "prompt_label")
# Columns that judge the answer in the same words.
ANSWER_LABELS = ("response_harm_label", "response_label")

_YES = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_NO = frozenset({"false", "0", "0.0", "no", "n", "f"})
_REFUSED = frozenset({"refused", "refuse", "refusal", "unsafe", "harmful"})
_ANSWERED = frozenset({"answered", "answer", "complied", "safe", "harmless", "unharmful", "benign"})
# In these columns, "yes" means answered.
_INVERTED = frozenset({"safe", "is_safe", "answered"})

VALID = "true, false, 1, 0, yes, no, refused, answered, unsafe, safe"


def parse_label(value: object, column: str) -> bool | None:
    """Return whether a label means "refused"; None if it is invalid.

    Args:
        value: true or false, 1 or 0, also as 1.0 or 0.0, or a word of `VALID` in any case.
        column: name of the column; in a column such as "safe", yes and no are inverted.
    """
    if not isinstance(value, bool):
        word = str(value).strip().casefold()
        if word in _REFUSED or word in _ANSWERED:
            return word in _REFUSED
    yes = truth(value)
    return None if yes is None else yes != (column.casefold() in _INVERTED)


def truth(value: object) -> bool | None:
    """Return a truth value in one of its spellings, such as True, 1, 1.0, "yes" and "False"; None if it is none."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    return word in _YES if word in _YES or word in _NO else None


def is_empty(value: object) -> bool:
    """Return whether a cell has no label: missing, empty, or NaN, which pandas writes for a gap."""
    return value is None or value == "" or value != value


def label_from_answer(answer: str) -> tuple[bool | None, LabelSource]:
    """Return whether an answer refuses, judged by what follows its reasoning.

    None if there is no final answer, or if it is in a language without refusal phrases.
    """
    final = final_answer(answer)
    refused = answer_label(final) if final.strip() else None
    return (None, "none") if refused is None else (refused, "answer")


def why_unlabeled(sample: Sample) -> str:
    """Return why the answers of a sample do not tell its label."""
    if not sample.answer:
        return "its only answer is marked as bad"
    if not final_answer(sample.answer).strip():
        return "its answer has no text after the reasoning"
    return "its answer is in a language without refusal phrases"


Label = Literal["field", "answer", "refused", "answered"]
LABEL_OPTIONS: tuple[Label, ...] = ("field", "answer", "refused", "answered")
STATE_LABEL = "state one for all samples with --label refused or --label answered"


def relabeled(sample: Sample, label: Label | None, row: Row) -> Sample:
    """Return a sample with the label that the user asks for.

    Args:
        sample: a sample as its format reads it.
        label: "field" or "answer" for the source of the label, "refused" or "answered" to state it; None for the
            sample's own label.
        row: record of the sample.

    Raises:
        UserError: the sample has no label field, or no answer.
    """
    if label is None or label == sample.label_source:
        return sample
    if label in ("refused", "answered"):
        return replace(sample, refused=label == "refused", label_source="stated")
    if label == "field":
        other = "use --label answer" if sample.answer else STATE_LABEL
        raise row.error(f"has no label field; add a label column, or {other}")
    refused, source = label_from_answer(sample.answer)
    if source == "none" and not sample.answer and not sample.rejected:
        other = "use --label field" if sample.label_source == "field" else STATE_LABEL
        raise row.error(f"has no answer to take the label from; add one, or {other}")
    return replace(sample, refused=refused, label_source=source)


_CHECKED = 2_000
_FEWEST = 10


@dataclass(slots=True)
class FieldCheck:
    """Compares the label field with the answers of the first samples that have both.

    Attributes:
        both: number of compared samples.
        differ: number of samples whose field and answer give different labels.
    """

    both: int = 0
    differ: int = 0

    def add(self, samples: Iterable[Sample]) -> None:
        """Compare some samples, up to the first 2,000 in all."""
        for sample in samples:
            if self.both < _CHECKED and sample.label_source == "field" and sample.answer:
                refused, _ = label_from_answer(sample.answer)
                if refused is not None:
                    self.both += 1
                    self.differ += refused is not sample.refused

    def raise_if_wrong(self, path: Path, *, complete: bool = False) -> None:
        """Raise `UserError` if most answers contradict the field, so that it may mean something else.

        Args:
            path: the file.
            complete: whether all samples of the file have been compared.
        """
        if (complete or self.both == _CHECKED) and self.both >= _FEWEST and 2 * self.differ > self.both:
            raise UserError(
                f"{path}: the label field contradicts {self.differ:,} of {self.both:,} answers. Does it judge the "
                "answer, or is it inverted? --label answer takes the labels from the answers, and --label field keeps "
                "those of the field"
            )
