"""Check that training sets are what their role needs, before a training: a forget set holds harmful responses.

Unlearning a refusal makes the model comply: on the synthetic world, NPO with the safety data as forget set raises the
ASR from 7.8 % to 85.2 %. The phrases that find refusals are those of the phrase judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from unmirage.data.labels import label_from_answer
from unmirage.errors import UserError, unknown
from unmirage.records import Count, Sample, Unwritten
from unmirage.text.formatting import percent
from unmirage.text.thoughts import final_answer

REFUSALS, BENIGN = "refusals", "benign"
ALLOWABLE = (REFUSALS, BENIGN)
MOST = 0.05  # share of a forget set that may be refusals, or queries labeled as benign


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRole:
    """What the answers and labels of one training set are. Every row is counted in each that applies.

    Attributes:
        name: the set: "forget", "retain", "train", "chosen" or "rejected".
        rows: number of rows.
        empty: rows whose answer is empty, or has no text after the reasoning.
        refusals: rows whose answer refuses.
        unknown: rows whose answer is in a language without refusal phrases.
        benign: rows whose query a label field calls benign.
        unsafe_answered: rows whose query a label field calls unsafe, with an answer that does not refuse.
        first_refusal, first_benign: ids of the first such rows, for messages.
    """

    name: str
    rows: Count
    empty: Count = 0
    refusals: Count = 0
    unknown: Count = 0
    benign: Count = 0
    unsafe_answered: Count = 0
    first_refusal: Unwritten[str] = field(default="", compare=False)
    first_benign: Unwritten[str] = field(default="", compare=False)

    @classmethod
    def of(cls, name: str, samples: Sequence[Sample], *, rejected: bool = False) -> SetRole:
        """Count the answers of a set; `rejected`: the rejected ones of pairs."""
        refusals, benign, empty, unknown_language, unsafe_answered = [], [], 0, 0, 0
        for sample in samples:
            answer = sample.rejected if rejected else sample.answer
            refuses = _refuses(sample, answer, rejected=rejected)
            by_field = sample.refused if sample.label_source in ("field", "stated") else None
            if refuses:
                refusals.append(sample.id)
            elif refuses is None:
                is_empty = not final_answer(answer).strip()
                empty += is_empty
                unknown_language += not is_empty
            if by_field is False:
                benign.append(sample.id)
            unsafe_answered += by_field is True and refuses is False
        return cls(
            name=name,
            rows=len(samples),
            empty=empty,
            refusals=len(refusals),
            unknown=unknown_language,
            benign=len(benign),
            unsafe_answered=unsafe_answered,
            first_refusal=refusals[0] if refusals else "",
            first_benign=benign[0] if benign else "",
        )

    def line(self) -> str:
        """Return the counts that are not 0 with their shares, in one line."""
        counts = {
            "refusals": self.refusals,
            "benign queries by label": self.benign,
            "unsafe queries by label with an answer that does not refuse": self.unsafe_answered,
            "empty answers": self.empty,
            "answers in a language without refusal phrases, which may refuse": self.unknown,
        }
        told = [f"{count:,} {what} ({percent(count / self.rows)})" for what, count in counts.items() if count]
        return f"{self.name}: {self.rows:,} rows: {'; '.join(told) or 'no refusals and no empty answers'}"


def _refuses(sample: Sample, answer: str, *, rejected: bool) -> bool | None:
    if sample.label_source == "answer" and not rejected:
        return sample.refused  # the reader has judged this answer
    return label_from_answer(answer)[0]


def roles_of(
    *, forget: Sequence[Sample] = (), pairs: Sequence[Sample] = (), retain: Sequence[Sample] = ()
) -> tuple[SetRole, ...]:
    """Return the counts of each set that has rows; the retain set is called "train" if it is the only one."""
    found = []
    if forget:
        found.append(SetRole.of("forget", forget))
    if pairs:
        found += [SetRole.of("chosen", pairs), SetRole.of("rejected", pairs, rejected=True)]
    if retain:
        found.append(SetRole.of("retain" if found else "train", retain))
    return tuple(found)


def check_allowed(allow: Collection[str]) -> None:
    """Raise `UserError` if a name is not one of `ALLOWABLE`."""
    for name in allow:
        if name not in ALLOWABLE:
            raise unknown("allow", name, ALLOWABLE)


def misused(roles: Sequence[SetRole], files: str, allow: Collection[str] = ()) -> Iterator[str]:
    """Yield a message for each reason not to unlearn the forget set.

    Args:
        roles: counts of the sets.
        files: names of the files of the forget set, for the messages.
        allow: reasons to ignore, of `ALLOWABLE`.
    """
    for role in roles:
        if role.name != "forget" or not role.rows:
            continue
        if role.refusals > MOST * role.rows and REFUSALS not in allow:
            yield (
                f"{files}: {role.refusals:,} of {role.rows:,} answers of the forget set are refusals, such as that of "
                f"sample '{role.first_refusal}'; a model that unlearns refusals complies. Give harmful responses, or "
                f"pass --allow {REFUSALS}"
            )
        if role.benign > MOST * role.rows and BENIGN not in allow:
            yield (
                f"{files}: {role.benign:,} of {role.rows:,} queries of the forget set are labeled benign, such as that "
                f"of sample '{role.first_benign}'; unlearning their answers costs utility. Are --forget and --retain "
                f"swapped? If not, pass --allow {BENIGN}"
            )


def check_roles(roles: Sequence[SetRole], files: str, allow: Collection[str] = ()) -> None:
    """Raise `UserError` with the first message of `misused`, if there is one."""
    for message in misused(roles, files, allow):
        raise UserError(message)
