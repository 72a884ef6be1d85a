"""All settings of a study whose base model has a given text decoder (`--decoder`), with their reasons.

The tiny model's settings do not fit a pretrained decoder: its learning rates would erase the pretraining, and its
steps repeat each row more often than a large model needs. World, data files, attack and judge stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unmirage.align.config import AlignConfig
from unmirage.align.methods import NpoConfig, RmuConfig, SftConfig
from unmirage.models.base import GenerationConfig
from unmirage.testbed.settings import ARMS, DEMO_ARMS, MIXED, Change, StudySettings, changed
from unmirage.testbed.world import WorldSettings

DEPTH_OF_RMU = 0.25  # RMU's layer, as a share of the decoder's layers: layer 7 of a 7B model's 32, as in its paper


class DecoderSettings(BaseModel):
    """The decoder of a base model, and the utility at which the base training ends.

    Attributes:
        name: hub id, known name, or name of the file or directory without its path.
        files: hash by file name.
        layers: number of the decoder's layers.
        template: "own" for the decoder's chat template; "chatml" for ChatML, if the decoder's own template inserts a
            system prompt into every row, which costs time and has no information on the world.
        tower, tower_layers: width and layers of the vision tower; those of the tiny model.
        word_steps, word_rate: steps and peak learning rate of the stage in which the projected tokens of a picture
            become like the words for it; the tower has half the rate. Without this stage, the decoder would have to
            learn 192 arbitrary vectors.
        word_match: weight of the distance to the right word, beside the cross-entropy of choosing it.
        utility: share of the validation questions that the base model must answer correctly; its training ends there.
        check_every: optimizer steps between two measurements of the utility, and between two checkpoints.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    files: Mapping[str, str]
    layers: int = Field(ge=1)
    template: Literal["own", "chatml"] = "own"
    tower: int = 96
    tower_layers: int = 2
    word_steps: int = Field(default=700, ge=1)
    word_rate: float = Field(default=2e-3, gt=0)
    word_match: float = Field(default=5.0, ge=0)
    utility: float = Field(default=0.9, ge=0, le=1)
    check_every: int = Field(default=50, ge=1)


# Base training: all weights of projector and decoder. An epoch has 960 steps; `steps` is the maximum. Rows of similar
# length share a batch, because padding costs as much as text. In world 0, twice this rate learned more slowly (utility
# 19 % instead of 35 % after 100 steps), and so did half of it (training loss 1.7 instead of 1.5 after 40 steps). That
# was measured before pictures became words that can be told apart.
BASE_TRAINING = AlignConfig(
    learning_rate=2.5e-4, batch_size=16, steps=1440, warmup=0.05, schedule="linear", order="by-length", save_every=50
)

# One pass over the safety data (1,200 rows) is 75 steps; with the general data (2,100 rows) it is 131. The rate is that
# of `study pretrained`, where 1,024 rows make SmolLM2 refuse nearly all unsafe queries of VLGuard.
_SFT = AlignConfig(method=SftConfig(), learning_rate=1e-4, batch_size=16, steps=75, warmup=0.1, order="by-length")
_MIXED = _SFT.model_copy(update={"steps": 131})
# Start of the search on validation devices.
_UNLEARNING = AlignConfig(learning_rate=5e-5, batch_size=8, steps=60, warmup=0.1, order="by-length")

# Candidates by method, tried one after the other: first the settings that `study unlearning` found for SmolLM2 and
# VLGuard, then what the results before suggested. NPO forgets everything or nothing at beta 0.1; at 0.3, as with the
# tiny model, a higher rate forgets more and keeps the rest.
CANDIDATES: dict[str, tuple[Change, ...]] = {
    "npo": (
        {"learning_rate": 3e-5, "gamma": 1.0},
        {"learning_rate": 3e-5, "gamma": 3.0},
        {"learning_rate": 6e-5, "gamma": 3.0},
        {"learning_rate": 6e-5, "beta": 0.3, "gamma": 3.0},
        {"learning_rate": 1e-4, "beta": 0.3, "gamma": 3.0},
        {"learning_rate": 2e-4, "beta": 0.3, "gamma": 3.0},
    ),
    "rmu": (
        {"learning_rate": 1e-4, "scale": 400.0},
        {"learning_rate": 3e-4, "scale": 400.0},
        {"learning_rate": 3e-4, "scale": 100.0},
        {"learning_rate": 2e-4, "scale": 400.0, "alpha": 10.0},
    ),
}
SEARCHED = ("npo" + MIXED, "rmu" + MIXED)
# The candidates with the best score on the validation devices of world 0 (benchmarks/results/decoder_settings.json).
CHOSEN: dict[str, Change] = {
    "npo": {"learning_rate": 2e-4, "beta": 0.3, "gamma": 3.0},
    "rmu": {"learning_rate": 1e-4, "scale": 400.0},
}


def decoder_starts(layers: int) -> dict[str, AlignConfig]:
    """Return the settings of every arm before the search, for a decoder with this number of layers."""
    layer = max(1, round(DEPTH_OF_RMU * layers))
    found = {}
    for name in ARMS:
        if name.startswith("sft"):
            found[name] = _MIXED if name.endswith(("mixed", MIXED)) else _SFT
        elif name.startswith("npo"):
            found[name] = _UNLEARNING.model_copy(update={"method": NpoConfig(beta=0.1, gamma=3)})
        else:
            found[name] = _UNLEARNING.model_copy(update={"method": RmuConfig(layer=layer, scale=100, alpha=2)})
    return found


def decoder_arms(layers: int) -> dict[str, AlignConfig]:
    """Return the settings of every arm: the starts, for unlearning with the choice for their method."""
    return {name: changed(start, CHOSEN.get(start.method.name, {})) for name, start in decoder_starts(layers).items()}


class DecoderStudySettings(StudySettings):
    """Settings of a study with a given decoder.

    Attributes:
        decoder: the decoder of the base model.
    """

    decoder: DecoderSettings
    base: AlignConfig = BASE_TRAINING
    # Answers of the world have at most 15 tokens in SmolLM2's vocabulary.
    generation: GenerationConfig = GenerationConfig(max_new_tokens=20, batch_size=64)


def decoder_study_settings(
    decoder: DecoderSettings, arms: Sequence[str] = DEMO_ARMS, signal: float = 0.0, base_steps: int | None = None
) -> DecoderStudySettings:
    """Return the settings of a study of some arms, in a world with this signal.

    Args:
        decoder: the decoder; see `unmirage.testbed.decoder_base.decoder_of`.
        base_steps: maximum number of steps of the base training; None for the default.
    """
    settings = decoder_arms(decoder.layers)
    base = BASE_TRAINING if base_steps is None else BASE_TRAINING.model_copy(update={"steps": base_steps})
    return DecoderStudySettings(
        decoder=decoder,
        world=WorldSettings(signal=signal),
        base=base,
        models={name: settings[name] for name in arms},
    )
