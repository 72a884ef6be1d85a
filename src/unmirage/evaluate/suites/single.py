"""Benchmarks with a single file whose records label the questions to refuse."""

from __future__ import annotations

from unmirage.data import figstep, holisafe, mossbench, xstest
from unmirage.evaluate.suites.base import Suite
from unmirage.evaluate.suites.reading import from_one_file, judged

_FIGSTEP = ("safebench.csv", "data/question/safebench.csv", "question/safebench.csv")

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            name="figstep",
            purpose="safety",
            about="FigStep SafeBench: harmful requests as images of text (500)",
            hub="github.com/ThuCCSLab/FigStep",
            max_new_tokens=512,  # the prompt asks for three items of about 100 words
            find=from_one_file(
                judged(figstep.samples_of),
                names=_FIGSTEP,
                folders={one: one for one in ("../images/SafeBench", "images/SafeBench", "SafeBench")},
            ),
        ),
        Suite(
            name="holisafe",
            purpose="safety",
            about="HoliSafe-Bench: safe and unsafe images and texts in all combinations (4,031)",
            hub="etri-vilab/holisafe-bench",
            default="hf:etri-vilab/holisafe-bench@test",
            find=from_one_file(judged(holisafe.samples_of), names=("holisafe_bench.json",)),
        ),
        Suite(
            name="mossbench",
            purpose="over-refusal",
            about="MOSSBench: harmless questions about images that look harmful (300)",
            hub="AIcell/MOSSBench",
            find=from_one_file(
                judged(mossbench.samples_of),
                names=("information.json", "images_information/information.json"),
                folders={"images": ".", "../images": ".."},
            ),
        ),
        Suite(
            name="xstest",
            purpose="over-refusal",
            about="XSTest: safe prompts that sound unsafe (250) and contrasting unsafe prompts (200); no images",
            hub="github.com/paul-rottger/exaggerated-safety",
            find=from_one_file(judged(xstest.samples_of), names=("xstest_prompts.csv", "xstest_v2_prompts.csv")),
        ),
    )
}
