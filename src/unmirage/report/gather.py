"""Merge the results of several runs, with a unique name for every model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.compare_runs import Source
from unmirage.evaluate.details import ModelResults
from unmirage.evaluate.results import Results
from unmirage.report.summary import Attack
from unmirage.run import Run
from unmirage.text.formatting import listed, model_name
from unmirage.text.printable import clean, short


@dataclass(frozen=True, slots=True)
class Gathered:
    """All runs of a page.

    Attributes:
        runs: name -> the run's results, as in its results.json.
        results: the models of all runs under their names on the page; for one run, its own results.
        sources: the same runs, in the form that `across` expects.
        warnings: reasons why the runs are not directly comparable.
    """

    runs: dict[str, Results]
    results: Results
    sources: list[Source]
    warnings: list[str]

    def label(self, name: str) -> str:
        """Return the model that a user means by `name`: its name on the page or, if unique, its name in its run.

        Raises:
            UserError: no model has this name, or several do.
        """
        if name in self.results.models:
            return name
        found = [label for source in self.sources for label, own in source.models.items() if own == name]
        if len(found) == 1:
            return found[0]
        valid = ", ".join(clean(label, 80) for label in found or self.results.models)
        what = "several models have this name" if found else "no model has this name"
        raise UserError(f"--reference {clean(name, 80)}: {what}; valid: {valid}")


def gather(runs: Sequence[Run]) -> Gathered:
    """Read the results of all runs. If two runs have a model of the same name, the run's name is appended.

    Raises:
        UserError: a run is listed twice, or its results are missing or do not follow the schema.
    """
    places = [run.path.resolve() for run in runs]
    twice = [str(place) for place, times in Counter(places).items() if times > 1]
    if twice:
        raise UserError(f"{twice[0]}: listed twice; list each run once")
    read = [Results.load(run.results_file) for run in runs]
    names = _distinct([short(place.name, 40) for place in places])
    taken = Counter(model for one in read for model in one.models)
    labels = _distinct(
        [
            model if taken[model] == 1 else f"{model_name(model)} ({name})"
            for name, one in zip(names, read, strict=True)
            for model in one.models
        ]
    )
    following = iter(labels)
    sources = [
        Source(name, run, one.judge, {next(following): model for model in one.models})
        for name, run, one in zip(names, runs, read, strict=True)
    ]
    by_name = dict(zip(names, read, strict=True))
    return Gathered(by_name, _merged(read, sources), sources, _warnings(by_name, sources))


def _distinct(names: Sequence[str]) -> list[str]:
    """Return unique names: repeated ones get a number appended."""
    found: list[str] = []
    for name in names:
        number, own = 1, name
        while own in found:
            number += 1
            own = f"{name} ({number})"
        found.append(own)
    return found


def _merged(read: Sequence[Results], sources: Sequence[Source]) -> Results:
    if len(read) == 1:
        return read[0]
    pairs = list(zip(read, sources, strict=True))
    return replace(
        read[0],
        models={
            label: _relabelled(one.models[own], source) for one, source in pairs for label, own in source.models.items()
        },
        by_seed=tuple(
            replace(
                seed,
                models={label: seed.models[own] for label, own in source.models.items() if own in seed.models},
            )
            for one, source in pairs
            for seed in one.by_seed
        ),
        judges={f"{name} ({source.name})": judge for one, source in pairs for name, judge in one.judges.items()},
        comparisons=(),
        relevance_comparisons=(),
    )


def _relabelled(model: ModelResults, source: Source) -> ModelResults:
    """Return the model, with the name on the page of the model that it was made from."""
    if model.variant is None:
        return model
    labels = {own: label for label, own in source.models.items()}
    of = labels.get(model.variant.of, model.variant.of)
    return replace(model, variant=replace(model.variant, of=of))


def _warnings(runs: dict[str, Results], sources: Sequence[Source]) -> list[str]:
    configs = {source.name: source.run.config() for source in sources}
    checks: tuple[tuple[str, Callable[[str], Any], str], ...] = (
        ("Judges", lambda name: runs[name].judge, "differences between rates may come from the judges"),
        ("Attacks", lambda name: _attack(runs[name]), "“after” has a different meaning in each run"),
        ("Benchmarks", lambda name: _suite(runs[name]), "their rates are about different questions"),
        ("Data", lambda name: _data(configs[name]), "their rates may be about different samples"),
    )
    found = []
    for what, pick, so in checks:
        values = {name: pick(name) for name in runs}
        if len(set(values.values())) > 1:
            each = listed(f"{value} in {name}" for name, value in values.items())
            found.append(f"{what} differ: {each}; {so}.")
    return found


def _attack(results: Results) -> str:
    attack = Attack.of(results)
    stopped = ", stopped at the first success" if results.attack.get("stop_at_first_success") is True else ""
    return f"{attack.jailbreak_word} and {attack.over_prudence_word}, {attack.any_of}{stopped}"


def _suite(results: Results) -> str:
    return "none" if results.suite is None else short(results.suite.name, 40)


def _data(config: dict[str, Any]) -> str:
    """Return what identifies the data in the configuration: its hash, else its file."""
    if config.get("data_sha256"):
        return f"sha256 {str(config['data_sha256'])[:12]}"
    return short(str(config["data"]), 40) if config.get("data") else "not recorded"
