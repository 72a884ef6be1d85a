"""Read PKU-SafeRLHF (Ji et al. 2024, arXiv 2406.15513): two answers to one prompt, judged for safety and quality.

A row is `{prompt, response_0, response_1, is_response_0_safe, is_response_1_safe, safer_response_id,
better_response_id}`.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.beavertails import judged
from unmirage.data.dialogue import Pair, Said, samples_from
from unmirage.data.rows import Row, shown
from unmirage.records import Sample
from unmirage.text.markup import pieces


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has the fields of PKU-SafeRLHF."""
    return {"response_0", "response_1", "is_response_0_safe", "is_response_1_safe"} <= record.keys()


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a pair: the safer answer is chosen; without a safe one, the query should be refused."""
    safe = [row.fields.get(f"is_response_{number}_safe") for number in (0, 1)]
    if not all(isinstance(one, bool) for one in safe):
        raise row.error(
            f"fields 'is_response_0_safe' and 'is_response_1_safe' must be true or false, not {shown(safe)}"
        )
    first = _safer(row, safe)
    answers = [row.text("response_0"), row.text("response_1")]
    said = [Said("user", pieces(row.text("prompt")), row), Said("assistant", [answers[first]], row)]
    (sample,) = samples_from(row, said, Pair(rejected=answers[1 - first]))
    return [judged(sample, safe=bool(safe[first]))]


def _safer(row: Row, safe: list[object]) -> int:
    """Return the number of the safer answer."""
    number = row.fields.get("safer_response_id")
    if number in (0, 1):
        return 1 if number == 1 else 0
    better = row.fields.get("better_response_id")
    return (0 if safe[0] else 1) if safe[0] != safe[1] else int(better == 1)
