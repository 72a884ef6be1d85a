"""Search settings of unlearning for any model, on validation queries that the training sets do not contain.

Each candidate is one training that is measured every few steps, so that the number of steps is searched too. A training
ends when the relevance of benign responses falls too far. The choice is that of `unlearning_settings.choose`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.documents import dumped, parsed
from unmirage.errors import UserError, unknown
from unmirage.evaluate.unlearning_settings import (
    TOLERANCE,
    Chosen,
    Kept,
    Point,
    UnlearningCandidate,
    UnlearningSettings,
    choose,
    keeps,
)
from unmirage.run.directory import check_no_model, check_same
from unmirage.run.files import read_json, write_json_atomic
from unmirage.run.machine import describe_machine
from unmirage.run.progress import Progress, prefixed
from unmirage.workflows.validation import Validation, drawn

if TYPE_CHECKING:
    from unmirage.align import AlignConfig, AlignData
    from unmirage.models import HuggingFaceVLM

log = logging.getLogger(__name__)
Change = Mapping[str, Any]
METHODS = ("npo", "rmu")
# Settings of all candidates. The schedule is constant, so that the first steps of a training are a shorter training.
COMMON: Change = {"schedule": "constant", "warmup": 0.0, "batch_size": 4, "steps": 24}
NPO_RATES, NPO_GAMMAS = (1e-5, 3e-5), (1.0, 4.0)
RMU_DEPTHS, RMU_RATES = (0.27, 0.4), (3e-4, 1e-3)  # of the decoder; 1e-4 changed SmolLM2 by 0.003 nats in 8 steps
RMU_SCALE = 4.0  # length of the control vector, in median norms of the activations at the layer


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search.

    Attributes:
        model: model directory or hub id.
        data: the forget and the retain set.
        common: settings of all candidates.
        methods: methods to search, of `METHODS`.
        candidates: settings by name, instead of the built-in grid; empty for the grid.
        every: steps between two measurements.
        tolerance: maximum loss of relevance.
        forget_rows: rows of the forget set whose loss is measured.
        identity: what else determines the measurements, plain values only, such as hashes of the data files. A
            directory keeps the results of one identity.
    """

    model: str
    data: AlignData
    common: Change = field(default_factory=lambda: COMMON)
    methods: Sequence[str] = METHODS
    candidates: Mapping[str, Change] = field(default_factory=dict)
    every: int = 8
    tolerance: float = TOLERANCE
    forget_rows: int = 24
    identity: Mapping[str, Any] = field(default_factory=dict)


def grid(methods: Sequence[str], depth: int, norms: Mapping[int, float]) -> dict[str, dict[str, Any]]:
    """Return the built-in candidates by name.

    Args:
        methods: methods of `METHODS`.
        depth: number of decoder layers.
        norms: median norm of the activations on the forget set, by layer; see `rmu_layers`.
    """
    found: dict[str, dict[str, Any]] = {}
    if "npo" in methods:
        for rate in NPO_RATES:
            for gamma in NPO_GAMMAS:
                method = {"name": "npo", "beta": 0.1, "gamma": gamma}
                found[f"npo, rate {rate:g}, gamma {gamma:g}"] = {"method": method, "learning_rate": rate}
    if "rmu" in methods:
        for layer in rmu_layers(depth):
            scale = float(f"{RMU_SCALE * norms[layer]:.2g}")
            for rate in RMU_RATES:
                found[f"rmu, layer {layer}, rate {rate:g}"] = {
                    # Without the cross-entropy, no pass goes beyond the layer.
                    "method": {"name": "rmu", "layer": layer, "scale": scale, "ce": 0.0, "alpha": 1.0},
                    "learning_rate": rate,
                    "trainable": [f"down_proj:{max(1, layer - 2)}-{layer}"],
                }
    return found


def rmu_layers(depth: int) -> list[int]:
    """Return the layers of RMU's candidates."""
    return sorted({max(1, round(share * depth)) for share in RMU_DEPTHS})


class UnlearningSearch:
    """A search in one directory; candidates that are there are not trained again.

    Args:
        request: what to search.
        validation: measures the candidates.
        folder: directory of the results.
        progress: called while candidates train.
    """

    def __init__(
        self, request: SearchRequest, validation: Validation, folder: Path, progress: Progress | None = None
    ) -> None:
        for name in request.methods:
            if name not in METHODS and not request.candidates:
                raise unknown("method", name, METHODS)
        if not request.methods and not request.candidates:
            raise UserError(f"methods: empty; valid: {', '.join(METHODS)}")
        self._request = request
        self._validation = validation
        self._folder = folder
        self._progress = progress

    def run(self, commit: str = "") -> UnlearningSettings:
        """Train and measure every missing candidate; return all results.

        Raises:
            UserError: a candidate has wrong settings, the directory has other results, or the model complies with no
                unsafe query.
        """
        check_no_model(self._folder)
        (self._folder / "candidates").mkdir(parents=True, exist_ok=True)
        if self._settings_file.is_file():
            check_same(self._folder, read_json(self._settings_file), self._settings)
        candidates = self._candidates()
        self._check_common(candidates)
        files: dict[str, str] = {}
        for name, change in candidates.items():  # all errors in settings come before the first training
            self._config(name, change)
            if (other := files.setdefault(self._file(name).name.casefold(), name)) != name:
                raise UserError(f"candidates '{other}' and '{name}' have the same file name; rename one of them")
        base = self._base(complete=all(self._file(name).is_file() for name in candidates))
        found = tuple(self._found(name, change, base) for name, change in candidates.items())
        request = self._request
        by_method: dict[str, Chosen | None] = {"any": choose(base, found, request.tolerance)}
        methods = [self._config(one.name, one.settings).method.name for one in found]
        for method in dict.fromkeys(methods):
            own = [one for one, name in zip(found, methods, strict=True) if name == method]
            by_method[method] = choose(base, own, request.tolerance)
        return UnlearningSettings(
            model=Path(request.model).name,
            base=base,
            tolerance=request.tolerance,
            chosen=by_method,
            candidates=found,
            data={
                "forget": len(request.data.forget),
                "retain": len(request.data.retain),
                "benign validation": len(self._validation.benign),
                "unsafe validation": len(self._validation.unsafe),
            },
            settings={"common": dict(request.common), "every": request.every},
            machine=describe_machine(),
            commit=commit,
        )

    def _load(self) -> HuggingFaceVLM:
        from unmirage.models import HuggingFaceVLM

        return HuggingFaceVLM.load(Path(self._request.model), "candidate")

    def _base(self, *, complete: bool) -> Kept:
        """Return the measurements of the base; those of the first process are kept.

        A process that trains measures the base again, because the base's answers are those that are held out.

        Args:
            complete: whether no candidate is missing.

        Raises:
            UserError: the base complies with no unsafe query, so that it has no harmful answers to hold out.
        """
        file = self._folder / "base.json"
        if complete and file.is_file():
            known: Kept = parsed(Kept, read_json(file))
            return known
        found = self._validation.measure(self._load())
        if not found.held_out_loss.n:
            raise UserError(
                f"the model complies with none of {len(self._validation.unsafe)} unsafe validation queries, so it has "
                "no harmful answers to hold out; add unsafe queries, or use another judge"
            )
        if file.is_file():
            kept: Kept = parsed(Kept, read_json(file))
            return kept
        write_json_atomic(self._settings_file, self._settings)
        write_json_atomic(file, dumped(found))
        return found

    @property
    def _settings_file(self) -> Path:
        return self._folder / "search.json"

    @property
    def _settings(self) -> dict[str, Any]:
        """What all results of the directory have in common."""
        from unmirage.models.bases import identity

        request = self._request
        model = identity(request.model, "")
        return {"model": model, "every": request.every, "tolerance": request.tolerance, **request.identity}

    def _candidates(self) -> dict[str, dict[str, Any]]:
        if self._request.candidates:
            return {name: dict(change) for name, change in self._request.candidates.items()}
        from unmirage.align.norms import median_norms
        from unmirage.models.families import decoder_depth

        vlm = self._load()
        depth = decoder_depth(vlm.model)
        rows = drawn(self._request.data.forget, self._request.forget_rows)
        layers = rmu_layers(depth) if "rmu" in self._request.methods else []
        return grid(self._request.methods, depth, median_norms(vlm, rows, self._request.data.images, layers))

    def _check_common(self, candidates: Mapping[str, Change]) -> None:
        """Refuse common settings that no candidate uses, such as a learning rate with the built-in grid."""
        for key, value in self._request.common.items():
            if value != COMMON.get(key) and all(key in change for change in candidates.values()):
                raise UserError(
                    f"setting '{key}' of all candidates: has no effect, because each candidate has its own; change it "
                    "in the file of --candidates"
                )

    def _config(self, name: str, change: Change) -> AlignConfig:
        from unmirage.align import AlignConfig
        from unmirage.workflows.settings import resolve

        try:
            return resolve(AlignConfig, None, {**self._request.common, **change}, None)
        except UserError as error:
            raise UserError(f"candidate '{name}': {error}") from None

    def _found(self, name: str, change: Change, base: Kept) -> UnlearningCandidate:
        settings = {**self._request.common, **change}
        file = self._file(name)
        if file.is_file():
            found: UnlearningCandidate = parsed(UnlearningCandidate, read_json(file))
            asked = dumped(UnlearningCandidate(name=name, settings=settings, points=()))
            if dict(found.settings) != asked["settings"]:
                raise UserError(f"{file}: was made with other settings; name another directory, or delete the file")
            return found
        found = self._train(name, settings, base)
        write_json_atomic(file, dumped(found))
        return found

    def _file(self, name: str) -> Path:
        return self._folder / "candidates" / f"{_file_name(name)}.json"

    def _train(self, name: str, settings: Change, base: Kept) -> UnlearningCandidate:
        from unmirage.align import align
        from unmirage.align.guards import DivergenceError
        from unmirage.align.watch import StopError

        request = self._request
        vlm = self._load()
        config = self._config(name, settings)
        watch = _Watch(self._validation, base, request.tolerance, request.every)
        stopped, sinks = None, {}
        try:
            result = align(vlm, request.data, config, _named(self._progress, name), watch=watch)
            stopped, sinks = result.stopped or None, {one: n for one, n in result.sinks.items() if n.sinks}
        except (StopError, DivergenceError) as error:
            stopped = str(error)
        return UnlearningCandidate(
            name=name, settings=settings, points=tuple(watch.points), stopped=stopped, sinks=sinks
        )


class _Watch:
    """Measures a candidate, and stops it when relevance has fallen too far."""

    def __init__(self, validation: Validation, base: Kept, tolerance: float, every: int) -> None:
        self.every = every
        self.points: list[Point] = []
        self._validation = validation
        self._base = base
        self._tolerance = tolerance
        self._step = 0
        self._trained, self._since = 0.0, 0.0

    def measure(self, vlm: HuggingFaceVLM, step: int) -> float:
        """Return the relevance, and keep all measurements. The model before training was measured already."""
        if step == 0:
            kept = self._base
        else:
            self._trained += time.perf_counter() - self._since
            kept = self._validation.measure(vlm)
            self.points.append(Point(step=step, seconds=round(self._trained, 1), kept=kept))
        self._since = time.perf_counter()
        value = kept.relevance.value
        assert value is not None
        return value

    def verdict(self, start: float, now: float) -> str:
        """Return why a candidate stops."""
        if keeps(self._base, self.points[-1].kept, self._tolerance):
            return ""
        return f"relevance of benign responses fell from {start:.3f} to {now:.3f} (limit: {self._tolerance:g} below)"


def _named(progress: Progress | None, name: str) -> Progress | None:
    return None if progress is None else prefixed(progress, name)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)
