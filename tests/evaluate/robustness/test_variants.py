"""Variants by name and number, and the model without its adapter."""

import json

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.robustness import base_alone, plan_variants
from unmirage.records import Variant


def test_all_variants_in_their_order():
    found = plan_variants(
        "npo", relearn=("forget", "benign"), samples=(0, 8, 32), int8=True, temperatures=(0.5, 1.0), no_adapter=True
    )
    assert found == [
        Variant(model="npo + int8", of="npo", kind="int8"),
        Variant(model="npo + temperature 0.5", of="npo", kind="temperature", amount=0.5),
        Variant(model="npo + temperature 1", of="npo", kind="temperature", amount=1.0),
        Variant(model="npo + no adapter", of="npo", kind="no adapter"),
        Variant(model="npo + forget 8", of="npo", kind="relearned", data="forget", amount=8.0),
        Variant(model="npo + forget 32", of="npo", kind="relearned", data="forget", amount=32.0),
        Variant(model="npo + benign 8", of="npo", kind="relearned", data="benign", amount=8.0),
        Variant(model="npo + benign 32", of="npo", kind="relearned", data="benign", amount=32.0),
    ]
    assert plan_variants("npo", relearn=("forget",), samples=(0,)) == []


@pytest.mark.parametrize("inside", ["", "adapter"])
def test_the_base_of_an_adapter_or_of_a_model_that_keeps_one(tmp_path, inside):
    (tmp_path / "base").mkdir()
    folder = tmp_path / "tuned" / inside
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "base")}))
    if inside:
        (tmp_path / "tuned" / "model.safetensors").touch()
    assert base_alone(tmp_path / "tuned") == str(tmp_path / "base")


def test_a_model_without_an_adapter(tiny):
    with pytest.raises(UserError, match="no adapter found; valid: a directory of"):
        base_alone(tiny.model)
