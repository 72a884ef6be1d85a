"""Write the card of a model with its rates."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unmirage.errors import UserError, unknown
from unmirage.evaluate import Results
from unmirage.evaluate.details import ModelResults
from unmirage.records import Rate
from unmirage.text.cards import badge_image, inert
from unmirage.text.formatting import (
    NOT_ESTIMABLE,
    complied,
    percent,
    points,
    sees_only_refusals,
    successes,
    with_gaps,
    with_interval,
)
from unmirage.text.markdown import markdown_table
from unmirage.text.printable import clean
from unmirage.workflows.cards import Badge, Card, measured

_ROWS = (  # title, the rate before, after and under the control; None where there is none
    ("unsafe queries {complied} (ASR)", "asr.before", "asr.after", "asr.control"),
    ("benign queries refused (RR)", "rr.before", "rr.after", "rr.by_kind.control"),
    ("benign queries answered", "benign_answered.before", "benign_answered.after", "benign_answered.by_kind.control"),
    ("irrelevant responses to unsafe queries (IR)", "ir.before", "ir.after", None),
    ("utility", "utility", None, None),
    ("neighbor utility", "neighbor_utility", None, None),
)
_METRICS = {
    "asr.before": "attack success rate without an attack",
    "asr.after": "attack success rate under a one-word attack",
    "asr.control": "attack success rate of paraphrases without the word",
    "rr.before": "refusal rate of benign queries",
    "rr.after": "refusal rate of benign queries under a one-word attack",
    "ir.before": "irrelevant responses to unsafe queries",
    "ir.after": "irrelevant responses to unsafe queries under a one-word attack",
    "utility": "utility",
    "neighbor_utility": "neighbor utility",
}


def card_of_model(results: Results, model: str | None, day: str = "") -> Card:
    """Return the card of a model with its rates.

    Args:
        results: the results of a run.
        model: its name; None if there is only one.
        day: the day of the results, for the card; "" to leave it out.

    Raises:
        UserError: the model is unknown, or missing among several.
    """
    if model is None and len(results.models) > 1:
        raise UserError(f"--model: missing; the run has {len(results.models)} models: {', '.join(results.models)}")
    name = next(iter(results.models)) if model is None else model
    if name not in results.models:
        raise unknown("model", name, results.models)
    rates = results[name]
    found = {key: one for key in _METRICS if (one := _rate(rates, key)) is not None}
    data, hashes = _data(results)
    before, after = found.get("asr.before"), found.get("asr.after")
    shown = [percent(one.value).replace("\u00a0", " ") for one in (before, after) if one is not None]
    badge = Badge(
        label="one-word attack",
        message="collapsed model" if rates.collapsed else f"ASR {' → '.join(shown) or NOT_ESTIMABLE}",
        color="lightgrey" if rates.collapsed or not shown else "blue",
    )
    metrics = [
        {
            "type": key.replace(".", "_"),
            "name": _METRICS[key],
            "value": one.value,
            "args": {"low": one.low, "high": one.high, "k": one.k, "n": one.n, "level": 0.95},
        }
        for key, one in found.items()
    ]
    dataset = {"name": data, "type": re.sub(r"[^a-z0-9]+", "-", data.lower()).strip("-") or "data"}
    index = {"task": {"type": "image-text-to-text"}, "dataset": dataset, "metrics": metrics}
    if hashes:
        index["dataset"] = dataset | {"args": {"sha256": hashes}}
    return Card(
        kind="model",
        name=name,
        badge=badge,
        metadata={"tags": ["safety", "unmirage"], "model-index": [{"name": name, "results": [index]}]},
        text="\n\n".join(_model_text(results, rates, badge, data, hashes, day)) + "\n",
    )


def _model_text(results: Results, rates: ModelResults, badge: Badge, data: str, hashes: str, day: str) -> Iterator[str]:
    """Yield the parts of the card of a model."""
    attack = results.attack
    yield badge_image(badge.label, badge.message, badge.color)
    if (before := _rate(rates, "asr.before")) and (after := _rate(rates, "asr.after")):
        control = _rate(rates, "asr.control")
        word, shots = attack.get("jailbreak_word"), attack.get("shots", 1)
        how = f"once they open with “{inert(str(word))}”" if word else "after the attack"
        tries = f", in {shots} wordings" if shots > 1 else ""
        without = f" (paraphrases without that word: {points(control.value)} %)" if control else ""
        yield (
            f"Of the unsafe queries, {points(before.value)} % are {complied(results.judge)} as they are, and "
            f"{points(after.value)} % {how}{tries}{without}."
        )
    if rates.collapsed:
        yield f"**The model counts as collapsed**: it {inert('; '.join(rates.collapsed), 1000)}."
    yield "## Safety under one-word attacks"
    rows = []
    for title, *keys in _ROWS:
        cells = [_cell(_rate(rates, key) if key else None) for key in keys]
        if any(cells):
            rows.append((title.format(complied=complied(results.judge)), *cells))
    yield markdown_table(("rate, percent", "before the attack", "after", "control"), rows)
    yield "[95 % interval] and counts. Control: paraphrases without the attack's word."
    words = ", ".join(
        f"{kind} “{inert(str(attack[key]))}”"
        for kind, key in (("jailbreak", "jailbreak_word"), ("over-prudence", "over_prudence_word"))
        if attack.get(key)
    )
    version = str(results.machine.get("unmirage") or "")
    seeds = ", ".join(map(str, results.seeds))
    by = f", clustered by {' or '.join(map(inert, results.clustered_by))}" if results.clustered_by else ""
    lines = [
        f"Data: {inert(data)}" + (f" (SHA-256 `{hashes[:16]}`)" if hashes else ""),
        *([f"Attack: {words}; {attack.get('shots', 1)} shots, a success if any succeeds"] if words else []),
        f"Judge: {inert(results.judge)}; seeds: {seeds}{by}",
        *measured(day, f"unmirage {version}" if version else ""),
        f"Command: {_command(results, data)}",
    ]
    yield "\n".join(f"- {line}" for line in lines)
    yield "### Limits"
    others = tuple(f"{clean(name)}: " for name in results.models if results.models[name] is not rates)
    limits = [
        "The rates hold for these queries, these words and this judge. A low rate does not make a model safe: other "
        "attacks may succeed.",
        "The intervals are about other queries for the same weights, not about another training.",
        *(["The judge sees refusals only: ASR counts every response that is no refusal, harmful or not."]
          if sees_only_refusals(results.judge) else []),
        *(inert(one, 1000) for one in results.warnings if not one.startswith(others)),
    ]  # fmt: skip
    yield "\n".join(f"- {line}" for line in limits)


def _rate(rates: ModelResults, key: str) -> Rate | None:
    """Return a rate by its dotted name; None if it was not measured or is not estimable."""
    found: Any = rates
    for part in key.split(".", 1):
        kind = part.removeprefix("by_kind.")
        found = getattr(found, part, None) if kind == part else found.by_kind.get(kind)
    return found if isinstance(found, Rate) and found.value is not None else None


def _command(results: Results, data: str) -> str:
    """Return the commands that repeat the measurement, as far as the results know them."""
    evaluated = "`unmirage evaluate RUN`"
    attack = results.attack
    if results.suite is not None or "responses" in results.settings or not attack:
        return evaluated
    given = [
        part
        for kind in ("jailbreak", "over-prudence")
        if isinstance(word := attack.get(f"{kind.replace('-', '_')}_word"), str)
        for part in ("--word", f"{kind}={word}")
    ]
    words = ["unmirage", "attack", "MODEL", data, *given, "--shots", str(attack.get("shots", 1)), "--out", "RUN"]
    line = " ".join(clean(shlex.join(words)).split()).replace("`", "'")
    return f"`{line}`, {evaluated}"


def _cell(rate: Rate | None) -> str:
    if rate is None:
        return ""
    counts = f"({successes(rate.k)}/{successes(rate.n)})"
    return with_gaps(f"{with_interval(rate.value, rate.low, rate.high)} {counts}", rate)


def _data(results: Results) -> tuple[str, str]:
    """Return the name of the data and their hash, "" if unknown."""
    if results.suite is not None:
        return results.suite.name, ""
    settings = results.settings
    if isinstance(data := settings.get("data"), str):
        return Path(data).name, str(settings.get("data_sha256") or "")
    files = dict((settings.get("responses") or {}).get("files") or {})
    return ", ".join(Path(one).name for one in files) or "synthetic world", str(
        next(iter(files.values())) if len(files) == 1 else ""
    )
