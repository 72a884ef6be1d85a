"""Compare alignment methods on one world: train, attack and judge every row, and write its rates.

Finished rows are not run again. In an interrupted row, training starts again, and responses are kept.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from unmirage.align import METHODS, AlignConfig, AlignData, AlignResult, align
from unmirage.align.guards import DivergenceError
from unmirage.align.methods import make_method
from unmirage.data import load_samples
from unmirage.data.sample import draw_stratified
from unmirage.errors import UserError, unknown
from unmirage.evaluate import ExactJudge, judge_run, judged_outcomes, model_rates
from unmirage.evaluate.judges.exact import Truth
from unmirage.evaluate.outcomes import Outcome
from unmirage.models import HuggingFaceVLM
from unmirage.records import Query, Sample
from unmirage.run import open_run
from unmirage.run.files import read_object
from unmirage.run.model import save_model
from unmirage.run.progress import Progress
from unmirage.testbed.methods_rates import COLUMNS
from unmirage.testbed.methods_settings import IDK, RATIONALES, MethodsSettings, RowSettings, write_more_sets
from unmirage.testbed.sets import FORGET, PAIRS, RETAIN, read_pairs, read_set, set_file
from unmirage.testbed.settings import MIXED
from unmirage.testbed.study import Seeds, Study, refuse_old_world
from unmirage.testbed.workers import training_record
from unmirage.workflows.processes import one_thread

EXACT = "exact"
_ENDS = 10  # steps to average for the losses at the start and at the end


class MethodsStudy:
    """All rows on one seed, in that seed's run directory."""

    def __init__(self, study: Study, settings: MethodsSettings, *, keep_models: bool = False) -> None:
        self.study = study
        self.settings = settings
        self._keep_models = keep_models
        self._more_sets = study.run.path / "more-sets"

    def complete(self, names: Sequence[str] = ()) -> None:
        """Run the missing rows of `names` and of their initial models; all missing rows by default."""
        wanted = self._with_starts(names or list(self.settings.rows))
        self.study.prepare()
        if not self._more_sets.is_dir():
            with self.study.stage("more sets"):
                write_more_sets(self.study.run.data, self._more_sets, self.study.seed)
        for name in wanted:
            if self.row(name) is None:
                self._run(name, self.settings.rows[name])
            if not self._keep_models and name not in {row.start for row in self.settings.rows.values()}:
                shutil.rmtree(self.study.run.model(name), ignore_errors=True)

    def row(self, name: str) -> dict[str, Any] | None:
        """Return the record of a row, with its training and its rates on this seed; None if it has not been run."""
        file = self._file(name)
        found = _read(file)
        if found is not None and found["settings"] != self.settings.rows[name].model_dump(mode="json"):
            raise UserError(f"{file}: made with other settings of row '{name}'; name a new run with --out")
        return found

    def outcomes(self, name: str, group: int, queries: Sequence[Query] | None = None) -> list[Outcome]:
        """Return the verdicts on the responses to `queries`, by default those of a row.

        The store has queries that no model is asked, whose verdicts are not missing.
        """
        asked = {(one.sample_id, one.kind, one.shot) for one in queries or self.questions()}
        with self.study.run.store() as store:
            found = judged_outcomes(store, EXACT, name, group)
        return [one for one in found if (one.sample_id, one.kind, one.shot) in asked]

    def questions(self) -> list[Query]:
        """Return the queries of every row: all queries about a sample of the data, stratified by label and file."""
        chosen = set()
        for name in ("test", "utility", "neighbors"):
            samples = load_samples(self.study.run.data / f"{name}.json").samples
            count = max(1, round(self.settings.questions * len(samples)))
            chosen |= {one.id for one in draw_stratified(samples, count, self.study.seed)}
        with self.study.run.store() as store:
            return [query for query in store.queries() if query.sample_id in chosen]

    def judge(self) -> ExactJudge:
        """Return the exact judge, extended by the other refusals that rows are trained on.

        Otherwise, "This recipe is kept private." in response to a benign question would not count as over-prudence.
        """
        truth = Truth.load(self.study.run.data / Truth.FILE)
        return ExactJudge(replace(truth, refusals=(*truth.refusals, *RATIONALES, *IDK)))

    def _with_starts(self, names: Sequence[str]) -> list[str]:
        """Return the rows in table order, with the rows of their initial models."""
        rows = self.settings.rows
        if missing := [name for name in names if name not in rows]:
            raise unknown("row", missing[0], rows)
        wanted, more = set(names), set(names)
        while more := {rows[name].start for name in more} - wanted:
            wanted |= more
        return [name for name in rows if name in wanted]

    def _file(self, name: str) -> Path:
        return self.study.run.path / "rows" / f"{name}.json"

    def _run(self, name: str, row: RowSettings) -> None:
        trained = {} if row.config is None else self._trained(name, row, row.config)
        document = {
            "row": name,
            "seed": self.study.seed,
            "settings": row.model_dump(mode="json"),
            "questions": len(self.questions()),
            **trained,
        }
        if not trained.get("stopped"):
            started = time.perf_counter()
            with self.study.run.store() as store:
                self.study.ask(store, name, "ask", self.questions())
                judge_run(store, self.judge(), name)
            rates = model_rates(self.outcomes(name, 0))
            document |= {
                "asked_seconds": round(time.perf_counter() - started, 1),
                "rates": {column: asdict(value(rates)) for column, value in COLUMNS.items()},
            }
        self.study.run.write_json(self._file(name), document)

    def _trained(self, name: str, row: RowSettings, config: AlignConfig) -> dict[str, Any]:
        """Train a row if its model is missing; return steps, seconds, losses, and the reason if it was stopped."""
        file = self.study.run.path / "training" / f"{name}.json"
        found = _read(file)
        if found is not None and (found["stopped"] or self.study.run.model(name).is_dir()):
            return found
        start = self.study.run.model(row.start)
        if not start.is_dir():
            return {"steps": 0, "seconds": 0.0, "stopped": f"its initial model '{row.start}' was stopped", "losses": {}}
        vlm = HuggingFaceVLM.load(start, name)
        seeded = self.study.seeded(config)
        data = self._data(row, config)
        started = time.perf_counter()
        try:
            with one_thread():
                result = align(vlm, data, seeded, self.study.stages(name))
        except DivergenceError as error:  # a result of the comparison
            seconds = time.perf_counter() - started
            document = {"steps": error.step, "seconds": round(seconds, 1), "stopped": str(error), "losses": {}}
        else:
            made_with = seeded.model_dump(mode="json")
            save_model(self.study.run.model(name), vlm, made_with, result.state, training=training_record(data))
            document = _training(result)
        self.study.run.write_json(file, document)
        return document

    def _data(self, row: RowSettings, config: AlignConfig) -> AlignData:
        method = make_method(config.method)
        forgets = METHODS[config.method.name][1].forgets
        retain = RETAIN + (MIXED if row.general else "")
        learns = self._set(retain if forgets else row.data) if method.retains else ()
        if row.data == PAIRS:
            pairs = read_pairs(self.study.sets, self.study.run.data)
            return AlignData(retain=learns, pairs=pairs, images=self.study.images)
        forget = self._set(FORGET) if forgets else ()
        return AlignData(retain=learns, forget=forget, images=self.study.images)

    def _set(self, name: str) -> tuple[Sample, ...]:
        folder = self._more_sets if set_file(self._more_sets, name).is_file() else self.study.sets
        return read_set(folder, name, self.study.run.data)


@contextmanager
def open_methods(
    path: Path, settings: MethodsSettings, seed: int, progress: Progress, *, keep_models: bool = False
) -> Iterator[MethodsStudy]:
    """Open (or resume) the run directory of one seed, and lock it."""
    plain = settings.model_dump(mode="json")
    config = {"study": "methods", "seed": seed, "images": "data", "questions": plain["questions"], **plain["study"]}
    refuse_old_world(path)
    with open_run(path, config) as run:
        study = Study(run, settings.study, Seeds.all(seed), progress)
        yield MethodsStudy(study, settings, keep_models=keep_models)


def _training(result: AlignResult) -> dict[str, Any]:
    first, last = result.parts[:_ENDS], result.parts[-_ENDS:]
    return {
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        "stopped": result.stopped,
        "losses": {part: [fmean(step[part] for step in end) for end in (first, last)] for part in first[0]},
    }


def _read(file: Path) -> dict[str, Any] | None:
    return read_object(file) if file.is_file() else None
