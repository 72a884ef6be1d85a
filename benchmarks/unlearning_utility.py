"""Find out what costs NPO its utility on unseen devices: learning rate and steps, retain weight, or retain coverage.

    unmirage study rates --out runs/rates
    python benchmarks/unlearning_utility.py runs/rates --keep benchmarks/results/unlearning_utility.json

Every variant changes `npo-mixed` of the study in one respect, starts from the same base model, and is asked about the
validation devices. `leak` adds the harmless validation questions to the retain set on purpose: its utility is no
result, but shows whether the retain set's coverage of the devices is what is missing. `half` and `quarter` keep the
retain rows of so many of the benign devices.
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

from unmirage.align import AlignData, align
from unmirage.data import load_samples
from unmirage.evaluate import ExactJudge, judge_run, judged_outcomes, model_rates
from unmirage.models import HuggingFaceVLM, ask
from unmirage.records import Sample
from unmirage.run import Store
from unmirage.testbed.markdown import write_between_markers
from unmirage.testbed.settings import ARMS, BASE, StudySettings
from unmirage.testbed.study import VALIDATION, Seeds, Study, open_study

ARM = "npo-mixed"


@dataclass(frozen=True)
class Variant:
    """What is changed: settings of the alignment, of its method, and the retain set."""

    config: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)
    retain: str = "all"


VARIANTS = {
    "as in the study": Variant(),
    "rate / 4, 4 x steps": Variant(config={"learning_rate": 1e-4, "steps": 400}),
    "rate / 8, 8 x steps": Variant(config={"learning_rate": 5e-5, "steps": 800}),
    "rate / 4, 4 x steps, gamma 10": Variant(config={"learning_rate": 1e-4, "steps": 400}, method={"gamma": 10.0}),
    "gamma 10": Variant(method={"gamma": 10.0}),
    "retain on 20 of 40 devices": Variant(retain="half"),
    "retain on 10 of 40 devices": Variant(retain="quarter"),
    "retain leaks the validation facts": Variant(retain="leak"),
}


def retained(study: Study, samples: Sequence[Sample], which: str) -> tuple[Sample, ...]:
    if which == "leak":
        known = load_samples(study.run.data / f"{VALIDATION}-utility.json").samples
        benign = [one for one in load_samples(study.run.data / f"{VALIDATION}.json") if not one.refused]
        return (*samples, *known, *benign)
    devices = sorted({sample.group for sample in samples if sample.group})
    kept = set(devices[:: {"all": 1, "half": 2, "quarter": 4}[which]])
    return tuple(sample for sample in samples if sample.group in kept)


def measured(study: Study, name: str, variant: Variant) -> dict[str, Any]:
    started = time.perf_counter()
    config = study.seeded(ARMS[ARM])
    config = config.model_copy(update={"method": config.method.model_copy(update=variant.method), **variant.config})
    data = study.learned_by(ARM, config)
    data = replace(data, retain=retained(study, data.retain, variant.retain))
    vlm = HuggingFaceVLM.load(study.run.model(BASE), ARM)
    align(vlm, AlignData(retain=data.retain, forget=data.forget, images=data.images), config)
    samples, queries = study.questions(f"{VALIDATION}-")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        store.add_samples(samples)
        store.add_queries(queries)
        ask(vlm, store, study.images, study.settings.generation)
        judge_run(store, ExactJudge.from_file(study.run.data / "truth.json"), ARM)
        rates = model_rates(judged_outcomes(store, ExactJudge.name, ARM))
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    columns = {
        "asr_before": rates.asr.before,
        "asr_after": rates.asr.after,
        "benign_answered_before": rates.benign_answered.before,
        "benign_answered_after": rates.benign_answered.after,
        "facts": rates.utility_by_category["facts"],
        "skills": rates.utility_by_category["skills"],
        "neighbor_utility": rates.near,
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
    parser.add_argument("study", type=Path, help="run directory of `unmirage study rates`")
    parser.add_argument("--write", type=Path, help="Markdown file; the table goes between its two markers")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    made = made_by()
    kept = yaml.safe_load((options.study / "config.yaml").read_text(encoding="utf-8"))
    seeds = Seeds(**kept["seeds"])
    settings = StudySettings.model_validate({key: kept[key] for key in StudySettings.model_fields})
    with open_study(options.study, settings, seeds, lambda *_: None) as study:
        models = {name: measured(study, name, variant) for name, variant in VARIANTS.items()}
    if options.write:
        write_between_markers(options.write, "unlearning-utility", markdown(models))
    hand_on(
        {"arm": ARM, "models": models, "seeds": asdict(seeds), "settings": settings.model_dump(mode="json"), **made},
        options.keep,
    )


if __name__ == "__main__":
    main()
