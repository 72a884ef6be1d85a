"""The public functions. Each one does the work of the command of the same name, and returns an object.

They accept paths or objects: data is a path or a `SampleFile`, a model is a directory, hub id, "endpoint:URL#name" or
a `VLM`, a run is a directory or a `Run`, a judge is a name or a `Judge`. They print nothing, log to
"unmirage", and call `progress` with (stage, done, total).
"""

from unmirage.api.judge import judge
from unmirage.api.measure import attack, benchmark, calibrate, evaluate
from unmirage.api.models import convert, graft, load_model
from unmirage.api.publish import dataset_card, export, model_card, report, view
from unmirage.api.train import align, prepare, stress
from unmirage.api.understand import audit, explain, search
from unmirage.api.unlearning import search_unlearning

__all__ = [
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
    "view",
]
