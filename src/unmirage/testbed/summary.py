"""Summarize the finished studies of all seeds in one `Results`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unmirage.errors import UserError
from unmirage.evaluate import Outcome, Results, agreement, judged_outcomes, model_rates
from unmirage.evaluate.compare import compare
from unmirage.evaluate.details import Said, describe
from unmirage.evaluate.per_sample_outcomes import decided
from unmirage.evaluate.run import what_was_said
from unmirage.records import Judgement
from unmirage.run.files import write_text_atomic
from unmirage.run.machine import describe_machine
from unmirage.testbed.study import Study

EXACT, PHRASES = "exact", "phrases"


def summarise(studies: Sequence[Study]) -> Results:
    """Pool the verdicts of all seeds. The exact judge gives the rates; the phrase judge is scored against it."""
    names = studies[0].model_names()
    by_seed = [{name: _outcomes(study, name, group) for name in names} for group, study in enumerate(studies)]
    pooled = {name: [one for seed in by_seed for one in seed[name]] for name in names}
    first, said = studies[0], _said(studies)
    return Results.of(
        judge=EXACT,
        seeds=[study.seed for study in studies],
        models={name: describe(outcomes, said[name]) for name, outcomes in pooled.items()},
        by_seed=[{name: model_rates(found) for name, found in seed.items()} for seed in by_seed],
        attack=first.attack_config().model_dump(mode="json"),
        comparisons=tuple(compare({name: decided(outcomes) for name, outcomes in pooled.items()})),
        judges={PHRASES: agreement(_judgements(studies, PHRASES), _judgements(studies, EXACT))},
        settings=first.settings.model_dump(mode="json"),
        machine=describe_machine(),
        timings=dict(sum((Counter(study.timings()) for study in studies), Counter())),
    )


def _outcomes(study: Study, name: str, group: int) -> list[Outcome]:
    with study.run.store() as store:
        return judged_outcomes(store, EXACT, name, group)


def _said(studies: Sequence[Study]) -> dict[str, Said]:
    """Pool the responses of each model over all seeds."""
    found = []
    for study in studies:
        with study.run.store() as store:
            found.append(what_was_said(store, EXACT))
    return {
        name: Said(
            everything=[text for said in found for text in said[name].everything],
            beside=[text for said in found for text in said[name].beside],
            known=frozenset().union(*(said[name].known for said in found)),
        )
        for name in studies[0].model_names()
    }


def _judgements(studies: Sequence[Study], judge: str) -> list[Judgement]:
    """Return all verdicts of a judge; model names include the seed, because query ids repeat over seeds."""
    found: list[Judgement] = []
    for study in studies:
        with study.run.store() as store:
            for name in study.model_names():
                found += [replace(one, model=f"{study.seed}/{name}") for one in store.judgements(name, judge)]
    return found


def markers(name: str) -> tuple[str, str]:
    """Return the marker lines of a table."""
    return f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"


def check_markers(name: str, *files: Path | None) -> None:
    """Check that a table can be written into files, before the work that produces it.

    Args:
        name: name in the markers.
        files: the files; None is ignored.

    Raises:
        UserError: a file exists without the two markers, each once and in order; or it is a folder.
    """
    begin, end = markers(name)
    for file in filter(None, files):
        if file.is_dir():
            raise UserError(f"{file}: is a folder; name a Markdown file")
        old = file.read_text(encoding="utf-8") if file.exists() else f"{begin}\n{end}"
        if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
            raise UserError(f"{file}: the lines '{begin}' and '{end}' are missing; add them where the table belongs")


def write_between_markers(file: Path, name: str, text: str) -> None:
    """Put `text` between the two markers of a Markdown file; create the file if it is missing.

    Raises:
        UserError: the file exists without the two markers, each once and in order.
    """
    check_markers(name, file)
    begin, end = markers(name)
    if not file.exists():
        write_text_atomic(file, f"# Results\n\n{begin}\n\n{text}\n{end}\n")
        return
    old = file.read_text(encoding="utf-8")
    before, rest = old.split(begin)
    write_text_atomic(file, f"{before}{begin}\n\n{text}\n{end}{rest.split(end)[1]}")
