"""The public functions. Each does what the command of the same name does, and returns an object.

Paths or objects are accepted: data is a path or a `SampleFile`, a model is a directory, hub id, "endpoint:URL#name" or
a `VLM`, a run is a directory or a `Run`, a judge is a name or a `Judge`. Nothing is printed; messages go to the logger
"unmirage", and `progress` is called with (stage, done, total).
"""

from unmirage.api.measure import attack, audit, benchmark, calibrate, evaluate, load_model, report
from unmirage.api.train import align, prepare, stress
from unmirage.api.understand import explain, search

__all__ = [
    "align",
    "attack",
    "audit",
    "benchmark",
    "calibrate",
    "evaluate",
    "explain",
    "load_model",
    "prepare",
    "report",
    "search",
    "stress",
]
