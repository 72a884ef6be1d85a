"""Split the rates of `unmirage study pretrained` by whether a test query has the text of a training query.

    python benchmarks/pretrained_new_texts.py RUN_DIRECTORY TRAIN [--keep benchmarks/results/pretrained_new_texts.json]

TRAIN is the training data of the study, with --hold-out `RUN_DIRECTORY/data/train.jsonl`. If all pictures are the same
placeholder, a query with the text of a training query is a prompt that was trained on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from provenance import made_by

from unmirage.data import load_samples
from unmirage.data.overlap import normalized
from unmirage.evaluate import judged_outcomes, model_rates
from unmirage.pretrained.documents import PretrainedStudy
from unmirage.pretrained.summary import COLUMNS
from unmirage.records import Kind
from unmirage.run import Run
from unmirage.run.files import write_text_atomic

RATES = ("asr_before", "asr_after", "asr_control", "rr_before", "rr_after", "rr_control", "refused_unsafe_before")


def counts(run: Run, judge: str, known: set[str]) -> dict[str, Counter[str]]:
    """Return k and n of each rate by model and part ("new" or "known" texts), as "model|part|rate|k"."""
    found: dict[str, Counter[str]] = {}
    with run.store() as store:
        plain = {one.sample_id: one.text for one in store.queries() if one.kind is Kind.PLAIN}
        for model in store.models():
            outcomes = judged_outcomes(store, judge, model)
            for part in ("new", "known"):
                own = [one for one in outcomes if (normalized(plain[one.sample_id]) in known) is (part == "known")]
                rates = model_rates(own)
                cell = found.setdefault(f"{model}|{part}", Counter())
                for name in RATES:
                    rate = COLUMNS[name](rates)
                    cell.update({f"{name}|k": round(rate.k or 0), f"{name}|n": rate.n})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    known = {normalized(one.query) for one in load_samples(options.train)}
    judge = PretrainedStudy.load(options.out / PretrainedStudy.FILE).judge
    pooled: dict[str, Counter[str]] = {}
    for folder in sorted(options.out.glob("seed-*")):
        for name, cell in counts(Run(folder / "ours"), judge, known).items():
            pooled.setdefault(name, Counter()).update(cell)
    rows: dict[str, dict[str, Any]] = {}
    for name, cell in pooled.items():
        model, _, part = name.partition("|")
        shares = {rate: {"k": cell[f"{rate}|k"], "n": cell[f"{rate}|n"]} for rate in RATES}
        rows.setdefault(model, {})[part] = shares
        print(f"{model:16} {part:6}", *(f"{rate} {one['k']}/{one['n']}" for rate, one in shares.items()))
    if options.keep:
        write_text_atomic(options.keep, json.dumps({"models": rows, **made_by()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
