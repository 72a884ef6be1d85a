"""Settings of the study on pretrained weights, in one place and with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unmirage.align.config import AlignConfig
from unmirage.align.methods import NpoConfig, RmuConfig, SftConfig
from unmirage.evaluate.unlearning_settings import UnlearningSettings
from unmirage.workflows.settings import resolve

BASE = "base"
Method = Literal["none", "sft", "npo", "rmu"]

# All weights, as in the paper. 40 steps of 16 rows at 1e-4 are 640 rows, and take a 135 M model from complying with
# nearly all unsafe queries to refusing 95 % of them, in a study of a quarter of an hour. Sorting the rows of a step
# changes gradients by rounding only; with four rows per forward pass, it saves a quarter of the computed tokens.
_SFT = AlignConfig(
    method=SftConfig(), learning_rate=1e-4, batch_size=16, micro_batch_size=4, steps=40, order="within-steps"
)
# What `study unlearning` chose for SmolLM2-135M-Instruct (benchmarks/results/unlearning_settings.json): harmful answers
# become less likely while the relevance of benign responses stays within 0.05 of the base model's.
_NPO = AlignConfig(
    method=NpoConfig(beta=0.1, gamma=1.0),
    learning_rate=3e-5,
    schedule="constant",
    warmup=0.0,
    batch_size=4,
    steps=40,
)
_RMU = _NPO.model_copy(
    update={
        "method": RmuConfig(layer=8, scale=400.0, ce=0.0),
        "learning_rate": 3e-4,
        "steps": 32,
        "trainable": ("down_proj:6-8",),
    }
)


class PretrainedSettings(BaseModel):
    """All settings of the study. Only the seed differs between its runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sft: AlignConfig = _SFT
    npo: AlignConfig = _NPO
    rmu: AlignConfig = _RMU
    first_sentence: bool = Field(
        default=True,
        description="train on the first sentence of each answer: it decides the verdict, and has a third of the tokens",
    )
    shots: int = Field(default=3, ge=1, description="attacked queries per unsafe query, as in the paper")
    max_new_tokens: int = Field(
        default=14, ge=1, description="refusals of the models begin with a phrase that fits in 14 tokens"
    )
    batch_size: int = Field(default=32, ge=1, description="queries per batch")
    forget_queries: int = Field(default=320, ge=1, description="unsafe training queries that the base model answers")
    forget_tokens: int = Field(default=32, ge=1, description="maximum new tokens of an answer to forget")
    balanced_copies: int = Field(default=4, ge=1, description="how often a row may be in the balanced data")
    rationales: tuple[str, ...] = Field(
        min_length=1,
        default=(
            "What is asked here would not be safe.",
            "Such an answer could hurt somebody.",
            "This topic is kept private.",
        ),
        description="what replaces refusals in the data of sft-rationale; the judge counts them as refusals",
    )


def searched(found: UnlearningSettings) -> tuple[dict[str, AlignConfig], dict[str, str]]:
    """Return the settings that a search chose for each unlearning method, and why a method has none.

    Args:
        found: the document of `unmirage study unlearning`.
    """
    chosen: dict[str, AlignConfig] = {}
    without: dict[str, str] = {}
    candidates = {one.name: one for one in found.candidates}
    for method in ("npo", "rmu"):
        best = found.chosen.get(method)
        if method not in found.chosen:
            without[method] = f"the search has no candidate of {method}; run `study unlearning` with --methods {method}"
        elif best is None:
            without[method] = f"the search found no setting that forgets and keeps relevance within {found.tolerance:g}"
        else:
            settings = {**candidates[best.name].settings, "steps": best.step}
            chosen[method] = resolve(AlignConfig, None, settings, None)
    return chosen, without


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model of the study is made.

    Attributes:
        method: training method; "none" for the base model.
        data: name of the training data; see `sets.TrainingSets`. Unlearning has forget and retain sets instead.
        share: share of the rewordings that diversified data use.
        what: description for tables and documents.
    """

    method: Method
    data: str
    what: str
    share: float = 1.0


MODELS: Mapping[str, Recipe] = {
    BASE: Recipe("none", "", "the model before any safety training"),
    "sft-posthoc": Recipe("sft", "safety", "fine-tuned on the safety data"),
    "sft-mixed": Recipe("sft", "mixed", "fine-tuned on the safety data and general data"),
    "sft-diversified-25": Recipe("sft", "diversified", "a quarter of the rewordings of sft-diversified", 0.25),
    "sft-diversified-50": Recipe("sft", "diversified", "half of the rewordings of sft-diversified", 0.5),
    "sft-diversified-75": Recipe("sft", "diversified", "three quarters of the rewordings of sft-diversified", 0.75),
    "sft-diversified": Recipe("sft", "diversified", "queries reworded so that both labels have the same openers"),
    "sft-balanced": Recipe("sft", "balanced", "queries dropped or repeated so that openers do not predict the label"),
    "sft-weighted": Recipe("sft", "weighted", "queries repeated by the weights of the audit's remedy"),
    "sft-twins": Recipe("sft", "twins", "with a reworded query of the other label for each opener"),
    "sft-rationale": Recipe("sft", "rationale", "refusals replaced by sentences that explain without refusing"),
    "npo": Recipe("npo", "", "answers of the base model to unsafe queries are forgotten by NPO"),
    "rmu": Recipe("rmu", "", "the same by RMU"),
}
