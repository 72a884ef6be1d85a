"""Compare models from several runs. Samples are paired only if both models received identical queries."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from unmirage.evaluate.compare import Comparison, Paired, Side, holm, pair, sides
from unmirage.evaluate.per_sample_outcomes import KIND_OF, RATES, Decided, Key, decided
from unmirage.evaluate.run import judged_outcomes, stops_at_success
from unmirage.records import Kind, Placed, Turn
from unmirage.run.directory import Run

# Exceptions that `Store` and the records raise for a damaged or foreign database.
UNREADABLE = (sqlite3.Error, ValueError, TypeError)
# All queries of one kind for one sample: (shot, text, image, unsafe).
_Wording = tuple[int, str, tuple[Placed, ...], tuple[Turn, ...], bool]
Asked = frozenset[_Wording]


@dataclass(frozen=True, slots=True)
class Source:
    """A run whose models are compared.

    Attributes:
        name: name of the run in messages.
        run: run directory.
        judge: name of the judge that determines the rates.
        models: maps each name in the comparison to the name in the run.
    """

    name: str
    run: Run
    judge: str
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotPaired:
    """Two rates that cannot be paired, and the reason."""

    a: Side
    b: Side
    why: str


@dataclass(frozen=True, slots=True)
class Across:
    """The comparisons, the pairs of rates that cannot be compared, and notes on unreadable stores."""

    comparisons: Sequence[Comparison]
    not_paired: Sequence[NotPaired] = ()
    notes: Sequence[str] = ()


@dataclass(slots=True)
class _Model:
    """The judge, the queries and the decisions for one model."""

    judge: tuple[str, frozenset[tuple[str, str]]]  # name and identifying properties
    decided: dict[str, Decided] = field(default_factory=lambda: {rate: {} for rate in RATES})
    asked: dict[Kind, dict[Key, Asked]] = field(default_factory=lambda: defaultdict(dict))


def stores_of(run: Run) -> dict[int, Run]:
    """Return the directories of a run that contain a store, keyed by seed; a run without seeds has the key -1."""
    if (run.path / "store.sqlite").is_file():
        return {-1: run}
    numbered = {
        int(found.group(1)): Run(path)
        for path in run.path.glob("seed-*")
        if (found := re.fullmatch(r"seed-(\d{1,9})", path.name)) and (path / "store.sqlite").is_file()
    }
    return dict(sorted(numbered.items()))


def across(sources: Sequence[Source], reference: str | None = None) -> Across:
    """Compare each model before and after the attack, and with a reference model, across runs.

    Two models are paired over samples for which both received the same query texts and images. Both must also have
    the same judge. All p-values are corrected together (Holm 1979).

    Args:
        sources: the runs. Model names must be unique across all of them.
        reference: model that all others are compared with; None selects the first model.
    """
    models: dict[str, _Model] = {}
    notes = []
    for source in sources:
        stores = stores_of(source.run)
        if not stores:
            notes.append(f"{source.name} has no store.sqlite, so its models are not paired.")
            continue
        found: dict[str, _Model] = {}
        try:
            for group, one in stores.items():
                _read(source, group, one, found)
        except UNREADABLE as error:
            why = " ".join(str(error).split())
            notes.append(f"{source.name}: cannot read a store ({why}), so its models are not paired.")
            continue
        models |= found
        silent = [name for name, model in found.items() if not any(map(_measured, model.decided.values()))]
        if silent:
            notes.append(
                f"{source.name} has no verdicts of judge '{source.judge}' for {', '.join(silent)}: not paired."
            )
    tested, not_paired = _tested(models, reference or next(iter(models), ""))
    adjusted = holm([found.p_value for _, _, found in tested])
    comparisons = [found.between(a, b, p) for (a, b, found), p in zip(tested, adjusted, strict=True)]
    return Across(comparisons, not_paired, notes)


def _read(source: Source, group: int, directory: Run, models: dict[str, _Model]) -> None:
    """Add the decisions and queries in one store to `models`."""
    with directory.store() as store:
        stopped = stops_at_success(directory.config()) if directory.config_file.is_file() else False
        asked: dict[Kind, dict[Key, set[_Wording]]] = defaultdict(lambda: defaultdict(set))
        for query in store.queries():
            wording = (query.shot, query.text, query.placed, query.context, query.unsafe)
            asked[query.kind][group, query.sample_id].add(wording)
        judge = source.judge, frozenset(store.model_files(f"judge {source.judge}").items())
        for name, own in source.models.items():
            model = models.setdefault(name, _Model(judge))
            for rate, found in decided(judged_outcomes(store, source.judge, own, group, stopped=stopped)).items():
                model.decided[rate].update(found)
            for kind, by_sample in asked.items():
                model.asked[kind].update({key: frozenset(said) for key, said in by_sample.items()})


def _tested(models: Mapping[str, _Model], reference: str) -> tuple[list[tuple[Side, Side, Paired]], list[NotPaired]]:
    tested: list[tuple[Side, Side, Paired]] = []
    not_paired: list[NotPaired] = []
    for a, b in sides(list(models), reference):
        if a.model not in models or not all(_measured(models[one.model].decided[one.rate]) for one in (a, b)):
            continue  # an unmeasured rate needs no explanation in the report
        if a.model == b.model:
            found: Paired | str = pair(models[a.model].decided[a.rate], models[b.model].decided[b.rate])
        else:
            found = _pair(models[a.model], models[b.model], a.rate)
        if isinstance(found, str):
            not_paired.append(NotPaired(a, b, found))
        elif found.n:
            tested.append((a, b, found))
    return tested, not_paired


def _measured(found: Decided) -> bool:
    return any(one.yes is not None for one in found.values())


def _pair(a: _Model, b: _Model, rate: str) -> Paired | str:
    """Return the paired difference, or the reason why the models cannot be paired."""
    if a.judge[0] != b.judge[0]:
        return f"different judges ('{a.judge[0]}' and '{b.judge[0]}')"
    if a.judge != b.judge:
        return f"different judges (both are named '{a.judge[0]}', but their models or settings differ)"
    mine, theirs = a.asked[KIND_OF[rate]], b.asked[KIND_OF[rate]]
    shared = mine.keys() & theirs.keys()
    same = {key for key in shared if mine[key] == theirs[key]}
    found = pair(*({key: yes for key, yes in one.decided[rate].items() if key in same} for one in (a, b)))
    if found.n:
        return found
    if not shared:
        return "different data (no sample in common)"
    return "different queries (no sample has identical queries)" if not same else "no sample has verdicts from both"
