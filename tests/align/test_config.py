"""Settings of a run: what is valid, and the one line that says what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unmirage.align import AlignConfig
from unmirage.align.config import LoraSettings, Optimizations, down_layers


@pytest.mark.parametrize(
    ("part", "layers"),
    [
        ("down_proj:5", [5]),
        ("down_proj:5-7", [5, 6, 7]),
        ("down_proj:12-12", [12]),
        ("down_proj:7-5", []),
        ("down_proj:", []),
        ("down_proj:5-", []),
        ("down_proj:-5", []),
        ("up_proj:5-7", []),
        ("down_proj:5-7 ", []),
        ("language", []),
    ],
)
def test_layers_of_a_part(part: str, layers: list[int]) -> None:
    assert down_layers(part) == layers


@given(st.integers(1, 200), st.integers(0, 50))
def test_every_range_names_its_layers(first: int, more: int) -> None:
    part = f"down_proj:{first}-{first + more}"
    assert down_layers(part) == [*range(first, first + more + 1)]
    assert AlignConfig(trainable=(part, "projector")).trainable == (part, "projector")


NO_PART = "unknown part '{}'; valid: language, projector, vision, down_proj:5 or down_proj:5-7 (1-based layers)"


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"trainable": ("languag",)}, ("trainable", 0), NO_PART.format("languag")),
        ({"trainable": ("vision", "down_proj:7-5")}, ("trainable", 1), NO_PART.format("down_proj:7-5")),
        ({"trainable": ("down_proj:0-3",)}, ("trainable", 0), NO_PART.format("down_proj:0-3")),
        (
            {"trainable": ()},
            ("trainable",),
            "empty, so nothing would be trained; valid: language, projector, vision, down_proj:5 or",
        ),
        ({"trainable": {"langage": "lora"}}, ("trainable",), NO_PART.format("langage")),
        ({"trainable": {"language": "lara"}}, ("trainable",), "mode 'lara' of 'language'; valid: lora, full, frozen"),
        ({"trainable": {"vision": "frozen"}}, ("trainable",), "all parts are frozen, so nothing would be trained"),
        ({"trainable": ["audio"]}, ("trainable", 0), "'audio' stays frozen, because training data has no sound"),
        ({"trainable": {"language": "full"}, "lora": 8}, ("lora",), "no part of trainable has the mode lora"),
        ({"lora": {"ranks": {"vision": 8}}}, ("lora",), "'vision' is frozen, so lora.ranks has no effect on it"),
        (
            {"trainable": {"language": "lora", "projector": "full"}, "lora": {"alphas": {"projector": 8}}},
            ("lora",),
            "'projector' is trained fully, so lora.alphas has no effect on it; valid: language",
        ),
        ({"lora": {"ranks": {"x": 8}}}, ("lora",), NO_PART.format("x")),
        ({"lora": {"ranks": {"language": 0}}}, ("lora", "ranks", "language"), "greater than or equal to 1"),
        ({"lora": {"bits": 3}}, ("lora", "bits"), "4"),
        ({"lora": {"dora": True}, "method": {"name": "task-vector"}}, ("lora",), "whose change cannot be scaled"),
        ({"learning_rates": {"vision": 1e-5}}, ("learning_rates",), "'vision' is frozen, so learning_rates has no"),
        ({"learning_rates": {"language": 0}}, ("learning_rates", "language"), "greater than 0"),
        ({"optimizer": "lion"}, ("optimizer",), "'adamw', 'adamw8bit' or 'paged-adamw8bit'"),
        ({"schedule": "cosine_with_restarts"}, ("schedule",), "'cosine', 'linear' or 'constant'"),
        ({"learning_rate": 0}, ("learning_rate",), "greater than 0"),
        ({"learning_rate": float("nan")}, ("learning_rate",), "finite number"),
        ({"learning_rate": float("inf")}, ("learning_rate",), "finite number"),
        ({"batch_size": 0}, ("batch_size",), "greater than or equal to 1"),
        ({"micro_batch_size": 0}, ("micro_batch_size",), "greater than or equal to 1"),
        ({"steps": 0}, ("steps",), "greater than or equal to 1"),
        ({"epochs": 0}, ("epochs",), "greater than 0"),
        ({"warmup": 1.0}, ("warmup",), "less than 1"),
        ({"schedule": "cosin"}, ("schedule",), "'cosine', 'linear' or 'constant'"),
        ({"precision": "fp8"}, ("precision",), "'auto', 'float32' or 'bfloat16'"),
        ({"order": "random"}, ("order",), "'shuffled', 'by-length' or 'within-steps'"),
        ({"checkpointing": 1.5}, ("checkpointing",), "less than or equal to 1"),
        ({"save_every": 0}, ("save_every",), "greater than or equal to 1"),
        ({"keep_last": 0}, ("keep_last",), "greater than or equal to 1"),
        ({"collapse_nats": 0}, ("collapse_nats",), "greater than 0"),
        ({"lora": {"rank": 0}}, ("lora", "rank"), "greater than or equal to 1"),
        ({"lora": {"alpha": 0}}, ("lora", "alpha"), "greater than 0"),
        ({"lora": {"dropout": 1}}, ("lora", "dropout"), "less than 1"),
        ({"lora": {"r": 8}}, ("lora", "r"), "not permitted"),
        ({"optimizations": {"passes": "both"}}, ("optimizations", "passes"), "'auto', 'joint' or 'separate'"),
        ({"optimizations": {"cache": True}}, ("optimizations", "cache"), "not permitted"),
        ({"method": {"name": "npo", "beta": 0}}, ("method", "beta"), "greater than 0"),
        ({"method": {"name": "npo", "c": 1}}, ("method", "c"), "not permitted"),
        ({"method": {"name": "rmu", "layer": 0}}, ("method", "layer"), "greater than or equal to 1"),
        ({"method": {"name": "nop"}}, ("method",), "'npo'"),
        ({"tempo": 1}, ("tempo",), "not permitted"),
    ],
)
def test_a_bad_value_is_one_clear_line(settings: dict, place: tuple, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AlignConfig(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]
    assert "\n" not in error["msg"]


def test_comes_back_from_its_dump() -> None:
    config = AlignConfig(
        method={"name": "adaptive-rmu", "scale": 3, "layer": 2},
        trainable=("down_proj:5-7", "projector"),
        lora=LoraSettings(rank=8),
        optimizations=Optimizations(stop_early=False),
        micro_batch_size=2,
    )
    assert AlignConfig.model_validate_json(config.model_dump_json()) == config


def test_settings_do_not_change_under_a_run() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        AlignConfig().seed = 1


def test_a_number_is_the_rank_of_lora_as_on_the_command_line():
    assert AlignConfig(lora=4).lora == LoraSettings(rank=4, alpha=8)
    with pytest.raises(ValidationError, match=r"lora\.rank"):
        AlignConfig(lora=0)
    with pytest.raises(ValidationError, match="lora"):
        AlignConfig(lora=True)
    with pytest.raises(ValidationError, match="seed"):
        AlignConfig(seed=-1)


def test_part_names_are_kept_only_if_given() -> None:
    assert "part_names" not in AlignConfig().model_dump()
    named = AlignConfig(part_names={"projector": ["model.aligner."]})
    assert AlignConfig(**named.model_dump()) == named
    assert named.model_dump()["part_names"] == {"projector": ("model.aligner.",)}


def test_a_mapping_of_modes_has_the_default_adapter_and_comes_back_from_its_dump() -> None:
    modes = {"language": "lora", "projector": "full", "vision": "frozen", "audio": "frozen"}
    config = AlignConfig(trainable=modes, learning_rates={"projector": 2e-5})
    assert (config.trainable, config.lora) == (modes, LoraSettings())
    assert AlignConfig.model_validate_json(config.model_dump_json()) == config
    assert AlignConfig(trainable={"projector": "full"}).lora is None


def test_settings_of_later_versions_are_kept_only_if_given() -> None:
    """Work directories of earlier versions have no such fields, and are resumed."""
    dumped = AlignConfig(lora=4).model_dump(mode="json")
    assert dumped["lora"] == {"rank": 4, "alpha": 8.0, "dropout": 0.0}
    assert dumped["trainable"] == ["language", "projector"]
    assert not {"learning_rates", "optimizer"} & dumped.keys()
    given = AlignConfig(lora={"dora": True, "ranks": {"language": 2}}, optimizer="adamw8bit").model_dump()
    assert given["lora"] == {"rank": 128, "alpha": 256.0, "dropout": 0.0, "dora": True, "ranks": {"language": 2}}
    assert given["optimizer"] == "adamw8bit"
