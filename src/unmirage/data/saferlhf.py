"""Read PKU-SafeRLHF (Ji et al. 2024, arXiv 2406.15513) and SafeRLHF-V: two answers, judged for safety and quality.

A row is `{prompt, response_0, response_1, is_response_0_safe, is_response_1_safe, safer_response_id,
better_response_id}`. SafeRLHF-V has `question`, `image` and the answers 1 and 2, and `more_helpful_response_id`.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.beavertails import PROMPTS, judged
from unmirage.data.dialogue import Pair, samples_from
from unmirage.data.labels import truth
from unmirage.data.messages import prompt_of
from unmirage.data.rows import Row, shown
from unmirage.data.turns import Said
from unmirage.records import Sample

_BETTER = ("better_response_id", "more_helpful_response_id")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has the fields of PKU-SafeRLHF."""
    return any(
        {f"response_{number}", f"is_response_{number}_safe", "response_1", "is_response_1_safe"} <= record.keys()
        for number in (0, 2)
    )


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a pair: the safer answer is chosen; without a safe one, the query should be refused."""
    numbers = (0, 1) if "response_0" in row.fields else (1, 2)
    safe = [_is_safe(row, f"is_response_{number}_safe") for number in numbers]
    first = _safer(row, safe, numbers)
    answers = [row.text(f"response_{number}") for number in numbers]
    said = [*prompt_of(row, *PROMPTS), Said("assistant", [answers[first]], row)]
    (sample,) = samples_from(row, said, Pair(rejected=answers[1 - first]))
    return [judged(sample, safe=safe[first])]


def _is_safe(row: Row, field: str) -> bool:
    safe = truth(row.fields.get(field))
    if safe is None:
        raise row.error(f"field '{field}' must be true or false, not {shown(row.fields.get(field))}")
    return safe


def _safer(row: Row, safe: list[bool], numbers: tuple[int, int]) -> int:
    """Return the index of the safer answer."""
    known = {str(number): index for index, number in enumerate(numbers)}
    safer = row.optional_name("safer_response_id")
    if safer in known:
        return known[safer]
    better = next((found for name in _BETTER if (found := row.optional_name(name)) in known), str(numbers[0]))
    return (0 if safe[0] else 1) if safe[0] != safe[1] else known[better]
