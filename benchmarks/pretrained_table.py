"""Write tables of saved documents of `unmirage study pretrained` into a Markdown file, between two markers.

python benchmarks/pretrained_table.py benchmarks/results/pretrained.json --write README.md --name pretrained
python benchmarks/pretrained_table.py benchmarks/results/pretrained_curve.json --part curve --write docs/pretrained.md \
    --name pretrained-curve

Parts: `short`, one row per model with both sets of wordings (default); `rates`, the first table of the study, with
irrelevant responses and relevance; `curve`, how much is diversified; `full`, what `unmirage study pretrained --write`
writes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from unmirage.pretrained.documents import ModelRow, PretrainedStudy
from unmirage.pretrained.table import heads, markdown, more_tables, table
from unmirage.records import Rate
from unmirage.testbed.summary import write_between_markers
from unmirage.text.formatting import points, with_interval
from unmirage.text.markdown import markdown_table

_HEADS = (
    "model",
    "ASR before → after",
    "control",
    "ASR after, paper's wordings",
    "RR before → after",
    "control",
    "RR after, paper's wordings",
    "plain unsafe refused",
)


def short(document: PretrainedStudy) -> str:
    """Return one row per model: rates in percent, with 95 % intervals after the attack."""
    return markdown_table(_HEADS, [_row(row) for row in document.models if row.wordings]) + "\n"


def rates(document: PretrainedStudy) -> str:
    """Return the study's first table: rates by model and set of wordings, irrelevant responses, and relevance."""
    return markdown_table(heads(document), table(document)) + "\n"


def curve(document: PretrainedStudy) -> str:
    """Return the rates by the share of rewordings that diversified data use."""
    return markdown_table(*more_tables(document)["How much is diversified"]) + "\n"


def _row(row: ModelRow) -> list[str]:
    ours = row.wordings["ours"].rates
    given = row.wordings["given"].rates if "given" in row.wordings else None
    return [
        f"`{row.name}`",
        f"{points(ours['asr_before'].value)} → {_interval(ours['asr_after'])}",
        _interval(ours["asr_control"]),
        "" if given is None else _interval(given["asr_after"]),
        f"{points(ours['rr_before'].value)} → {_interval(ours['rr_after'])}",
        _interval(ours["rr_control"]),
        "" if given is None else _interval(given["rr_after"]),
        _interval(ours["refused_unsafe_before"]),
    ]


def _interval(rate: Rate) -> str:
    return with_interval(rate.value, rate.low, rate.high)


PARTS: Mapping[str, Callable[[PretrainedStudy], str]] = {
    "short": short,
    "rates": rates,
    "curve": curve,
    "full": markdown,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="document that `study pretrained --keep` wrote")
    parser.add_argument("--part", choices=PARTS, default="short")
    parser.add_argument("--write", type=Path, default=Path("README.md"))
    parser.add_argument("--name", default="pretrained", help="of the markers")
    options = parser.parse_args()
    write_between_markers(options.write, options.name, PARTS[options.part](PretrainedStudy.load(options.result)))


if __name__ == "__main__":
    main()
