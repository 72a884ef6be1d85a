"""Measure what costs NPO its utility on unseen devices: learning rate and steps, retain weight, or retain coverage.

    unmirage study settings --out runs/settings
    python benchmarks/unlearning_utility.py runs/settings --keep benchmarks/results/unlearning_utility.json

Every variant changes one setting of the study's `npo-mixed`, starts from the same base model, and is evaluated on the
validation devices. `leak` deliberately adds the harmless validation questions to the retain set: its utility is not a
result, but shows whether coverage of the devices is the cause. `half` and `quarter` keep the retain rows of half and a
quarter of the benign devices.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from provenance import hand_on, made_by

from unmirage.align import NpoConfig, align
from unmirage.data import load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.records import Sample
from unmirage.testbed.corpus import QUESTIONS
from unmirage.testbed.settings import ARMS, BASE, Change, StudySettings, changed
from unmirage.testbed.settings_search import validation_rates
from unmirage.testbed.study import Seeds, Study, open_study
from unmirage.testbed.summary import write_between_markers
from unmirage.testbed.world import Split
from unmirage.workflows.processes import one_thread

ARM = "npo-mixed"


@dataclass(frozen=True)
class Variant:
    """A variant: changed settings, and the rows of the retain set."""

    change: Change = field(default_factory=dict)
    retain: str = "all"


def variants(rate: float, steps: int, beta: float) -> dict[str, Variant]:
    """Return the variants of an arm with these settings."""
    return {
        "as in the study": Variant(),
        "rate / 4, 4 x steps": Variant({"learning_rate": rate / 4, "steps": 4 * steps}),
        "gamma 10": Variant({"gamma": 10.0}),
        "beta / 6": Variant({"beta": beta / 6}),
        "beta x 3": Variant({"beta": 3 * beta}),
        "retain on 20 of 40 devices": Variant(retain="half"),
        "retain on 10 of 40 devices": Variant(retain="quarter"),
        "retain leaks the validation facts": Variant(retain="leak"),
    }


def retained(study: Study, samples: Sequence[Sample], which: str) -> tuple[Sample, ...]:
    if which == "leak":
        files = QUESTIONS[Split.VALIDATION]
        known = load_samples(study.run.data / f"{files['utility']}.json").samples
        benign = [one for one in load_samples(study.run.data / f"{files['test']}.json") if not one.refused]
        return (*samples, *known, *benign)
    devices = sorted({sample.group for sample in samples if sample.group})
    kept = set(devices[:: {"all": 1, "half": 2, "quarter": 4}[which]])
    return tuple(sample for sample in samples if sample.group in kept)


def measured(study: Study, name: str, variant: Variant) -> dict[str, Any]:
    started = time.perf_counter()
    config = study.seeded(changed(ARMS[ARM], variant.change))
    data = study.learned_by(ARM, config)
    data = replace(data, retain=retained(study, data.retain, variant.retain))
    vlm = HuggingFaceVLM.load(study.run.model(BASE), ARM)
    with one_thread():
        align(vlm, data, config)
    with tempfile.TemporaryDirectory() as folder:
        rates = validation_rates(study, vlm, Path(folder) / "store.sqlite")
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    columns = {
        "asr_before": rates.asr.before,
        "asr_after": rates.asr.after,
        "benign_answered_before": rates.benign_answered.before,
        "benign_answered_after": rates.benign_answered.after,
        "facts": rates.utility_by_category["facts"],
        "skills": rates.utility_by_category["skills"],
        "neighbor_utility": rates.neighbor_utility,
    }
    return {
        "variant": asdict(variant),
        "retain_rows": len(data.retain),
        **{key: asdict(one) for key, one in columns.items()},
    }


def markdown(models: dict[str, Any]) -> str:
    columns = (
        "asr_before",
        "asr_after",
        "benign_answered_before",
        "benign_answered_after",
        "facts",
        "skills",
        "neighbor_utility",
    )
    lines = [("variant", *(column.replace("_", " ") for column in columns)), ("---", *["---:"] * len(columns))]
    lines += [(name, *(f"{100 * one[column]['value']:.0f}" for column in columns)) for name, one in models.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="run directory of `unmirage study settings`")
    parser.add_argument("--write", type=Path, help="Markdown file; the table goes between its two markers")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    made = made_by()
    kept = yaml.safe_load((options.study / "config.yaml").read_text(encoding="utf-8"))
    seeds = Seeds(**kept["seeds"])
    settings = StudySettings.model_validate({key: kept[key] for key in StudySettings.model_fields})
    with open_study(options.study, settings, seeds, lambda *_: None) as study:
        own = ARMS[ARM]
        assert own.steps is not None
        assert isinstance(own.method, NpoConfig)
        asked = variants(own.learning_rate, own.steps, own.method.beta)
        models = {name: measured(study, name, variant) for name, variant in asked.items()}
    if options.write:
        write_between_markers(options.write, "unlearning-utility", markdown(models))
    hand_on(
        {"arm": ARM, "models": models, "seeds": asdict(seeds), "settings": settings.model_dump(mode="json"), **made},
        options.keep,
    )


if __name__ == "__main__":
    main()
