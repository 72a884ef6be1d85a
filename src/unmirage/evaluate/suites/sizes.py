"""Compare the size of a loaded benchmark with its published size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from unmirage.evaluate.suites.base import Item, Published, Suite

_SHOWN = 5


def notes(suite: Suite, source: str, items: Sequence[Item]) -> Iterator[str]:
    """Yield one-line warnings about the questions of a suite: a differing size, and questions that are not asked.

    Args:
        suite: the benchmark.
        source: data argument that was used.
        items: all questions of the data, before a limit is applied.
    """
    found = Counter(item.sample.category or "" for item in items)
    if suite.published and not any(_is(one, found) for one in suite.published):
        nearest = min(suite.published, key=lambda one: abs(one.total - found.total()))
        others = "".join(f" or {one.total:,}" for one in suite.published if one is not nearest)
        yield (
            f"{source}: {found.total():,} questions; suite '{suite.name}' was published with "
            f"{nearest.total:,}{others}{_parts(nearest, found)}"
        )
    if left_out := Counter(item.left_out for item in items if item.left_out):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in left_out.most_common())
        yield f"{source}: {left_out.total():,} of {found.total():,} questions are not asked: {reasons}"


def _is(published: Published, found: Counter[str]) -> bool:
    return published.total == found.total() and (not published.parts or published.parts == found)


def _parts(published: Published, found: Counter[str]) -> str:
    """Return the categories with another number of questions: " (fraud: 3, published 15)"."""
    if not published.parts:
        return ""
    names = dict.fromkeys((*published.parts, *found))
    differ = [name for name in names if published.parts.get(name, 0) != found[name]]
    told = [f"{name or 'no category'}: {found[name]:,}, published {published.parts.get(name, 0):,}" for name in differ]
    more = f"; and {len(told) - _SHOWN} more categories" if len(told) > _SHOWN else ""
    return f" ({'; '.join(told[:_SHOWN])}{more})"
