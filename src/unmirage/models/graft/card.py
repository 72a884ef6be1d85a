"""Write the model card (README.md) of a grafted model."""

from __future__ import annotations

import yaml
from huggingface_hub import ModelCardData

from unmirage.models.graft.document import Graft, Seen
from unmirage.records import Rate


def graft_card(name: str, record: Graft) -> str:
    """Return the card as Markdown with a YAML header.

    Args:
        name: the new model.
        record: how it was made.
    """
    head = ModelCardData(
        base_model=record.lm,
        license=record.license.lower() or None,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["llava", "unmirage"],
    )
    counts = ", ".join(f"{part} {count:,}" for part, count in record.parameters.items())
    parts = [
        f"---\n{head.to_yaml()}\n---",
        f"# {name}",
        f"The text decoder `{record.lm}` ({record.architecture}) with a small CLIP vision tower and a projector, as a "
        f"LLaVA. Weights: {counts}. The decoder's weights are unchanged.",
        _vision(record.seen),
        _template(record),
        "## Sources\n\n| file | hash |\n|---|---|\n"
        + "\n".join(f"| {file} | `{digest}` |" for file, digest in record.files.items()),
        "## Settings\n\n```yaml\n" + yaml.safe_dump(dict(record.settings), sort_keys=False) + "```",
    ]
    return "\n\n".join(parts) + "\n"


def _vision(seen: Seen | None) -> str:
    if seen is None:
        return (
            "## Vision\n\nTower and projector are random: pictures carry no information, and read like an "
            "uninformative token. Responses depend on the text alone."
        )
    rows = [
        "## Vision",
        "",
        f"Tower and projector were trained on {seen.questions:,} questions about {seen.pictures:,} pictures "
        f"({seen.data}). Accuracy on questions about other pictures, whose answers the text does not give:",
        "",
        "| | accuracy |",
        "|---|---|",
        f"| before the training | {shown(seen.before)} |",
        f"| after the training | {shown(seen.after)} |",
        f"| chance (best guess without the picture) | {100 * seen.chance:.1f} % |",
    ]
    if seen.text_before is not None and seen.text_after is not None:
        rows += [
            "",
            f"Text questions whose response with a picture starts as without one: {shown(seen.text_before)} before, "
            f"{shown(seen.text_after)} after the training.",
        ]
    return "\n".join(rows)


def shown(rate: Rate) -> str:
    """Return a rate as text, such as "91.0 % [84.2–95.1], 91 of 100"."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "not measured"
    return f"{100 * rate.value:.1f} % [{100 * rate.low:.1f}–{100 * rate.high:.1f}], {rate.k:g} of {rate.n}"


def _template(record: Graft) -> str:
    told = [f"## Chat template\n\nChat template: {record.chat_template}; pictures precede the text of their turn."]
    if record.system:
        told.append(f"Conversations without a system prompt get this one: “{record.system}”.")
    if record.padding:
        told.append(f"The tokenizer had no padding token; `{record.padding}` is used.")
    return " ".join(told)
