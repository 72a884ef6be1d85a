"""Summarize the results of a published benchmark, which includes no attack, in sentences."""

from __future__ import annotations

from unmirage.report.documents import ModelRead, ResultsRead, SuiteRead
from unmirage.report.formatting import listed, model_name, percent
from unmirage.text.printable import clean


def summarise_benchmark(results: ResultsRead, suite: SuiteRead) -> list[str]:
    """Return the headline, then a sentence per model if there are several."""
    name = clean(suite.name, 60)
    said = [f"{clean(model_name(model), 60)} {_does(read)}" for model, read in results.models.items()]
    if len(said) == 1:
        return [f"{said[0]} ({name})."]
    return [f"{len(said)} models on {name}, with its original questions.", *(f"{one}." for one in said)]


def _does(model: ModelRead) -> str:
    parts = [f"scores {percent(one.value)} by {clean(scorer, 60)}" for scorer, one in model.scores.items() if one.n]
    if model.asr.before.value is not None:
        parts.append(f"complies with {percent(model.asr.before.value)} of the unsafe queries")
    if model.rr.before.value is not None:
        parts.append(f"refuses {percent(model.rr.before.value)} of the benign ones")
    if model.ir.before.value is not None and model.ir.before.k:
        parts.append(f"gives irrelevant responses to {percent(model.ir.before.value)} of the unsafe ones")
    return listed(parts) if parts else "has no estimable rate"
