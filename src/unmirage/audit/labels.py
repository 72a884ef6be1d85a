"""Compare two sources of the label: the data's own field, and the refusals in the answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from unmirage.data.labels import label_from_answer
from unmirage.records import Count, Sample
from unmirage.text.refusals import refusal_phrase

EXAMPLES = 200  # maximum examples of each kind of disagreement; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A sample whose field and answer disagree. `phrase` is the refusal phrase in the answer, if any."""

    id: str | int
    query: str
    answer: str
    refused: bool
    phrase: str | None = None


@dataclass(slots=True)
class LabelCheck:
    """Counts of disagreements, over samples that have both a label field and an answer.

    Attributes:
        disagree: samples whose two sources disagree.
        both: samples with both.
        missed: the field says refused, but the answer contains no refusal.
        false_alarms: the field says answered, but the answer refuses.
        examples: up to `EXAMPLES` of each kind.
    """

    disagree: Count = 0
    both: Count = 0
    missed: Count = 0
    false_alarms: Count = 0
    examples: list[Disagreement] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Count one more sample."""
        if sample.label_source != "field" or not sample.answer or sample.refused is None:
            return
        told, _ = label_from_answer(sample.answer)
        self.both += told is not None
        if told is None or told is sample.refused:
            return
        self.disagree += 1
        self.missed += sample.refused
        self.false_alarms += not sample.refused
        if (self.missed if sample.refused else self.false_alarms) <= EXAMPLES:
            self.examples.append(
                Disagreement(
                    id=sample.id,
                    query=sample.query,
                    answer=sample.answer,
                    refused=sample.refused,
                    phrase=refusal_phrase(sample.answer),
                )
            )
