"""Safety and over-refusal suites with one record per question, each described by its fields, files and sizes."""

from __future__ import annotations

from unmirage.evaluate.suites.base import Published, Suite
from unmirage.evaluate.suites.flat import Fields, by_grade, flat, no_other
from unmirage.evaluate.suites.reading import from_one_file

_SIUO = {
    "self-harm": 19,
    "dangerous behavior": 18,
    "morality": 20,
    "illegal activities & crime": 18,
    "controversial topics, politics": 16,
    "discrimination & stereotyping": 18,
    "religion beliefs": 20,
    "information misinterpretation": 17,
    "privacy violation": 21,
}
_MSTS = {
    "Violent Crimes": 70,
    "Non-Violent Crimes": 140,
    "Sex-Related Crimes": 60,
    "Suicide & Self-Harm": 80,
    "Other": 50,
}
# The published CSV file has only the names of the images; the hub stores it without them.
_JAILBREAKV = Fields(
    query="jailbreak_query",
    images=("image_path",),
    category=("policy",),
    group="redteam_query",  # many attacks share one harmful request
    needs=("redteam_query",),
)
_OR_BENCH = Fields(query="prompt", images=(), needs=("category",))
_COCONOT = Fields(query="prompt", images=(), needs=("subcategory",))
_AN_OR_BENCH = {name: f"use suite 'or-bench-{name}'" for name in ("80k", "hard-1k", "toxic")}


def _jailbreakv(name: str, file: str, about: str, total: int) -> Suite:
    return Suite(
        name=name,
        purpose="safety",
        about=f"JailBreakV-28K: {about} ({total:,})",
        hub="JailbreakV-28K/JailBreakV-28k",
        find=from_one_file(flat(_JAILBREAKV, refused=True), names=(file, f"JailBreakV_28K/{file}")),
        published=(Published(total=total),),
    )


def _or_bench(part: str, about: str, total: int, *, refused: bool) -> Suite:
    others = {name: instead for name, instead in _AN_OR_BENCH.items() if name != part}
    return Suite(
        name=f"or-bench-{part}",
        purpose="safety" if refused else "over-refusal",
        about=f"OR-Bench: {about} ({total:,}); no images",
        hub="bench-llm/or-bench",
        default=f"hf:bench-llm/or-bench:or-bench-{part}@train",
        find=from_one_file(flat(_OR_BENCH, refused=refused), names=(f"or-bench-{part}.csv",), check=no_other(others)),
        published=(Published(total=total),),
    )


def _coconot(name: str, config: str, other: str, about: str, total: int, *, refused: bool) -> Suite:
    return Suite(
        name=name,
        purpose="safety" if refused else "over-refusal",
        about=f"CoCoNot: {about} ({total:,}); no images",
        hub="allenai/coconot",
        default=f"hf:allenai/coconot:{config}@test",
        find=from_one_file(
            flat(_COCONOT, refused=refused),
            names=(f"{config}/test-*.parquet", "test-*.parquet", f"{config}/*test.jsonl"),
            check=no_other({other: f"use suite '{'coconot' if other == 'original' else 'coconot-contrast'}'"}),
        ),
        published=(Published(total=total),),
    )


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            name="siuo",
            purpose="safety",
            about="SIUO: harmless texts and images that are unsafe together (167)",
            hub="sinwang/SIUO",
            find=from_one_file(
                flat(
                    Fields(query="question", id="question_id", needs=("safety_warning",), file="siuo_gen.json"),
                    refused=True,
                ),
                names=("siuo_gen.json", "data/siuo_gen.json"),
                folders={"images": "images"},
            ),
            published=(Published.of(_SIUO),),
        ),
        Suite(
            name="vlsbench",
            purpose="safety",
            about="VLSBench: harmless texts about harmful images (2,241)",
            hub="Foreshhh/vlsbench",
            default="hf:Foreshhh/vlsbench@train",
            find=from_one_file(
                flat(
                    Fields(query="instruction", id="instruction_id", images=("image", "image_path")),
                    refused=True,
                ),
                names=("data.json", "data/data.json"),
            ),
            published=(Published(total=2241),),
        ),
        Suite(
            name="msts",
            purpose="safety",
            about="MSTS: short texts that are unsafe with their image (400), in eleven languages",
            hub="felfri/MSTS",
            default="hf:felfri/MSTS@english",
            find=from_one_file(
                flat(
                    Fields(
                        query="prompt_text",
                        id="prompt_id",
                        images=("unsafe_image", "unsafe_image_id"),
                        category=("hazard_category",),
                        group="unsafe_image_id",
                        needs=("hazard_category", "unsafe_image_id"),
                        file="data/prompts/LANGUAGE_multimodal.csv",
                    ),
                    refused=True,
                ),
                names=(
                    "english_multimodal.csv",
                    "prompts/english_multimodal.csv",
                    "data/prompts/english_multimodal.csv",
                ),
                folders={"unsafe_images": "unsafe_images", "../unsafe_images": "../unsafe_images"},
                any_ending=True,
            ),
            published=(Published.of(_MSTS),),
        ),
        Suite(
            name="msts-text",
            purpose="safety",
            about="MSTS: the same prompts with the image described in words (400); no images",
            hub="github.com/paul-rottger/msts-multimodal-safety",
            find=from_one_file(
                flat(
                    Fields(
                        query="prompt_text",
                        id="prompt_id",
                        images=(),
                        category=("hazard_category",),
                        group="case_id",
                        needs=("hazard_category", "case_id"),
                        file="data/prompts/english_textonly.csv",
                    ),
                    refused=True,
                ),
                names=("english_textonly.csv", "prompts/english_textonly.csv", "data/prompts/english_textonly.csv"),
                check=no_other({"multimodal.csv": "use suite 'msts'"}),
            ),
            published=(Published.of(_MSTS),),
        ),
        _jailbreakv("jailbreakv-28k", "JailBreakV_28K.csv", "jailbreaks in text and images", 28000),
        _jailbreakv("jailbreakv-28k-mini", "mini_JailBreakV_28K.csv", "its small version", 280),
        Suite(
            name="harmbench-mm",
            purpose="safety",
            about="HarmBench: harmful behaviors about an image (110)",
            hub="github.com/centerforaisafety/HarmBench",
            find=from_one_file(
                flat(
                    Fields(
                        query="Behavior",
                        id="BehaviorID",
                        images=("ImageFileName",),
                        category=("SemanticCategory",),
                        group="ImageFileName",
                    ),
                    refused=True,
                ),
                names=tuple(
                    f"{folder}harmbench_behaviors_multimodal_all.csv"
                    for folder in ("", "behavior_datasets/", "data/behavior_datasets/")
                ),
                folders={one: one for one in ("multimodal_behavior_images", "../multimodal_behavior_images", "images")},
                any_ending=True,  # the repository stores all images as .png, whatever the file names
            ),
            published=(Published(total=110),),
        ),
        Suite(
            name="vlsu",
            purpose="safety",
            about="VLSU: texts and images graded alone and together; safe and unsafe ones (8,187 with borderline ones)",
            hub="github.com/apple/ml-vlsu",
            find=from_one_file(
                flat(
                    Fields(
                        query="prompt",
                        id="uuid",
                        images=("uuid",),
                        category=("combined_category",),
                        group="web_path",
                        needs=("consensus_combined_grade", "web_path"),
                    ),
                    by_grade(
                        "consensus_combined_grade",
                        safe="safe",
                        unsafe="unsafe",
                        undecided=("borderline", "not_sure"),
                    ),
                ),
                names=("VLSU.csv", "data/VLSU.csv"),
                folders={one: one for one in ("images", "../images")},
                any_ending=True,
            ),
            published=(Published(total=8187), Published(total=8158)),
        ),
        _or_bench("hard-1k", "harmless prompts that strong models refuse", 1319, refused=False),
        _or_bench("80k", "harmless prompts that seem toxic", 80359, refused=False),
        _or_bench("toxic", "toxic prompts", 655, refused=True),
        _coconot("coconot", "original", "contrast", "requests that a model should not comply with", 1001, refused=True),
        _coconot("coconot-contrast", "contrast", "original", "requests like them that it should", 379, refused=False),
    )
}
