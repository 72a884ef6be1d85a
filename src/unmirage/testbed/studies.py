"""Complete the studies of all seeds, and return their results: for `unmirage demo` and `unmirage study`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from unmirage.api import report
from unmirage.errors import UserError, unknown
from unmirage.evaluate import Results
from unmirage.records import Failure
from unmirage.run import Run, open_run, write_text_atomic
from unmirage.run.directory import has_only_settings
from unmirage.run.machine import commit_of_checkout
from unmirage.run.progress import Progress, prefixed
from unmirage.testbed import decoder_settings, methods_settings, relearn, settings
from unmirage.testbed.decoder_base import decoder_of
from unmirage.testbed.documents import FullDemo, MethodsComparison, Relearning, SettingsChoice
from unmirage.testbed.full import MIRAGE, copy_for_report, full
from unmirage.testbed.methods import open_methods
from unmirage.testbed.methods_summary import summarize_methods
from unmirage.testbed.relearn_table import summarize_relearning
from unmirage.testbed.settings_search import SettingsSearch
from unmirage.testbed.study import Seeds, base_choice, open_study, refuse_old_world
from unmirage.testbed.summary import summarize
from unmirage.workflows.processes import cores

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Demo:
    """A finished demo.

    Attributes:
        run: the run directory, with results.json and report.html.
        results: rates, pooled over the worlds.
        more: the document of `full` for each world, if it was asked for.
        failures: queries without a response.
    """

    run: Run
    results: Results
    more: list[FullDemo]
    failures: list[Failure]


def run_demo(
    out: Path,
    arms: Sequence[str],
    worlds: Iterable[int],
    *,
    signal: float = 0.0,
    workers: int | None = None,
    train_base: bool = False,
    decoder: str | Path | None = None,
    base_steps: int | None = None,
    everything: bool = False,
    progress: Progress,
) -> Demo:
    """Audit, align, attack, evaluate and report on synthetic worlds.

    Args:
        out: run directory; an unfinished one is continued.
        arms: names of the models to train; none for those of the demo, "all" for all.
        worlds: seeds of the worlds.
        signal: correlation between a visible mark and being restricted.
        workers: training processes; None for the number of cores, at most 2.
        train_base: train the base model of world 0 instead of using the shipped one.
        decoder: text decoder of the base model: a directory, GGUF file, hub id or name; None for the tiny model's.
        base_steps: maximum number of steps of the base training with a decoder.
        everything: also search for words that are not in the data, and explain refusals.
        progress: called after each step.

    Raises:
        UserError: an arm is unknown or missing, the run directory has other settings, or the base model does not learn
            the world.
    """
    _check_decoder_options(decoder, base_steps, train_base=train_base, everything=everything)
    chosen = settings.study_settings(arms_of(arms), signal)
    if decoder is not None:
        chosen = decoder_settings.decoder_study_settings(decoder_of(decoder), arms_of(arms), signal, base_steps)
    if everything and MIRAGE not in chosen.models:
        raise UserError(f"--full: needs the model '{MIRAGE}'; add it to --arms")
    seeds = list(worlds)
    refuse_old_world(out)
    if out.is_dir() and not has_only_settings(out):  # else its settings are replaced
        _refuse_other_decoder(out, chosen)
        _refuse_other_arms(out, chosen.models)
    with ExitStack() as stack:
        config = {"demo": True, **chosen.model_dump(mode="json"), **base_choice(train_base)}
        run = stack.enter_context(open_run(out, config))
        studies, more = [], []
        for seed in seeds:
            told = prefixed(progress, f"world {seed}") if len(seeds) > 1 else progress
            where = out / f"seed-{seed}"
            opened = open_study(where, chosen, Seeds.all(seed), told, train_base=train_base, decoder=decoder)
            study = stack.enter_context(opened)
            study.complete(workers or cores())
            studies.append(study)
            if everything:
                more.append(full(study))
        failures = [failure for study in studies for failure in study.failures()]
        results = summarize(studies)
        run.write_json(run.results_file, results.to_dict())
        write_text_atomic(run.path / "audit.json", studies[0].audit_file.read_text(encoding="utf-8"))
        if everything:
            run.write_json(run.path / FullDemo.FILE, {"seeds": [one.to_dict() for one in more]})
            copy_for_report(studies[0], run.path)
        report(run)
    return Demo(run, results, more, failures)


def _check_decoder_options(
    decoder: str | Path | None, base_steps: int | None, *, train_base: bool = False, everything: bool = False
) -> None:
    """Raise `UserError` for an option that has no effect with or without a decoder."""
    if decoder is None and base_steps is not None:
        raise UserError("--base-steps: has an effect only with --decoder; add it, or leave --base-steps out")
    if decoder is not None and train_base:
        raise UserError("--train-base: has no effect with --decoder, whose base model is always trained; leave it out")
    if decoder is not None and everything:
        raise UserError("--full: takes days with --decoder and is not supported; use `unmirage search` on the models")


def arms_of(names: Sequence[str]) -> list[str]:
    """Return the arms with these names in table order; those of the demo for none, all for "all".

    Raises:
        UserError: an arm is unknown.
    """
    if list(names) == ["all"]:
        return list(settings.ARMS)
    if missing := [name for name in names if name not in settings.ARMS]:
        raise unknown("arm", missing[0], settings.ARMS)
    return [name for name in settings.ARMS if name in names] if names else list(settings.DEMO_ARMS)


def _refuse_other_arms(out: Path, arms: Collection[str]) -> None:
    """Raise `UserError` if the run directory has other arms, because its configuration cannot change."""
    run = Run(out)
    before = run.config().get("models") if run.config_file.is_file() else None
    if isinstance(before, dict) and set(before) != set(arms):
        raise UserError(
            f"{out}: was made with --arms {','.join(before)}, now {','.join(arms)}; name a new directory with --out"
        )


def _refuse_other_decoder(out: Path, chosen: settings.StudySettings) -> None:
    """Raise `UserError` if the run directory has another decoder; other settings would hide this difference."""
    before = Run(out).config() if Run(out).config_file.is_file() else None
    if before is None or "demo" not in before:
        return
    had = before.get("decoder")
    has = chosen.decoder.name if isinstance(chosen, decoder_settings.DecoderStudySettings) else None
    name = had.get("name") if isinstance(had, dict) else None
    if name != has:
        was, now = (f"with --decoder {one}" if one else "without --decoder" for one in (name, has))
        raise UserError(f"{out}: was made {was}, now {now}; name a new directory with --out")


def compare_methods(
    out: Path,
    seeds: Sequence[int],
    *,
    signal: float = 0.0,
    rows: Sequence[str] = (),
    keep_models: bool = False,
    summary: bool = True,
    progress: Progress,
) -> MethodsComparison | None:
    """Train every alignment method on each seed's world, ask the same questions, and return the document.

    Args:
        out: run directory, with a folder per seed; unfinished seeds are continued.
        seeds: seeds of the worlds.
        signal: correlation between a visible mark and being restricted.
        rows: names of the rows to run; none for all.
        keep_models: keep the model of every row.
        summary: return the document; otherwise None.
        progress: called after each step.
    """
    chosen = methods_settings.MethodsSettings().with_signal(signal)
    with _completed(
        out,
        seeds,
        lambda path, seed, told: open_methods(path, chosen, seed, told, keep_models=keep_models),
        lambda study: study.complete(rows),
        progress,
    ) as studies:
        return summarize_methods(studies, commit_of_checkout()) if summary else None


def attack_repairs(
    out: Path,
    seeds: Sequence[int],
    *,
    signal: float = 0.0,
    models: Sequence[str] = (),
    summary: bool = True,
    progress: Progress,
) -> Relearning | None:
    """Relearn, quantize and sample models, and return the document; see `compare_methods` for the other arguments.

    Args:
        out: run directory; that of `compare_methods` with `keep_models` also provides the models.
        models: names of rows of `compare_methods`; none for the four of the settings.
    """
    chosen = relearn.RelearnSettings()
    changes: dict[str, Any] = {"methods": chosen.methods.with_signal(signal)}
    chosen = chosen.model_copy(update=changes | ({"models": tuple(models)} if models else {}))
    with _completed(
        out,
        seeds,
        lambda path, seed, told: relearn.open_relearn(path, chosen, seed, told),
        lambda study: study.complete(),
        progress,
    ) as studies:
        return summarize_relearning(studies, commit_of_checkout()) if summary else None


def search_settings(
    out: Path,
    seed: int,
    *,
    signal: float = 0.0,
    methods: bool = False,
    decoder: str | Path | None = None,
    base_steps: int | None = None,
    workers: int | None = None,
    progress: Progress,
) -> SettingsChoice:
    """Choose the settings of every arm on validation devices, and return the document.

    `methods` searches for the other unlearning methods of `compare_methods` instead of the arms; see `run_demo` for
    the other arguments.
    """
    _check_decoder_options(decoder, base_steps)
    if decoder is not None and methods:
        raise UserError("--methods: is not supported with --decoder; leave one of them out")
    candidates = None
    if decoder is None:
        starts = methods_settings.OTHER_STARTS if methods else settings.STARTS
        chosen = settings.study_settings((), signal).model_copy(update={"models": starts})
    else:
        facts = decoder_of(decoder)
        candidates = decoder_settings.CANDIDATES
        found = decoder_settings.decoder_starts(facts.layers)
        chosen = decoder_settings.decoder_study_settings(facts, (), signal, base_steps).model_copy(
            update={"models": {name: found[name] for name in decoder_settings.SEARCHED}}
        )
    with open_study(out, chosen, Seeds.all(seed), progress, decoder=decoder) as study:
        search = SettingsSearch(study, candidates)
        search.complete(workers or cores())
        return search.document(commit_of_checkout())


@contextmanager
def _completed(
    folder: Path,
    seeds: Sequence[int],
    open_one: Callable[[Path, int, Progress], AbstractContextManager[One]],
    complete: Callable[[One], None],
    progress: Progress,
) -> Iterator[list[One]]:
    """Complete the study of every seed, and yield the studies with their locks held.

    Raises:
        UserError: a directory was made with an earlier version of the synthetic world; no seed has run yet.
    """
    folders = {seed: folder / f"seed-{seed}" for seed in seeds}
    for path in folders.values():
        refuse_old_world(path)
    with ExitStack() as stack:
        studies = []
        for seed, path in folders.items():
            study = stack.enter_context(open_one(path, seed, prefixed(progress, f"seed {seed}")))
            complete(study)
            studies.append(study)
        yield studies
