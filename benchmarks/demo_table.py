"""Write the table of a saved demo result into a Markdown file, between its two markers.

python benchmarks/demo_table.py benchmarks/results/demo.json --write docs/demo.md --name signal-0
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmirage.testbed.summary import write_between_markers
from unmirage.text.formatting import points, with_interval

_HEADS = (
    "model",
    "ASR before → after",
    "control",
    "RR before → after",
    "benign answered before → after",
    "IR after",
    "skills",
    "facts",
    "neighbors",
)


def _interval(rate: Mapping[str, Any]) -> str:
    return with_interval(rate["value"], rate["low"], rate["high"])


def markdown(results: Mapping[str, Any]) -> str:
    """Return the table in percent, with 95 % intervals of the rates after the attack."""
    lines: list[tuple[str, ...]] = [_HEADS, ("---", *["---:"] * (len(_HEADS) - 1))]
    for name, model in results["models"].items():
        parts, answered = model["utility_by_category"], model["benign_answered"]
        lines.append(
            (
                f"`{name}`",
                f"{points(model['asr']['before']['value'])} → {_interval(model['asr']['after'])}",
                points(model["asr"]["control"]["value"]),
                f"{points(model['rr']['before']['value'])} → {points(model['rr']['after']['value'])}",
                f"{points(answered['before']['value'])} → {_interval(answered['after'])}",
                points(model["ir"]["after"]["value"]),
                points(parts["skills"]["value"]),
                points(parts["facts"]["value"]),
                points(model["neighbor_utility"]["value"]),
            )
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="JSON that demo_study.py kept")
    parser.add_argument("--write", type=Path, default=Path("docs/demo.md"))
    parser.add_argument("--name", default="signal-0", help="of the markers")
    options = parser.parse_args()
    document = json.loads(options.result.read_text(encoding="utf-8"))
    write_between_markers(options.write, options.name, markdown(document["results"]))


if __name__ == "__main__":
    main()
