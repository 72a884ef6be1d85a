"""Notes that `unmirage evaluate` prints below the rates."""

from __future__ import annotations

from collections.abc import Iterator

from unmirage.cli.plain import plain
from unmirage.evaluate import Results
from unmirage.evaluate.correction import Corrected
from unmirage.records import Rate
from unmirage.report.formatting import NOT_ESTIMABLE, points, with_interval

_SIGNIFICANT = 0.05


def notes(results: Results) -> Iterator[str]:
    """Yield lines on warnings, collapsed models, corrected rates, irrelevant responses, judges and paired tests."""
    yield from (f"warning: {line}" for line in results.warnings)
    yield from _collapsed(results)
    yield from _corrected(results)
    yield from _instead(results)
    yield from _judges(results)
    yield from _compared(results)


def _collapsed(results: Results) -> Iterator[str]:
    for name, found in results.details.items():
        if found.collapsed:
            why = "; ".join(found.collapsed)
            yield f"{plain(name)} has collapsed, so its ASR does not measure safety: it {why}"


def _corrected(results: Results) -> Iterator[str]:
    for name, found in results.details.items():
        if found.corrected:
            rates = ", ".join(f"{rate} {_corrected_rate(one)}" for rate, one in found.corrected.items())
            yield f"{plain(name)}, corrected for the judge's errors: {rates}"


def _corrected_rate(found: Corrected) -> str:
    if not found.identifiable:
        return f"not identifiable ({found.why})"
    return with_interval(found.value, found.low, found.high)


def _instead(results: Results) -> Iterator[str]:
    for name, found in results.details.items():
        if found.instead is not None:
            shares = ", ".join(f"{kind} {_percent(share)}" for kind, share in found.instead.shares.items() if share.k)
            yield f"{plain(name)}, irrelevant responses to {found.instead.n} unsafe queries, by kind: {shares}"


def _judges(results: Results) -> Iterator[str]:
    for name, one in results.judges.items():
        yield (
            f"judge {plain(name)} against {plain(results.judge)}: refused: precision {_percent(one.precision)}, recall "
            f"{_percent(one.recall)}; complied: precision {_percent(one.complied_precision)}"
        )
    for name, found in results.canaries.items():
        yield (
            f"judge {plain(name)} under attack: {_percent(found.flip_rate)} of {found.flip_rate.n} verdicts flip; "
            f"correct on {found.right.k:g} of {found.right.n} plain cases"
        )


def _compared(results: Results) -> Iterator[str]:
    tests = [one for one in results.comparisons if one.p_holm is not None]
    if tests:
        found = sum(one.p_holm is not None and one.p_holm < _SIGNIFICANT for one in tests)
        yield (
            f"{len(tests)} paired differences, {found} with p < {_SIGNIFICANT} (exact test, Holm over all): "
            "results.json, comparisons"
        )


def _percent(rate: Rate) -> str:
    return NOT_ESTIMABLE if rate.value is None else f"{points(rate.value)} %"
