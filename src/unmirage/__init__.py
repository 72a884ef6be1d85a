"""Find the safety mirage in a vision-language model's safety data and in the model, and remove it.

    import unmirage as um

    audit = um.audit("vlguard/train.json")
    run = um.attack("llava-hf/llava-1.5-7b-hf", "vlguard/test.json", words={"jailbreak": "what"}, out="run")
    print(um.evaluate(run))

Names are imported when they are first used, so that `import unmirage` loads neither torch nor scipy.
"""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from unmirage.imports import watch

if TYPE_CHECKING:
    from unmirage.align import AlignConfig as AlignConfig
    from unmirage.align.methods import AdaptiveRmuConfig as AdaptiveRMU
    from unmirage.align.methods import DpoConfig as DPO
    from unmirage.align.methods import GaConfig as GA
    from unmirage.align.methods import GradDiffConfig as GradDiff
    from unmirage.align.methods import KlMinConfig as KLMin
    from unmirage.align.methods import NpoConfig as NPO
    from unmirage.align.methods import RmuConfig as RMU
    from unmirage.align.methods import SftConfig as SFT
    from unmirage.align.methods import SimNpoConfig as SimNPO
    from unmirage.align.methods import TaskVectorConfig as TaskVector
    from unmirage.api import (
        align,
        attack,
        audit,
        benchmark,
        calibrate,
        convert,
        dataset_card,
        evaluate,
        explain,
        export,
        graft,
        judge,
        load_model,
        model_card,
        prepare,
        report,
        search,
        search_unlearning,
        stress,
        view,
    )
    from unmirage.attack.documents import Explanation as Explanation
    from unmirage.attack.documents import SearchResult as SearchResult
    from unmirage.audit import AuditResult as AuditResult
    from unmirage.errors import UserError as UserError
    from unmirage.evaluate import Results as Results
    from unmirage.evaluate.calibration import JudgeCalibration as JudgeCalibration
    from unmirage.pretrained.documents import PretrainedStudy as PretrainedStudy
    from unmirage.pretrained.run import study_pretrained as study_pretrained
    from unmirage.run import Run as Run
    from unmirage.workflows.cards import Card as Card

__version__ = "0.1.0"

__all__ = [
    "DPO",
    "GA",
    "NPO",
    "RMU",
    "SFT",
    "AdaptiveRMU",
    "AlignConfig",
    "AuditResult",
    "Card",
    "Explanation",
    "GradDiff",
    "JudgeCalibration",
    "KLMin",
    "PretrainedStudy",
    "Results",
    "Run",
    "SearchResult",
    "SimNPO",
    "TaskVector",
    "UserError",
    "__version__",
    "align",
    "attack",
    "audit",
    "benchmark",
    "calibrate",
    "convert",
    "dataset_card",
    "evaluate",
    "explain",
    "export",
    "graft",
    "judge",
    "load_model",
    "model_card",
    "prepare",
    "report",
    "search",
    "search_unlearning",
    "stress",
    "study_pretrained",
    "view",
]

# Classes, and functions outside `unmirage.api`, by public name: the module, and the name there.
_CLASSES = {
    "AdaptiveRMU": ("unmirage.align.methods", "AdaptiveRmuConfig"),
    "AlignConfig": ("unmirage.align", "AlignConfig"),
    "AuditResult": ("unmirage.audit", "AuditResult"),
    "Card": ("unmirage.workflows.cards", "Card"),
    "DPO": ("unmirage.align.methods", "DpoConfig"),
    "Explanation": ("unmirage.attack.documents", "Explanation"),
    "GA": ("unmirage.align.methods", "GaConfig"),
    "GradDiff": ("unmirage.align.methods", "GradDiffConfig"),
    "JudgeCalibration": ("unmirage.evaluate.calibration", "JudgeCalibration"),
    "KLMin": ("unmirage.align.methods", "KlMinConfig"),
    "NPO": ("unmirage.align.methods", "NpoConfig"),
    "RMU": ("unmirage.align.methods", "RmuConfig"),
    "PretrainedStudy": ("unmirage.pretrained.documents", "PretrainedStudy"),
    "Results": ("unmirage.evaluate", "Results"),
    "Run": ("unmirage.run", "Run"),
    "SFT": ("unmirage.align.methods", "SftConfig"),
    "SearchResult": ("unmirage.attack.documents", "SearchResult"),
    "SimNPO": ("unmirage.align.methods", "SimNpoConfig"),
    "TaskVector": ("unmirage.align.methods", "TaskVectorConfig"),
    "UserError": ("unmirage.errors", "UserError"),
    "study_pretrained": ("unmirage.pretrained.run", "study_pretrained"),
}
_FUNCTIONS = frozenset(__all__) - frozenset(_CLASSES) - {"__version__"}

logging.getLogger("unmirage").addHandler(logging.NullHandler())
watch()


class _CallablePackage(ModuleType):
    """A package that can be called as the public function of its name, such as `unmirage.audit`."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.__wrapped__(*args, **settings)

    @property
    def __wrapped__(self) -> Any:
        """Return the function, for `inspect.signature`."""
        return getattr(importlib.import_module("unmirage.api"), self.__name__.rpartition(".")[2])


class _Unmirage(ModuleType):
    """This package. Its subpackages of the same name as a public function become callable when they are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in _FUNCTIONS:
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in _CLASSES:
            module, own = _CLASSES[name]
            return getattr(importlib.import_module(module), own)
        if name in _FUNCTIONS:
            function = getattr(importlib.import_module("unmirage.api"), name)
            return self.__dict__.get(name, function)  # the package of that name, if importing the function loaded it
        raise AttributeError(f"module 'unmirage' has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Unmirage
