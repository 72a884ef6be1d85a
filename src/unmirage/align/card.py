"""Write the model card (README.md) of an aligned model: method, data, settings, losses."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import yaml
from huggingface_hub import ModelCardData

from unmirage.align.config import AlignConfig
from unmirage.align.parts import adapters_alone, told
from unmirage.align.result import AlignResult
from unmirage.records import SinkCount
from unmirage.text.cards import NO_RATES, front_matter
from unmirage.text.formatting import percent

_TAGS = {"sft": "supervised-fine-tuning", "dpo": "preference-optimization"}
_FIRST_AND_LAST = 10  # number of steps to average losses over


def model_card(
    name: str, base: str, config: AlignConfig, result: AlignResult, hashes: Mapping[str, Mapping[str, str]]
) -> str:
    """Return the card as Markdown with a YAML header.

    Args:
        name, base: the new model, and the model to align as the user gave it.
        config, result: settings and result of the run.
        hashes: hashes of the base model's files and of the data files, by "model" and "data", then by file name.
    """
    head = ModelCardData(
        base_model=base.rstrip("/").rsplit("/", 1)[-1] if base.startswith((".", "/", "~")) else base,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["safety", _TAGS.get(config.method.name, "unlearning"), "unmirage"],
    )
    parts = [front_matter(yaml.safe_load(head.to_yaml())), f"# {name}", _summary(base, config, result)]
    if result.stopped:
        parts.append(f"**Stopped early**: {result.stopped}. The weights are those of step {result.steps}.")
    if result.watched:
        checks = ", ".join(f"{value:.3f} (step {step})" for step, value in result.watched.items())
        parts.append(f"Mean relevance of responses to benign validation queries: {checks}.")
    if result.checks:
        parts.append(_checks(result))
    if told := sink_lines(result.sinks):
        parts.append("\n".join(f"- {line}" for line in told))
    parts += [
        NO_RATES,
        _losses(result.parts),
        "## Sources\n\n| source | file | hash |\n|---|---|---|\n"
        + "\n".join(f"| {what} | {file} | `{one}` |" for what, files in hashes.items() for file, one in files.items()),
        "## Settings\n\n```yaml\n" + yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False) + "```",
    ]
    return "\n\n".join(parts) + "\n"


def _summary(base: str, config: AlignConfig, result: AlignResult) -> str:
    how = "fully"
    if config.lora is not None:
        end = "on 4-bit weights" if config.lora.bits else "merged"
        how = f"{'' if adapters_alone(config) else 'partly '}with LoRA of rank {config.lora.rank}, {end}"
    return (
        f"`{base}` aligned by `{config.method.name}`, trained {how} ({told(config)}), "
        f"{result.steps} steps of {config.batch_size} rows of each set, seed {config.seed}."
    )


def _checks(result: AlignResult) -> str:
    names = sorted({name for one in result.checks.values() for name in one})
    rows = [f"| step | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for step, one in result.checks.items():
        rows.append(f"| {step} | " + " | ".join(f"{one[name]:.4g}" if name in one else "" for name in names) + " |")
    return f"Checks on held-out data; the weights are those of step {result.steps}:\n\n" + "\n".join(rows)


def sink_lines(sinks: Mapping[str, SinkCount]) -> list[str]:
    """Return a line for each stream with attention sinks, which losses on representations leave out."""
    return [
        f"{name}: {one.sinks} of {one.places} places ({percent(one.sinks / one.places)}) are attention sinks, "
        "which losses on representations leave out (method.sink_ratio)"
        for name, one in sinks.items()
        if one.sinks
    ]


def _losses(steps: list[dict[str, float]]) -> str:
    rows = ["| part of the loss | first steps | last steps |", "|---|---|---|"]
    for part in steps[0] if steps else ():
        first, last = (
            fmean(step[part] for step in some) for some in (steps[:_FIRST_AND_LAST], steps[-_FIRST_AND_LAST:])
        )
        rows.append(f"| {part} | {first:.4g} | {last:.4g} |")
    return "## Losses\n\n" + "\n".join(rows)
